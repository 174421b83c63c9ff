//! The embedded chain: blocks, transactions that spend outputs, and reorganisations, in the same store as everything
//! else. It is for trying things and for tests; a real chain has a node of its own.
//!
//! Blocks are made while something waits for one: a transaction for its block, or a block for its confirmations. An idle
//! chain makes none, so that a clock may jump a day.

use std::time::Duration;

use wallet_core::chain::{Input, Output, Transaction};
use wallet_core::crypto::hex_lower;
use wallet_core::rpc::{Block, Tip};
use wallet_core::{Amount, Units, UnixTime};

use wallet_api::vas::{Refusal, limits};

use crate::entities::{DevBlock, DevBlockName, DevChain, DevCoin, DevPurse, DevPurseCoin, DevTx, Rows};
use crate::machine::{Command, Context, Query, Stop};
use crate::rows::{Changes, Entity, Has};

/// Decimals of every asset of the chain (R66).
pub const DECIMALS: u8 = limits::AMOUNT_DECIMALS as u8;
/// Between two blocks, while something waits for one.
pub const BLOCK_EVERY: Duration = Duration::from_secs(5);
/// Blocks that are made or taken back by one command.
const MOST_BLOCKS: u64 = 1000;
/// Outputs that one transaction spends.
const MOST_INPUTS: usize = 1000;

