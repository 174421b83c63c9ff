//! The embedded chain: blocks, transactions that spend outputs, and reorganisations, for experiments and tests. A real
//! chain has a node of its own.
//!
//! It is a schema of [`wallet_engine`] with commands and queries. They run in [`Chain`], its own schema, and in any
//! schema that lists its tables: a wallet that does so commits a payment together with what it says about it.
//!
//! Blocks are made while something waits for one: a transaction for its block, or a block for its confirmations. An idle
//! chain makes none, so that a clock may jump a day.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wallet_core::crypto::{Sha256, hex_text};
use wallet_core::{Amount, AmountError, Units, UnixTime};
use wallet_engine::{
    Changes, Command, Context, Halt, HasTable, Query, Row, Rows, Schema, StopWith, rows, schema,
};

use crate::rpc::{Block, Tip};
use crate::{Transaction, TxIn, TxOut};

schema! {
    /// The schema of an embedded chain that is alone in its database.
    pub struct Chain;
    vault: ChainHash;
    stop: StopWith<Refused>;
    dev_chain: DevChain,
    dev_block: DevBlock,
    dev_block_name: DevBlockName,
    dev_tx: DevTx,
    dev_coin: DevCoin,
    dev_purse: DevPurse,
}

/// A schema with the tables of the embedded chain: every command and query of this module runs in it.
pub trait ChainTables:
    Schema<Vault: ChainVault, Stop: From<Refused>>
    + HasTable<DevChain>
    + HasTable<DevBlock>
    + HasTable<DevBlockName>
    + HasTable<DevTx>
    + HasTable<DevCoin>
    + HasTable<DevPurse>
{
}

impl<S> ChainTables for S where
    S: Schema<Vault: ChainVault, Stop: From<Refused>>
        + HasTable<DevChain>
        + HasTable<DevBlock>
        + HasTable<DevBlockName>
        + HasTable<DevTx>
        + HasTable<DevCoin>
        + HasTable<DevPurse>
{
}

/// What the chain needs of a schema's vault.
pub trait ChainVault {
    /// Decimals of every asset of the chain (R66).
    const DECIMALS: u8;
    /// The number of confirmations that the chain makes for each transaction: its own block and empty ones after it.
    const CONFIRMATIONS: u64;
    /// SHA-256.
    fn sha256(&self, bytes: &[u8]) -> [u8; 32];
    /// The address of a number. The same number gives the same address.
    fn new_address(&self, number: u64) -> String;
}

/// The vault of [`Chain`]: the hash function of its blocks, transactions and addresses.
#[derive(Clone)]
pub struct ChainHash(pub Arc<dyn Sha256>);

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainHash")
    }
}

impl ChainVault for ChainHash {
    const DECIMALS: u8 = 8;
    const CONFIRMATIONS: u64 = 6;

    fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        self.0.sha256(bytes)
    }

    fn new_address(&self, number: u64) -> String {
        hex_text(&self.sha256(format!("address {number}").as_bytes()))
    }
}

