//! Transactions of a chain, as its node reports them, and whether one pays an order (R56).
//!
//! ```
//! use wallet_core::Amount;
//! use wallet_chain::{Expected, Transaction, Verdict, judge};
//!
//! let reply = r#"{"txid":"ab","confirmations":2,"vin":[{"txid":"cd","vout":0,"addresses":["Vpayer"]}],
//!   "vout":[{"n":0,"value":"1.50","assetType":"VAS","scriptPubKey":{"addresses":["Vshop"]},"data":["6f726465722d31"]}]}"#;
//! let transaction = Transaction::from_json(&serde_json::from_str(reply)?, "VAS")?;
//! let amount = Amount::parse("1.5")?;
//! let order = Expected { order_id: "order-1", to: "Vshop", asset: "VAS", amount: &amount, decimals: 8 };
//! assert_eq!(judge(&transaction, &order), Verdict::Pays { confirmations: 2 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use serde_json::{Map, Value, json};
use wallet_core::{Amount, Units, crypto};

/// An input of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxIn {
    /// The transaction that made the output.
    pub txid: String,
    /// The index of the output in its transaction.
    pub vout: u32,
    /// The addresses of the output that it spends. Empty if the node leaves them out: [`Node`](crate::rpc::Node) then looks the output up.
    pub addresses: Vec<String>,
}

/// An output of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxOut {
    /// The addresses that can spend it.
    pub addresses: Vec<String>,
    /// Its asset.
    pub asset: String,
    /// The amount, a decimal string (R56).
    pub value: Amount<'static>,
    /// The data of the output.
    pub data: Vec<Vec<u8>>,
}

/// A transaction as a node reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id.
    pub txid: String,
    /// Its inputs; empty if it issues money.
    pub inputs: Vec<TxIn>,
    /// Its outputs.
    pub outputs: Vec<TxOut>,
    /// The number of blocks from its own to the newest; 0 while it waits for one, negative if another transaction
    /// has spent the same outputs.
    pub confirmations: i64,
    /// The hash of its block.
    pub block: Option<String>,
}

/// A node's reply is not a transaction; holds the name of the wrong member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the node's reply has no usable `{}`", self.0)
    }
}

impl std::error::Error for Unreadable {}

fn list<'v>(of: &'v Value, name: &'static str) -> Result<&'v [Value], Unreadable> {
    match of.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(Unreadable(name)),
    }
}

fn texts(of: &Value, name: &'static str) -> Result<Vec<String>, Unreadable> {
    let texts = list(of, name)?.iter().map(|text| text.as_str().map(str::to_owned));
    texts.collect::<Option<_>>().ok_or(Unreadable(name))
}

fn text<'v>(of: &'v Value, name: &'static str) -> Result<&'v str, Unreadable> {
    of.get(name).and_then(Value::as_str).ok_or(Unreadable(name))
}

impl TxIn {
    fn from_json(reply: &Value) -> Result<Option<Self>, Unreadable> {
        if reply.get("coinbase").is_some() {
            return Ok(None);
        }
        let vout = reply.get("vout").and_then(Value::as_u64).and_then(|vout| u32::try_from(vout).ok());
        Ok(Some(Self {
            txid: text(reply, "txid")?.to_owned(),
            vout: vout.ok_or(Unreadable("vout"))?,
            addresses: texts(reply, "addresses")?,
        }))
    }
}

impl TxOut {
    fn from_json(reply: &Value, native: &str) -> Result<Self, Unreadable> {
        // R56: text. A JSON number is refused: its original decimal text is unknown.
        let value = Amount::parse(text(reply, "value")?.to_owned()).map_err(|_| Unreadable("value"))?;
        let asset = match reply.get("assetType") {
            None | Some(Value::Null) => native.to_owned(),
            Some(_) => text(reply, "assetType")?.to_owned(),
        };
        let script = reply.get("scriptPubKey").unwrap_or(&Value::Null);
        // The data of an output may have any type; only hexadecimal text can be an order's id.
        let data = reply.get("data").and_then(Value::as_array).into_iter().flatten();
        let data = data.filter_map(|data| crypto::from_hex(data.as_str()?));
        Ok(Self { addresses: texts(script, "addresses")?, asset, value, data: data.collect() })
    }
}