/// Runs a command's steps: a refusal on the way leaves nothing of them.
fn whole<T>(
    rows: &Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    steps: impl FnOnce(&mut View<'_, '_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let before = out.mark();
    let done = steps(&mut View { rows, cx, out, own: Rows::default() });
    if done.is_err() {
        out.back_to(before);
    }
    done
}

/// For questions: nothing is put.
fn chain(rows: &Rows, cx: &Context<'_>) -> Result<DevChain, Stop> {
    whole(rows, cx, &mut Changes::default(), |view| view.chain())
}

/// Rows as a command has left them so far: what it put is seen again.
struct View<'a, 'c> {
    rows: &'a Rows,
    cx: &'a Context<'c>,
    out: &'a mut Changes,
    own: Rows,
}

impl View<'_, '_> {
    fn find<E: Entity>(&self, key: &E::Key) -> Result<Option<E>, Stop>
    where
        Rows: Has<E>,
    {
        match self.own.table().known(key) {
            Some(row) => Ok(row.cloned()),
            None => self.rows.find::<E>(key).map(|row| row.cloned()),
        }
    }

    fn put<E: Entity>(&mut self, row: E)
    where
        Rows: Has<E>,
    {
        self.own.table_mut().absorb(row.key(), Some(row.clone()));
        self.out.put(row.into_any());
    }

    fn chain(&self) -> Result<DevChain, Stop> {
        let genesis = DevChain {
            id: 0,
            height: 0,
            tip: "0".repeat(64),
            next_block_at: None,
            wanted: 0,
            mempool: String::new(),
        };
        Ok(self.find::<DevChain>(&(0,))?.unwrap_or(genesis))
    }

    fn purse(&self, address: &str, asset: &str) -> Result<DevPurse, Stop> {
        let (address, asset) = (address.to_owned(), asset.to_owned());
        let known = self.find::<DevPurse>(&(address.clone(), asset.clone()))?;
        Ok(known.unwrap_or(DevPurse { address, asset, balance: Units::ZERO, first: 0, next: 0 }))
    }

    fn hash(&self, parts: &[&str]) -> String {
        let sha256 = |bytes: &[u8]| self.cx.vault.crypto().sha256(bytes);
        let mut text = [0; 64];
        hex_lower(&sha256(&sha256(parts.join("\n").as_bytes())), &mut text).to_owned()
    }

    /// The coins of a purse that are worth `wanted` together, and what is over.
    fn coins_for(&self, address: &str, asset: &str, wanted: Units) -> Result<(Vec<DevCoin>, Units), Stop> {
        let purse = self.purse(address, asset)?;
        if purse.balance < wanted {
            return Err(Refusal::InsufficientBalance.into());
        }
        let (mut coins, mut sum) = (Vec::new(), Units::ZERO);
        for n in purse.first..purse.next {
            if sum >= wanted {
                break;
            }
            let held = self.find::<DevPurseCoin>(&(address.to_owned(), asset.to_owned(), n))?;
            let held = held.ok_or(Refusal::Internal)?;
            let coin = self.find::<DevCoin>(&(held.txid, held.vout))?.ok_or(Refusal::Internal)?;
            if coin.spent_by.is_none() {
                sum = sum.checked_add(coin.value).ok_or(Refusal::Internal)?;
                coins.push(coin);
            }
        }
        let over = sum.checked_sub(wanted).filter(|over| *over >= Units::ZERO);
        match over {
            Some(over) if coins.len() <= MOST_INPUTS => Ok((coins, over)),
            _ => Err(Refusal::InsufficientBalance.into()),
        }
    }

    /// Makes a transaction that waits for its block.
    fn transact(&mut self, coins: Vec<DevCoin>, outputs: Vec<Output>) -> Result<String, Stop> {
        let inputs = coins.iter().map(|coin| Input {
            txid: coin.txid.clone(),
            vout: coin.vout,
            addresses: vec![coin.address.clone()],
        });
        let mut transaction = Transaction {
            txid: String::new(),
            inputs: inputs.collect(),
            outputs,
            confirmations: 0,
            block: None,
        };
        // The number makes it unique: two issues of the same sum are two transactions.
        let number = self.cx.ids.next().to_string();
        transaction.txid = self.hash(&[&transaction.to_json().to_string(), &number]);
        let txid = transaction.txid.clone();
        for coin in coins {
            self.spend(coin, &txid)?;
        }
        for (vout, output) in (0..).zip(&transaction.outputs) {
            let address = output.addresses.first().ok_or(Refusal::Internal)?;
            let value = output.value.units(DECIMALS).map_err(|_| Refusal::NotPayable)?;
            let mut purse = self.purse(address, &output.asset)?;
            let (address, asset, n) = (purse.address.clone(), purse.asset.clone(), purse.next);
            purse.next += 1;
            purse.balance = purse.balance.checked_add(value).ok_or(Refusal::NotPayable)?;
            self.put(purse);
            let held = DevPurseCoin { address, asset, n, txid: txid.clone(), vout };
            let (address, asset) = (held.address.clone(), held.asset.clone());
            self.put(held);
            self.put(DevCoin { txid: txid.clone(), vout, address, asset, value, n, spent_by: None });
        }
        let raw = transaction.to_json().to_string();
        self.put(DevTx { txid: txid.clone(), raw, block: None, dead: false });
        let mut chain = self.chain()?;
        chain.mempool.push_str(&txid);
        chain.mempool.push('\n');
        self.wake(&mut chain);
        self.put(chain);
        Ok(txid)
    }

    fn wake(&self, chain: &mut DevChain) {
        let waits = !chain.mempool.is_empty() || chain.height < chain.wanted;
        chain.next_block_at = match chain.next_block_at {
            _ if !waits => None,
            Some(at) => Some(at),
            None => Some(self.cx.now + BLOCK_EVERY),
        };
    }

    fn spend(&mut self, coin: DevCoin, by: &str) -> Result<(), Stop> {
        let mut purse = self.purse(&coin.address, &coin.asset)?;
        purse.balance = purse.balance.checked_sub(coin.value).ok_or(Refusal::Internal)?;
        if purse.first == coin.n {
            purse.first += 1;
        }
        self.put(purse);
        self.put(DevCoin { spent_by: Some(by.to_owned()), ..coin });
        Ok(())
    }

    /// Makes one block of everything that waits.
    fn mine(&mut self, with_transactions: bool) -> Result<(), Stop> {
        let mut chain = self.chain()?;
        let txids = if with_transactions { std::mem::take(&mut chain.mempool) } else { String::new() };
        chain.height += 1;
        let number = self.cx.ids.next().to_string(); // so that the blocks of two branches differ
        chain.tip = self.hash(&[&chain.tip, &number, &txids]);
        for txid in txids.lines() {
            let tx = self.find::<DevTx>(&(txid.to_owned(),))?.ok_or(Refusal::Internal)?;
            self.put(DevTx { block: Some(chain.height), ..tx });
        }
        if !txids.is_empty() {
            chain.wanted = chain.height + limits::FINAL_CONFIRMATIONS - 1;
        }
        // The row of the branch before may stand at this height.
        self.find::<DevBlock>(&(chain.height,))?;
        self.put(DevBlockName { hash: chain.tip.clone(), height: chain.height });
        self.put(DevBlock { height: chain.height, hash: chain.tip.clone(), made_at: self.cx.now, txids });
        chain.next_block_at = None;
        self.wake(&mut chain);
        self.put(chain);
        Ok(())
    }

    /// Takes back the newest block; its transactions wait again.
    fn unmine(&mut self) -> Result<(), Stop> {
        let mut chain = self.chain()?;
        let block = self.find::<DevBlock>(&(chain.height,))?.ok_or(Refusal::Internal)?;
        for txid in block.txids.lines() {
            let tx = self.find::<DevTx>(&(txid.to_owned(),))?.ok_or(Refusal::Internal)?;
            self.put(DevTx { block: None, ..tx });
        }
        chain.mempool.insert_str(0, &block.txids);
        chain.height -= 1;
        chain.tip = match self.find::<DevBlock>(&(chain.height,))? {
            Some(before) => before.hash,
            None => "0".repeat(64),
        };
        self.put(chain);
        Ok(())
    }

    /// Takes a transaction that waits out for good, and all that spend what it made.
    fn kill(&mut self, txid: &str) -> Result<Transaction, Stop> {
        let (mut doomed, mut first) = (vec![txid.to_owned()], None);
        while let Some(txid) = doomed.pop() {
            let tx = self.find::<DevTx>(&(txid.clone(),))?.ok_or(Refusal::Internal)?;
            if tx.dead {
                continue;
            }
            let transaction = read(&tx)?;
            for vout in (0..).take(transaction.outputs.len()) {
                let coin = self.find::<DevCoin>(&(txid.clone(), vout))?.ok_or(Refusal::Internal)?;
                match &coin.spent_by {
                    Some(by) => doomed.push(by.clone()),
                    None => {
                        let own = coin.txid.clone();
                        self.spend(coin, &own)?;
                    }
                }
            }
            for input in &transaction.inputs {
                let coin =
                    self.find::<DevCoin>(&(input.txid.clone(), input.vout))?.ok_or(Refusal::Internal)?;
                let made_by = self.find::<DevTx>(&(input.txid.clone(),))?;
                if made_by.is_none_or(|made_by| made_by.dead) {
                    continue; // what a dead transaction made stays spent
                }
                let mut purse = self.purse(&coin.address, &coin.asset)?;
                purse.balance = purse.balance.checked_add(coin.value).ok_or(Refusal::Internal)?;
                purse.first = purse.first.min(coin.n);
                self.put(purse);
                self.put(DevCoin { spent_by: None, ..coin });
            }
            let mut chain = self.chain()?;
            chain.mempool =
                chain.mempool.lines().filter(|line| *line != txid).flat_map(|line| [line, "\n"]).collect();
            self.put(chain);
            self.put(DevTx { dead: true, ..tx });
            first.get_or_insert(transaction);
        }
        first.ok_or(Refusal::NotPayable.into())
    }
}

impl View<'_, '_> {
    /// Gives a waiting transaction's money back to whoever paid, by another one in its place.
    fn double_spend(&mut self, txid: &str) -> Result<(), Stop> {
        let waits = self.find::<DevTx>(&(txid.to_owned(),))?.is_some_and(|tx| tx.block.is_none() && !tx.dead);
        if !waits {
            return Ok(());
        }
        let dead = self.kill(txid)?;
        let mut coins = Vec::new();
        for input in &dead.inputs {
            coins.extend(self.find::<DevCoin>(&(input.txid.clone(), input.vout))?);
        }
        let back =
            coins.iter().map(|coin| output(&coin.address, &coin.asset, coin.value.to_amount(DECIMALS), None));
        let back = back.collect();
        self.transact(coins, back)?;
        Ok(())
    }
}

fn read(tx: &DevTx) -> Result<Transaction, Stop> {
    let raw = serde_json::from_str(&tx.raw).ok().and_then(|raw| Transaction::from_json(&raw).ok());
    raw.ok_or(Refusal::Internal.into())
}

fn output(to: &str, asset: &str, value: Amount<'static>, data: Option<&str>) -> Output {
    let data = data.map(|data| data.as_bytes().to_vec()).into_iter().collect();
    Output { addresses: vec![to.to_owned()], asset: asset.to_owned(), value, data }
}

/// Gives money to an address out of nothing.
#[derive(Debug)]
pub struct DevIssue {
    /// Whom.
    pub to: String,
    /// Which asset.
    pub asset: String,
    /// How much.
    pub amount: Amount<'static>,
}

impl Command for DevIssue {
    type Outcome = String;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<String, Stop> {
        let outputs = vec![output(&self.to, &self.asset, self.amount.clone(), None)];
        whole(rows, cx, out, |view| view.transact(Vec::new(), outputs))
    }
}

/// A payment on the chain: what is over goes back to whoever pays.
#[derive(Debug, Clone)]
pub struct DevPay {
    /// Who pays.
    pub from: String,
    /// Who is paid.
    pub to: String,
    /// In which asset.
    pub asset: String,
    /// How much.
    pub amount: Amount<'static>,
    /// What is written beside it: the order's id.
    pub data: String,
}

impl Command for DevPay {
    type Outcome = String;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<String, Stop> {
        let wanted = self.amount.units(DECIMALS).ok().filter(|units| *units > Units::ZERO);
        let wanted = wanted.ok_or(Refusal::NotPayable)?;
        whole(rows, cx, out, |view| {
            let (coins, over) = view.coins_for(&self.from, &self.asset, wanted)?;
            let mut outputs = vec![output(&self.to, &self.asset, self.amount.clone(), Some(&self.data))];
            if over > Units::ZERO {
                outputs.push(output(&self.from, &self.asset, over.to_amount(DECIMALS), None));
            }
            view.transact(coins, outputs)
        })
    }
}

/// Makes the block that is due, if one is. Says whether it did.
#[derive(Debug)]
pub struct DevTick;

impl Command for DevTick {
    type Outcome = bool;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<bool, Stop> {
        whole(rows, cx, out, |view| {
            let due = view.chain()?.next_block_at.is_some_and(|at| at <= cx.now);
            if due {
                view.mine(true)?;
            }
            Ok(due)
        })
    }
}

/// Makes blocks now.
#[derive(Debug)]
pub struct DevMine {
    /// How many, at most 1,000.
    pub blocks: u64,
}

impl Command for DevMine {
    type Outcome = Tip;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Tip, Stop> {
        whole(rows, cx, out, |view| {
            for _ in 0..self.blocks.min(MOST_BLOCKS) {
                view.mine(true)?;
            }
            let chain = view.chain()?;
            Ok(Tip { height: chain.height, hash: chain.tip })
        })
    }
}

/// Takes back blocks and makes one more of another branch, without their transactions: these wait for the next block.
#[derive(Debug)]
pub struct DevReorg {
    /// How many blocks, at most 1,000.
    pub depth: u64,
    /// Transactions whose money goes back to whoever paid, by others in their place: double spends. One that still has
    /// its block stays.
    pub double_spend: Vec<String>,
}

impl Command for DevReorg {
    type Outcome = Tip;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Tip, Stop> {
        whole(rows, cx, out, |view| {
            let depth = self.depth.min(view.chain()?.height).min(MOST_BLOCKS);
            for _ in 0..depth {
                view.unmine()?;
            }
            for txid in &self.double_spend {
                view.double_spend(txid)?;
            }
            for _ in 0..=depth {
                view.mine(false)?;
            }
            let chain = view.chain()?;
            Ok(Tip { height: chain.height, hash: chain.tip })
        })
    }
}

/// A fresh address that nobody has yet.
#[derive(Debug)]
pub struct DevNewAddress;

impl Command for DevNewAddress {
    type Outcome = String;
    fn apply(&self, _: &Rows, cx: &Context<'_>, _: &mut Changes) -> Result<String, Stop> {
        Ok(cx.vault.address_of(&format!("new {}", cx.ids.next())))
    }
}

/// Where the chain ends.
#[derive(Debug)]
pub struct DevTip;

impl Query for DevTip {
    type Answer = Tip;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Tip, Stop> {
        let chain = chain(rows, cx)?;
        Ok(Tip { height: chain.height, hash: chain.tip })
    }
}

/// When the next block is made: none while nothing waits for one.
#[derive(Debug)]
pub struct DevNextBlock;

impl Query for DevNextBlock {
    type Answer = Option<UnixTime>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        Ok(chain(rows, cx)?.next_block_at)
    }
}