/// Why the chain refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The outputs of the payer add up to less than the amount.
    InsufficientBalance,
    /// The payment, the number of blocks, or the transaction to double-spend is not one that the chain accepts.
    NotPayable,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InsufficientBalance => "the payer's balance is too small",
            Self::NotPayable => "the chain does not accept this",
        })
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for StopWith<Refused> {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

rows! { in Chain;
    /// The embedded chain: one row.
    dev_chain: DevChain {
        key {
            /// Always 0.
            id: u8,
        }
        /// The number of the newest block.
        height: u64,
        /// Its hash.
        tip: String,
        /// The time of the next block; `None` while nothing waits for one.
        next_block_at: Option<UnixTime>,
        /// The height up to which empty blocks are made, for the confirmations of earlier transactions.
        wanted: u64,
        /// Transactions that wait for a block, one a line.
        mempool: String,
    }

    /// A block of the embedded chain.
    dev_block: DevBlock {
        key {
            /// Its number.
            height: u64,
        }
        /// Its hash.
        hash: String,
        /// The time of the block.
        made_at: UnixTime,
        /// Its transactions, one a line.
        txids: String,
    }

    /// The number of a block of the embedded chain.
    dev_block_name: DevBlockName {
        key {
            /// The block's hash.
            hash: String,
        }
        /// Its number.
        height: u64,
    }

    /// A transaction of the embedded chain.
    dev_tx: DevTx {
        key {
            /// Its id.
            txid: String,
        }
        /// Its inputs and outputs, as `getrawtransaction` reports them.
        raw: String,
        /// The height of its block; `None` while it waits for one.
        block: Option<u64>,
        /// Whether a double spend has removed it.
        dead: bool,
    }

    /// An output of the embedded chain.
    dev_coin: DevCoin {
        key {
            /// The transaction.
            txid: String,
            /// The index of the output in its transaction.
            vout: u32,
        }
        /// The address.
        address: String,
        /// The asset.
        asset: String,
        /// The amount in base units.
        value: Units,
        /// The txid of the spending transaction, dead or not; the output's own txid if its transaction died unspent.
        spent_by: Option<String>,
    }

    /// The spendable outputs of an address of the embedded chain in one asset.
    dev_purse: DevPurse {
        key {
            /// The address.
            address: String,
            /// The asset.
            asset: String,
        }
        /// The outputs that it can spend, one a line: units, txid, vout. The largest first.
        coins: String,
    }
}

/// The time between two blocks, while something waits for one.
const BLOCK_EVERY: Duration = Duration::from_secs(5);
/// The largest number of blocks that one command makes or takes back.
const MAX_BLOCKS: u64 = 1000;
/// The largest number of outputs that one transaction spends.
const MAX_INPUTS: usize = 1000;

/// A line of a purse.
struct ClaimSlot<'a> {
    units: Units,
    txid: &'a str,
    vout: u32,
}

/// The error of a sum that is not an amount: its rows are damaged.
fn damaged(_: AmountError) -> Halt {
    Halt::Damaged { table: DevCoin::TABLE.name }
}

fn amount<S: ChainTables>(units: Units) -> Result<Amount<'static>, Halt> {
    units.to_amount(S::Vault::DECIMALS).map_err(damaged)
}

impl DevPurse {
    /// The spendable outputs, the largest first.
    fn spendable(&self) -> impl Iterator<Item = ClaimSlot<'_>> {
        self.coins.lines().filter_map(|line| {
            let mut parts = line.split(' ');
            let units = Units::new(parts.next()?.parse().ok()?);
            Some(ClaimSlot { units, txid: parts.next()?, vout: parts.next()?.parse().ok()? })
        })
    }

    fn balance(&self) -> Result<Units, Halt> {
        self.spendable().try_fold(Units::ZERO, |sum, coin| sum.plus(coin.units)).map_err(damaged)
    }

    fn take_in(&mut self, units: Units, txid: &str, vout: u32) {
        let at = self.coins.lines().zip(self.spendable()).take_while(|(_, coin)| coin.units >= units);
        let at = at.map(|(line, _)| line.len() + 1).sum();
        self.coins.insert_str(at, &format!("{} {txid} {vout}\n", units.get()));
    }

    fn give_out(&mut self, txid: &str, vout: u32) {
        let end = format!(" {txid} {vout}");
        self.coins =
            self.coins.lines().filter(|line| !line.ends_with(&end)).flat_map(|line| [line, "\n"]).collect();
    }
}

/// Runs a command's steps; an error undoes all their changes.
fn whole<S: ChainTables, T>(
    rows: &Rows<S>,
    cx: &Context<'_, S>,
    out: &mut Changes<S>,
    steps: impl FnOnce(&mut View<'_, '_, S>) -> Result<T, S::Stop>,
) -> Result<T, S::Stop> {
    let before = out.mark();
    let done = steps(&mut View { rows, cx, out, own: Rows::default() });
    if done.is_err() {
        out.undo_since(before);
    }
    done
}

impl DevChain {
    fn genesis() -> Self {
        let tip = "0".repeat(64);
        Self { id: 0, height: 0, tip, next_block_at: None, wanted: 0, mempool: String::new() }
    }

    fn end(self) -> Tip {
        Tip { height: self.height, hash: self.tip }
    }
}

/// The chain's row, for queries.
fn chain<S: ChainTables>(rows: &Rows<S>) -> Result<DevChain, Halt> {
    Ok(rows.find::<DevChain>(&(0,))?.cloned().unwrap_or_else(DevChain::genesis))
}