/// The data of an output that nothing can spend: what its script pushes after `OP_RETURN`.
fn pushed_after_return(script: &[u8]) -> Vec<Vec<u8>> {
    const OP_RETURN: u8 = 0x6a;
    let (mut pushed, mut rest) = (Vec::new(), script.strip_prefix(&[OP_RETURN]).unwrap_or_default());
    while let Some((opcode, after)) = rest.split_first() {
        // The length is the opcode itself, or one or two bytes after OP_PUSHDATA1 and OP_PUSHDATA2.
        let (length, after) = match (opcode, after) {
            (1..=75, after) => (usize::from(*opcode), after),
            (76, [length, after @ ..]) => (usize::from(*length), after),
            (77, [low, high, after @ ..]) => (usize::from(u16::from_le_bytes([*low, *high])), after),
            _ => break,
        };
        let Some((data, after)) = after.split_at_checked(length) else { break };
        pushed.push(data.to_vec());
        rest = after;
    }
    pushed
}

impl TxOut {
    /// An output as Bitcoin Core and its relatives report it.
    fn from_core_json(reply: &Value, native: &str) -> Result<Self, Unreadable> {
        // A JSON number, whose decimal text serde_json keeps. Text is refused: such a node never sends it.
        let value = reply.get("value").and_then(Value::as_number).ok_or(Unreadable("value"))?;
        let value = Amount::parse(value.as_str().to_owned()).map_err(|_| Unreadable("value"))?;
        let script = reply.get("scriptPubKey").ok_or(Unreadable("scriptPubKey"))?;
        // Since version 22 a script has one `address`; before, a list of them.
        let addresses = match script.get("address") {
            Some(_) => vec![text(script, "address")?.to_owned()],
            None => texts(script, "addresses")?,
        };
        let script = crypto::from_hex(text(script, "hex")?).ok_or(Unreadable("hex"))?;
        Ok(Self { addresses, asset: native.to_owned(), value, data: pushed_after_return(&script) })
    }
}

impl Transaction {
    /// Reads the result of `getrawtransaction "txid" true` of Bitcoin Core and its relatives: an amount is a JSON number, the
    /// order's id is the data after `OP_RETURN`, and every output is in the chain's own asset, `native`.
    ///
    /// # Errors
    /// [`Unreadable`] names the member.
    pub fn from_core_json(reply: &Value, native: &str) -> Result<Self, Unreadable> {
        Self::read(reply, |output| TxOut::from_core_json(output, native))
    }

    /// Reads the result of `getrawtransaction "txid" 4`. Other members are ignored. `native` is the
    /// asset of an output without an asset field: the chain's own.
    ///
    /// # Errors
    /// [`Unreadable`] names the member.
    pub fn from_json(reply: &Value, native: &str) -> Result<Self, Unreadable> {
        Self::read(reply, |output| TxOut::from_json(output, native))
    }