/// A transaction, with its confirmations.
#[derive(Debug)]
pub struct DevTransaction(pub String);

impl Query for DevTransaction {
    type Answer = Option<Transaction>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let Some(tx) = rows.find::<DevTx>(&(self.0.clone(),))? else { return Ok(None) };
        let mut transaction = read(tx)?;
        if let Some(height) = tx.block {
            let chain = chain(rows, cx)?;
            let confirmations = chain.height.saturating_sub(height) + 1;
            transaction.confirmations = i64::try_from(confirmations).unwrap_or(i64::MAX);
            transaction.block = rows.find::<DevBlock>(&(height,))?.map(|block| block.hash.clone());
        }
        if tx.dead {
            transaction.confirmations = -1;
        }
        Ok(Some(transaction))
    }
}

/// A block of the chain as it now stands, by its hash.
#[derive(Debug)]
pub struct DevBlockOf(pub String);

impl Query for DevBlockOf {
    type Answer = Option<(Block, UnixTime)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let Some(name) = rows.find::<DevBlockName>(&(self.0.clone(),))? else { return Ok(None) };
        let block = rows.find::<DevBlock>(&(name.height,))?.filter(|block| block.hash == self.0);
        Ok(block.map(|block| {
            let txids = block.txids.lines().map(str::to_owned).collect();
            (Block { hash: block.hash.clone(), height: block.height, txids }, block.made_at)
        }))
    }
}

/// The hash of the block of a number.
#[derive(Debug)]
pub struct DevBlockAt(pub u64);

impl Query for DevBlockAt {
    type Answer = Option<String>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let block = rows.find::<DevBlock>(&(self.0,))?.filter(|block| block.height > 0);
        let height = chain(rows, cx)?.height;
        Ok(block.filter(|block| block.height <= height).map(|block| block.hash.clone()))
    }
}

/// What an address has of an asset, with what still waits for its block.
#[derive(Debug)]
pub struct DevBalance {
    /// Whose.
    pub address: String,
    /// Of what.
    pub asset: String,
}

impl Query for DevBalance {
    type Answer = Amount<'static>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let purse = rows.find::<DevPurse>(&(self.address.clone(), self.asset.clone()))?;
        Ok(purse.map_or(Units::ZERO, |purse| purse.balance).to_amount(DECIMALS))
    }
}