/// The rows with the changes that the command has made so far.
struct View<'a, 'c, S: ChainTables> {
    rows: &'a Rows<S>,
    cx: &'a Context<'c, S>,
    out: &'a mut Changes<S>,
    own: Rows<S>,
}

impl<S: ChainTables> View<'_, '_, S> {
    fn find<E: Row>(&self, key: &E::Key) -> Result<Option<E>, Halt>
    where
        S: HasTable<E>,
    {
        match self.own.known::<E>(key) {
            Some(row) => Ok(row.cloned()),
            None => self.rows.find::<E>(key).map(|row| row.cloned()),
        }
    }

    /// A row that another one refers to.
    fn get<E: Row>(&self, key: &E::Key) -> Result<E, Halt>
    where
        S: HasTable<E>,
    {
        self.find(key)?.ok_or(Halt::Damaged { table: E::TABLE.name })
    }

    /// Requests rows ahead; otherwise the command would run again for each row.
    fn want<E: Row>(&self, keys: impl Iterator<Item = E::Key>)
    where
        S: HasTable<E>,
    {
        keys.filter(|key| self.own.known::<E>(key).is_none()).for_each(|key| self.rows.want::<E>(&key));
    }

    fn put<E: Row>(&mut self, row: E)
    where
        S: HasTable<E>,
    {
        self.own.put(row.clone());
        self.out.put(row);
    }

    fn chain(&self) -> Result<DevChain, S::Stop> {
        Ok(self.find::<DevChain>(&(0,))?.unwrap_or_else(DevChain::genesis))
    }

    fn purse(&self, address: &str, asset: &str) -> Result<DevPurse, S::Stop> {
        let (address, asset) = (address.to_owned(), asset.to_owned());
        let known = self.find::<DevPurse>(&(address.clone(), asset.clone()))?;
        Ok(known.unwrap_or(DevPurse { address, asset, coins: String::new() }))
    }

    fn hash(&self, parts: &[&str]) -> String {
        let sha256 = |bytes: &[u8]| self.cx.vault.sha256(bytes);
        hex_text(&sha256(&sha256(parts.join("\n").as_bytes())))
    }

    /// The outputs of a purse, the largest first, that together reach `wanted`, and the change.
    fn coins_for(&self, address: &str, asset: &str, wanted: Units) -> Result<(Vec<DevCoin>, Units), S::Stop> {
        let purse = self.purse(address, asset)?;
        let (mut keys, mut sum) = (Vec::new(), Units::ZERO);
        for coin in purse.spendable() {
            if sum >= wanted {
                break;
            }
            sum = sum.plus(coin.units).map_err(damaged)?;
            keys.push((coin.txid.to_owned(), coin.vout));
        }
        let over = sum.minus(wanted).map_err(damaged)?;
        if over < Units::ZERO {
            return Err(Refused::InsufficientBalance.into());
        }
        if keys.len() > MAX_INPUTS {
            return Err(Refused::NotPayable.into());
        }
        self.want::<DevCoin>(keys.iter().cloned());
        let coins = keys.iter().map(|key| self.get::<DevCoin>(key));
        Ok((coins.collect::<Result<_, Halt>>()?, over))
    }