    fn read(reply: &Value, output: impl Fn(&Value) -> Result<TxOut, Unreadable>) -> Result<Self, Unreadable> {
        let inputs = list(reply, "vin")?.iter().filter_map(|input| TxIn::from_json(input).transpose());
        let outputs = list(reply, "vout")?.iter().map(output);
        let confirmations = match reply.get("confirmations") {
            None | Some(Value::Null) => 0,
            Some(number) => number.as_i64().ok_or(Unreadable("confirmations"))?,
        };
        Ok(Self {
            txid: text(reply, "txid")?.to_owned(),
            inputs: inputs.collect::<Result<_, _>>()?,
            outputs: outputs.collect::<Result<_, _>>()?,
            confirmations,
            block: reply.get("blockhash").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// As a node reports it: the result of `getrawtransaction "txid" 4`.
    pub fn to_json(&self) -> Value {
        let input =
            |input: &TxIn| json!({"txid": input.txid, "vout": input.vout, "addresses": input.addresses});
        let output = |(n, output): (usize, &TxOut)| {
            json!({
                "n": n,
                "value": output.value.as_str(),
                "assetType": output.asset,
                "scriptPubKey": {"type": "pubkeyhash", "addresses": output.addresses},
                "data": output.data.iter().map(|data| crypto::hex_text(data)).collect::<Vec<_>>(),
            })
        };
        let mut reply = Map::new();
        reply.insert("txid".to_owned(), self.txid.clone().into());
        reply.insert("vin".to_owned(), self.inputs.iter().map(input).collect());
        reply.insert("vout".to_owned(), self.outputs.iter().enumerate().map(output).collect());
        reply.insert("confirmations".to_owned(), self.confirmations.into());
        if let Some(block) = &self.block {
            reply.insert("blockhash".to_owned(), block.clone().into());
        }
        Value::Object(reply)
    }
}

/// The payment that an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The orderId: its UTF-8 bytes are the data of an output.
    pub order_id: &'a str,
    /// The address of the receiver.
    pub to: &'a str,
    /// The asset.
    pub asset: &'a str,
    /// The exact amount.
    pub amount: &'a Amount<'a>,
    /// The asset's decimals.
    pub decimals: u8,
}

/// Whether a transaction pays an order. Exhaustive: a caller must handle each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Verdict {
    /// It pays the order. The caller decides how many confirmations are enough.
    Pays {
        /// The number of confirmations.
        confirmations: u64,
    },
    /// Another transaction has spent the same money: this one will never count.
    DoubleSpent,
    /// No output carries the order's id.
    WrongOrder,
    /// The receiver pays itself.
    OwnAddress,
    /// No output pays the receiver.
    WrongReceiver,
    /// The receiver gets another asset.
    WrongAsset,
    /// The receiver gets less.
    Underpaid {
        /// The received amount.
        received: Units,
    },
    /// The receiver gets more.
    Overpaid {
        /// The received amount.
        received: Units,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pays { confirmations } => {
                write!(f, "it pays the order, with {confirmations} confirmations")
            }
            Self::DoubleSpent => f.write_str("another transaction has spent the same money"),
            Self::WrongOrder => f.write_str("it does not carry the order's id"),
            Self::OwnAddress => f.write_str("the receiver pays itself"),
            Self::WrongReceiver => f.write_str("it pays another receiver"),
            Self::WrongAsset => f.write_str("it pays in another asset"),
            Self::Underpaid { .. } => f.write_str("it pays less than the order's amount"),
            Self::Overpaid { .. } => f.write_str("it pays more than the order's amount"),
        }
    }
}