    /// Makes a transaction that waits for its block.
    fn transact(&mut self, coins: Vec<DevCoin>, outputs: Vec<TxOut>) -> Result<String, S::Stop> {
        let inputs = coins.iter().map(|coin| TxIn {
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
            let address = output.addresses.first().ok_or(Refused::NotPayable)?;
            let value = output.value.units(S::Vault::DECIMALS).map_err(|_| Refused::NotPayable)?;
            let mut purse = self.purse(address, &output.asset)?;
            purse.take_in(value, &txid, vout);
            let (address, asset) = (purse.address.clone(), purse.asset.clone());
            self.put(purse);
            self.put(DevCoin { txid: txid.clone(), vout, address, asset, value, spent_by: None });
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

    fn spend(&mut self, coin: DevCoin, by: &str) -> Result<(), S::Stop> {
        let mut purse = self.purse(&coin.address, &coin.asset)?;
        purse.give_out(&coin.txid, coin.vout);
        self.put(purse);
        self.put(DevCoin { spent_by: Some(by.to_owned()), ..coin });
        Ok(())
    }

    /// Makes one block: of every waiting transaction, or an empty one.
    fn mine(&mut self, with_transactions: bool) -> Result<(), S::Stop> {
        let mut chain = self.chain()?;
        let txids = if with_transactions { std::mem::take(&mut chain.mempool) } else { String::new() };
        chain.height += 1;
        let number = self.cx.ids.next().to_string(); // so that the blocks of two branches differ
        chain.tip = self.hash(&[&chain.tip, &number, &txids]);
        self.want::<DevTx>(txids.lines().map(|txid| (txid.to_owned(),)));
        for txid in txids.lines() {
            let tx = self.get::<DevTx>(&(txid.to_owned(),))?;
            self.put(DevTx { block: Some(chain.height), ..tx });
        }
        if !txids.is_empty() {
            chain.wanted = chain.height + S::Vault::CONFIRMATIONS - 1;
        }
        // The previous branch may have a row at this height.
        self.find::<DevBlock>(&(chain.height,))?;
        self.put(DevBlockName { hash: chain.tip.clone(), height: chain.height });
        self.put(DevBlock { height: chain.height, hash: chain.tip.clone(), made_at: self.cx.now, txids });
        chain.next_block_at = None;
        self.wake(&mut chain);
        self.put(chain);
        Ok(())
    }

    /// Takes back the newest block; its transactions wait again.
    fn unmine(&mut self) -> Result<(), S::Stop> {
        let mut chain = self.chain()?;
        let block = self.get::<DevBlock>(&(chain.height,))?;
        self.want::<DevTx>(block.txids.lines().map(|txid| (txid.to_owned(),)));
        for txid in block.txids.lines() {
            let tx = self.get::<DevTx>(&(txid.to_owned(),))?;
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

    /// Removes a waiting transaction for good, with every transaction that spends its outputs.
    fn kill(&mut self, txid: &str) -> Result<Transaction, S::Stop> {
        let (mut doomed, mut first) = (vec![txid.to_owned()], None);
        while let Some(txid) = doomed.pop() {
            let tx = self.get::<DevTx>(&(txid.clone(),))?;
            if tx.dead {
                continue;
            }
            let transaction = read(&tx)?;
            for vout in (0..).take(transaction.outputs.len()) {
                let coin = self.get::<DevCoin>(&(txid.clone(), vout))?;
                match &coin.spent_by {
                    Some(by) => doomed.push(by.clone()),
                    None => {
                        let own = coin.txid.clone();
                        self.spend(coin, &own)?;
                    }
                }
            }
            for input in &transaction.inputs {
                let coin = self.get::<DevCoin>(&(input.txid.clone(), input.vout))?;
                let made_by = self.find::<DevTx>(&(input.txid.clone(),))?;
                if made_by.is_none_or(|made_by| made_by.dead) {
                    continue; // an output of a dead transaction stays spent
                }
                let mut purse = self.purse(&coin.address, &coin.asset)?;
                purse.take_in(coin.value, &coin.txid, coin.vout);
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
        first.ok_or(Refused::NotPayable.into())
    }
}

impl<S: ChainTables> View<'_, '_, S> {
    /// Replaces a waiting transaction by one that returns its money to the payer.
    fn double_spend(&mut self, txid: &str) -> Result<(), S::Stop> {
        let waits = self.find::<DevTx>(&(txid.to_owned(),))?.is_some_and(|tx| tx.block.is_none() && !tx.dead);
        if !waits {
            return Err(Refused::NotPayable.into());
        }
        let dead = self.kill(txid)?;
        let mut coins = Vec::new();
        for input in &dead.inputs {
            coins.extend(self.find::<DevCoin>(&(input.txid.clone(), input.vout))?);
        }
        let back: Result<_, Halt> = (coins.iter())
            .map(|coin| Ok(output(&coin.address, &coin.asset, amount::<S>(coin.value)?, None)))
            .collect();
        let back = back?;
        self.transact(coins, back)?;
        Ok(())
    }
}

fn read(tx: &DevTx) -> Result<Transaction, Halt> {
    let raw = serde_json::from_str(&tx.raw).ok().and_then(|raw| Transaction::from_json(&raw, "").ok());
    raw.ok_or(Halt::Damaged { table: DevTx::TABLE.name })
}

fn output(to: &str, asset: &str, value: Amount<'static>, data: Option<&str>) -> TxOut {
    let data = data.map(|data| data.as_bytes().to_vec()).into_iter().collect();
    TxOut { addresses: vec![to.to_owned()], asset: asset.to_owned(), value, data }
}

/// Issues new money to an address.
#[derive(Debug)]
pub struct DevIssue {
    /// The address of the receiver.
    pub to: String,
    /// The asset.
    pub asset: String,
    /// The amount.
    pub amount: Amount<'static>,
}

impl<S: ChainTables> Command<S> for DevIssue {
    type Outcome = String;
    fn apply(&self, rows: &Rows<S>, cx: &Context<'_, S>, out: &mut Changes<S>) -> Result<String, S::Stop> {
        let outputs = vec![output(&self.to, &self.asset, self.amount.clone(), None)];
        whole(rows, cx, out, |view| view.transact(Vec::new(), outputs))
    }
}

/// A payment on the chain; the change goes back to the payer.
#[derive(Debug, Clone)]
pub struct DevPay {
    /// The address of the payer.
    pub from: String,
    /// The address of the receiver.
    pub to: String,
    /// The asset.
    pub asset: String,
    /// The amount.
    pub amount: Amount<'static>,
    /// The data of the output: the orderId.
    pub data: String,
}

impl<S: ChainTables> Command<S> for DevPay {
    type Outcome = String;
    fn apply(&self, rows: &Rows<S>, cx: &Context<'_, S>, out: &mut Changes<S>) -> Result<String, S::Stop> {
        let wanted = self.amount.units(S::Vault::DECIMALS).ok().filter(|units| *units > Units::ZERO);
        let wanted = wanted.ok_or(Refused::NotPayable)?;
        whole(rows, cx, out, |view| {
            let (coins, over) = view.coins_for(&self.from, &self.asset, wanted)?;
            let mut outputs = vec![output(&self.to, &self.asset, self.amount.clone(), Some(&self.data))];
            if over > Units::ZERO {
                outputs.push(output(&self.from, &self.asset, amount::<S>(over)?, None));
            }
            view.transact(coins, outputs)
        })
    }
}

/// Makes a block if one is due; returns whether it made one.
#[derive(Debug)]
pub struct DevTick;

impl<S: ChainTables> Command<S> for DevTick {
    type Outcome = bool;
    fn apply(&self, rows: &Rows<S>, cx: &Context<'_, S>, out: &mut Changes<S>) -> Result<bool, S::Stop> {
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
    /// The number of blocks, at most 1,000.
    pub blocks: u64,
}

impl<S: ChainTables> Command<S> for DevMine {
    type Outcome = Tip;
    fn apply(&self, rows: &Rows<S>, cx: &Context<'_, S>, out: &mut Changes<S>) -> Result<Tip, S::Stop> {
        if self.blocks > MAX_BLOCKS {
            return Err(Refused::NotPayable.into());
        }
        whole(rows, cx, out, |view| {
            for _ in 0..self.blocks {
                view.mine(true)?;
            }
            Ok(view.chain()?.end())
        })
    }
}

/// Takes back blocks and makes one more block on another branch. The new blocks are empty; the transactions wait again.
#[derive(Debug)]
pub struct DevReorg {
    /// The number of blocks, at most 1,000.
    pub depth: u64,
    /// Transactions to double-spend: others replace them and return the money to the payer. The command is refused if
    /// one of them still has its block, or is unknown.
    pub double_spend: Vec<String>,
}

impl<S: ChainTables> Command<S> for DevReorg {
    type Outcome = Tip;
    fn apply(&self, rows: &Rows<S>, cx: &Context<'_, S>, out: &mut Changes<S>) -> Result<Tip, S::Stop> {
        if self.depth > MAX_BLOCKS {
            return Err(Refused::NotPayable.into());
        }
        whole(rows, cx, out, |view| {
            let height = view.chain()?.height;
            let depth = self.depth.min(height);
            view.want::<DevBlock>((height.saturating_sub(depth)..=height + 1).map(|height| (height,)));
            for _ in 0..depth {
                view.unmine()?;
            }
            for txid in &self.double_spend {
                view.double_spend(txid)?;
            }
            for _ in 0..=depth {
                view.mine(false)?;
            }
            Ok(view.chain()?.end())
        })
    }
}

/// A new address.
#[derive(Debug)]
pub struct DevNewAddress;

impl<S: ChainTables> Command<S> for DevNewAddress {
    type Outcome = String;
    fn apply(&self, rows: &Rows<S>, cx: &Context<'_, S>, out: &mut Changes<S>) -> Result<String, S::Stop> {
        let address = cx.vault.new_address(cx.ids.next());
        // A changed row makes the batch commit the number: no address is given twice.
        let key = (address.clone(), String::new());
        rows.find::<DevPurse>(&key)?;
        out.put(DevPurse { address: address.clone(), asset: String::new(), coins: String::new() });
        Ok(address)
    }
}

/// The newest block.
#[derive(Debug)]
pub struct DevTip;

impl<S: ChainTables> Query<S> for DevTip {
    type Answer = Tip;
    fn read(&self, rows: &Rows<S>, _: &Context<'_, S>) -> Result<Tip, S::Stop> {
        Ok(chain(rows)?.end())
    }
}

/// The time of the next block; `None` while nothing waits for one.
#[derive(Debug)]
pub struct DevNextBlock;

impl<S: ChainTables> Query<S> for DevNextBlock {
    type Answer = Option<UnixTime>;
    fn read(&self, rows: &Rows<S>, _: &Context<'_, S>) -> Result<Self::Answer, S::Stop> {
        Ok(chain(rows)?.next_block_at)
    }
}

/// A transaction, with its confirmations.
#[derive(Debug)]
pub struct DevTransaction(pub String);

impl<S: ChainTables> Query<S> for DevTransaction {
    type Answer = Option<Transaction>;
    fn read(&self, rows: &Rows<S>, _: &Context<'_, S>) -> Result<Self::Answer, S::Stop> {
        let Some(tx) = rows.find::<DevTx>(&(self.0.clone(),))? else { return Ok(None) };
        let mut transaction = read(tx)?;
        if let Some(height) = tx.block {
            let chain = chain(rows)?;
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

/// A block of the current chain, by its hash.
#[derive(Debug)]
pub struct DevBlockOf(pub String);

impl<S: ChainTables> Query<S> for DevBlockOf {
    type Answer = Option<(Block, UnixTime)>;
    fn read(&self, rows: &Rows<S>, _: &Context<'_, S>) -> Result<Self::Answer, S::Stop> {
        let Some(name) = rows.find::<DevBlockName>(&(self.0.clone(),))? else { return Ok(None) };
        let block = rows.find::<DevBlock>(&(name.height,))?.filter(|block| block.hash == self.0);
        Ok(block.map(|block| {
            let txids = block.txids.lines().map(str::to_owned).collect();
            (Block { hash: block.hash.clone(), height: block.height, txids }, block.made_at)
        }))
    }
}

/// The hash of the block at a height.
#[derive(Debug)]
pub struct DevBlockAt(pub u64);

impl<S: ChainTables> Query<S> for DevBlockAt {
    type Answer = Option<String>;
    fn read(&self, rows: &Rows<S>, _: &Context<'_, S>) -> Result<Self::Answer, S::Stop> {
        let block = rows.find::<DevBlock>(&(self.0,))?.filter(|block| block.height > 0);
        let height = chain(rows)?.height;
        Ok(block.filter(|block| block.height <= height).map(|block| block.hash.clone()))
    }
}

/// The balance of an address in an asset, including transactions that still wait for a block.
#[derive(Debug)]
pub struct DevBalance {
    /// The address.
    pub address: String,
    /// The asset.
    pub asset: String,
}

impl<S: ChainTables> Query<S> for DevBalance {
    type Answer = Amount<'static>;
    fn read(&self, rows: &Rows<S>, _: &Context<'_, S>) -> Result<Self::Answer, S::Stop> {
        let purse = rows.find::<DevPurse>(&(self.address.clone(), self.asset.clone()))?;
        Ok(amount::<S>(purse.map_or(Ok(Units::ZERO), DevPurse::balance)?)?)
    }
}