/// Judges whether a transaction pays an order. The payer's change goes to other addresses than the
/// receiver's and does not count; a transaction that spends the receiver's own money is no payment.
pub fn judge(transaction: &Transaction, order: &Expected<'_>) -> Verdict {
    let confirmations = match u64::try_from(transaction.confirmations) {
        Ok(confirmations) => confirmations,
        Err(_) => return Verdict::DoubleSpent,
    };
    let is_receiver = |addresses: &[String]| addresses.len() == 1 && addresses[0] == order.to;
    let outputs = &transaction.outputs;
    if !outputs.iter().flat_map(|output| &output.data).any(|data| data == order.order_id.as_bytes()) {
        return Verdict::WrongOrder;
    }
    if transaction.inputs.iter().any(|input| input.addresses.iter().any(|address| address == order.to)) {
        return Verdict::OwnAddress;
    }
    let mut received = outputs.iter().filter(|output| is_receiver(&output.addresses)).peekable();
    if received.peek().is_none() {
        return Verdict::WrongReceiver;
    }
    let mut received = received.filter(|output| output.asset == order.asset).peekable();
    if received.peek().is_none() {
        return Verdict::WrongAsset;
    }
    let sum =
        received.try_fold(Units::ZERO, |sum, output| sum.plus(output.value.units(order.decimals).ok()?).ok());
    match (sum, order.amount.units(order.decimals)) {
        (Some(received), Ok(wanted)) if received < wanted => Verdict::Underpaid { received },
        (Some(received), Ok(wanted)) if received > wanted => Verdict::Overpaid { received },
        (Some(_), Ok(_)) => Verdict::Pays { confirmations },
        // More decimals than the asset has: no amount of it.
        _ => Verdict::Underpaid { received: Units::ZERO },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paying(value: &str) -> Transaction {
        let output = |to: &str, value: &str, data: &[&str]| TxOut {
            addresses: vec![to.to_owned()],
            asset: "VAS".to_owned(),
            value: value.parse().unwrap(),
            data: data.iter().map(|text| text.as_bytes().to_vec()).collect(),
        };
        Transaction {
            txid: "t".to_owned(),
            inputs: vec![TxIn { txid: "s".to_owned(), vout: 1, addresses: vec!["payer".to_owned()] }],
            outputs: vec![output("shop", value, &["o-1"]), output("payer", "7", &[])],
            confirmations: 3,
            block: Some("b".to_owned()),
        }
    }

    fn verdict(transaction: &Transaction) -> Verdict {
        let amount = Amount::parse("1.5").unwrap();
        judge(
            transaction,
            &Expected { order_id: "o-1", to: "shop", asset: "VAS", amount: &amount, decimals: 8 },
        )
    }

    #[test]
    fn r56_only_the_exact_payment_pays() {
        let units = |text: &str| text.parse::<Amount<'_>>().unwrap().units(8).unwrap();
        assert_eq!(verdict(&paying("1.50")), Verdict::Pays { confirmations: 3 });
        assert_eq!(verdict(&paying("1.49")), Verdict::Underpaid { received: units("1.49") });
        assert_eq!(verdict(&paying("1.50000001")), Verdict::Overpaid { received: units("1.50000001") });
        // Change is ignored at any index; two outputs to the receiver are added.
        let mut turned = paying("1.5");
        turned.outputs.reverse();
        assert_eq!(verdict(&turned), Verdict::Pays { confirmations: 3 });
        let mut split = paying("1");
        split.outputs.push(TxOut { value: "0.5".parse().unwrap(), data: vec![], ..split.outputs[0].clone() });
        assert_eq!(verdict(&split), Verdict::Pays { confirmations: 3 });
        let mut other = paying("1.5");
        other.outputs[0].data = vec![b"o-2".to_vec(), b"o-1 ".to_vec()];
        assert_eq!(verdict(&other), Verdict::WrongOrder);
        let mut other = paying("1.5");
        other.outputs[0].asset = "L-F".to_owned();
        assert_eq!(verdict(&other), Verdict::WrongAsset);
        let mut other = paying("1.5");
        other.outputs[0].addresses = vec!["shop2".to_owned()];
        assert_eq!(verdict(&other), Verdict::WrongReceiver);
        // A co-owner of an output could take the money back.
        let mut other = paying("1.5");
        other.outputs[0].addresses.push("payer".to_owned());
        assert_eq!(verdict(&other), Verdict::WrongReceiver);
        let mut own = paying("1.5");
        own.inputs.push(TxIn { txid: "r".to_owned(), vout: 0, addresses: vec!["shop".to_owned()] });
        assert_eq!(verdict(&own), Verdict::OwnAddress);
        let mut gone = paying("1.5");
        gone.confirmations = -1;
        assert_eq!(verdict(&gone), Verdict::DoubleSpent);
        let mut fine = paying("1.500000001");
        fine.outputs[0].value = "1.500000001".parse().unwrap();
        assert_eq!(verdict(&fine), Verdict::Underpaid { received: Units::ZERO });
    }

    #[test]
    fn a_transaction_survives_out_and_in() {
        let transaction = paying("1.50");
        assert_eq!(Transaction::from_json(&transaction.to_json(), "x").unwrap(), transaction);
        // What another kind of node sends is not read as this kind's.
        assert_eq!(Transaction::from_core_json(&transaction.to_json(), "x"), Err(Unreadable("value")));
        let mut bare = transaction.to_json();
        bare["vout"][0]["value"] = serde_json::from_str("1.5").unwrap();
        assert_eq!(Transaction::from_json(&bare, "VAS"), Err(Unreadable("value")), "a number is no amount");
    }

    #[test]
    fn the_data_after_op_return_is_read_and_nothing_else() {
        let pushed = |hex: &str| pushed_after_return(&crypto::from_hex(hex).unwrap());
        assert_eq!(pushed("6a036f2d31"), [b"o-1"]);
        assert_eq!(pushed("6a4c036f2d31024142"), [&b"o-1"[..], b"AB"]);
        assert_eq!(pushed("6a4d03006f2d31"), [b"o-1"]);
        let longest = format!("6a4c50{}", "41".repeat(80));
        assert_eq!(pushed(&longest), [[b'A'; 80]]);
        // Another script, an empty one, a push that is longer than its script, an opcode that pushes nothing.
        for none in ["", "6a", "76a9036f2d3188ac", "6a046f2d31", "6a4c", "6a4d03", "6a51036f2d31"] {
            assert_eq!(pushed(none), Vec::<Vec<u8>>::new(), "{none}");
        }
    }
}
