//! A node's JSON-RPC over HTTP: requests and replies for client and server, and [`Node`], a client
//! over any [`Transport`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wallet_core::{Secret, Transport, crypto};

use crate::{Transaction, Unreadable};

/// No such method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The body is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The body is not a JSON-RPC request.
pub const INVALID_REQUEST: i64 = -32600;
/// A parameter is missing or has the wrong type or value.
pub const INVALID_PARAMETER: i64 = -8;
/// There is no such transaction or block.
pub const NOT_FOUND: i64 = -5;
/// Any other error.
pub const MISC_ERROR: i64 = -1;

/// A JSON-RPC request, as the node receives it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The request id; the reply repeats it. `None`: the request has none.
    pub id: Option<Value>,
    /// The name of the method.
    pub method: String,
    /// Its parameters, by position.
    pub params: Vec<Value>,
    /// Whether the request is of JSON-RPC 2.0; else it is of 1.0.
    pub is_2: bool,
}

impl Call {
    /// Reads a request. `names` are the names of a method's parameters, which may be given by name.
    ///
    /// # Errors
    /// The error, and the id and version of the request for its reply.
    pub fn read(
        json: &Value,
        names: impl Fn(&str) -> &'static [&'static str],
    ) -> Result<Self, Box<(Self, ErrorObject)>> {
        let is_2 = json.get("jsonrpc").and_then(Value::as_str) == Some("2.0");
        let id = json.get("id").cloned();
        let call = Self { id, method: String::new(), params: Vec::new(), is_2 };
        let refuse = |call: Self, message: &str| {
            Err(Box::new((call, ErrorObject { code: INVALID_REQUEST, message: message.to_owned() })))
        };
        let Some(method) = json.get("method").and_then(Value::as_str).map(str::to_owned) else {
            // Without a method nothing says that no reply is wanted.
            let id = call.id.clone().or(Some(Value::Null));
            let why =
                "a request is an object with a method: {\"method\": \"getblockchaininfo\", \"params\": []}";
            return refuse(Self { id, ..call }, why);
        };
        let params = match json.get("params") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(params)) => params.clone(),
            Some(Value::Object(named)) => {
                let known = names(&method);
                if let Some(unknown) = named.keys().find(|name| !known.contains(&name.as_str())) {
                    let why = format!("{method} has no parameter {unknown}");
                    return Err(Box::new((call, ErrorObject { code: INVALID_PARAMETER, message: why })));
                }
                let last = known.iter().rposition(|name| named.contains_key(*name)).map_or(0, |at| at + 1);
                known[..last].iter().map(|name| named.get(*name).cloned().unwrap_or_default()).collect()
            }
            Some(_) => return refuse(call, "params must be an array or an object"),
        };
        Ok(Self { method, params, ..call })
    }

    /// The reply; `None` to a request of JSON-RPC 2.0 without an id, which wants none.
    pub fn reply(&self, result: Result<Value, ErrorObject>) -> Option<Value> {
        let id = match (&self.id, self.is_2) {
            (Some(id), _) => id.clone(),
            (None, false) => Value::Null,
            (None, true) => return None,
        };
        Some(match (result, self.is_2) {
            (Ok(result), false) => json!({"result": result, "error": null, "id": id}),
            (Err(refusal), false) => json!({"result": null, "error": refusal, "id": id}),
            (Ok(result), true) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
            (Err(refusal), true) => json!({"jsonrpc": "2.0", "error": refusal, "id": id}),
        })
    }
}

/// The error object of a JSON-RPC reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// The error code, for example [`NOT_FOUND`].
    pub code: i64,
    /// The error message.
    pub message: String,
}

/// The credentials of a node: HTTP Basic.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
}

impl Credentials {
    /// The `Authorization` header.
    fn header(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password.expose())))
    }

    /// Whether the `Authorization` header holds these credentials; compares in constant time.
    pub fn admit(&self, headers: &http::HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).map_or(&b""[..], http::HeaderValue::as_bytes);
        // RFC 9110, 11.1: the name of the scheme has no case.
        let (scheme, given) = given.split_at(given.len().min("Basic ".len()));
        let header = self.header();
        scheme.eq_ignore_ascii_case(b"Basic ")
            && crypto::equal(given.trim_ascii(), &header.as_bytes()["Basic ".len()..])
    }
}

/// Why a JSON-RPC call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum RpcError<E> {
    /// The address or the credentials of the node cannot be sent in a request.
    Request,
    /// The transport failed: the request or the reply was lost.
    Transport(E),
    /// The node replied with HTTP 401 or 403: the user name or the password is wrong.
    Unauthorized,
    /// The node is not complete yet, so that what it lacks may exist.
    Incomplete,
    /// The node replied with an error object.
    Refused(ErrorObject),
    /// The reply is not JSON-RPC, or it lacks the member named here.
    UnexpectedReply(&'static str),
}

impl<E> fmt::Display for RpcError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => {
                f.write_str("the node's URL is invalid, or its credentials do not fit an HTTP header")
            }
            Self::Transport(_) => f.write_str("cannot reach the node, or its reply was lost"),
            Self::Unauthorized => {
                f.write_str("the node rejects the user name or the password (HTTP 401 or 403)")
            }
            Self::Incomplete => {
                f.write_str("the node still reads the chain, or has no index of transactions (-txindex)")
            }
            Self::Refused(refusal) => {
                write!(f, "the node refused with {}: {}", refusal.code, refusal.message)
            }
            Self::UnexpectedReply(what) => write!(f, "the node's reply has no usable `{what}`"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for RpcError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            _ => None,
        }
    }
}

impl<E> RpcError<E> {
    /// Whether the node itself replied, with an error or an unreadable result: other calls may still succeed.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::UnexpectedReply(_))
    }
}

impl<E> From<Unreadable> for RpcError<E> {
    fn from(Unreadable(what): Unreadable) -> Self {
        Self::UnexpectedReply(what)
    }
}

/// The newest block of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The number of its newest block.
    pub height: u64,
    /// That block's hash.
    pub hash: String,
}

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its hash.
    pub hash: String,
    /// Its number.
    pub height: u64,
    /// Its transactions.
    pub txids: Vec<String>,
}

/// The kind of a node: how it reports transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeKind {
    /// As section 2.1 of the document of VAS shows: amounts are text, and an output has an asset and data.
    Vas,
    /// Bitcoin Core or a relative, such as Litecoin Core: amounts are numbers, and the data of an output is in its script, after
    /// `OP_RETURN`. It must run with `-txindex`.
    Core,
}

impl NodeKind {
    /// The most bytes of an orderId that a transaction can carry; `None`: any.
    pub const fn data_limit(self) -> Option<usize> {
        match self {
            Self::Vas => None,
            // What such a node passes on to others (-datacarriersize), less the three bytes around it.
            Self::Core => Some(80),
        }
    }
}

/// The most inputs of a transaction: more than nodes pass on. An input without an address costs one more call.
const MAX_INPUTS: usize = 2_000;

/// A JSON-RPC client of a node, over any transport.
#[derive(Debug, Clone)]
pub struct Node<T> {
    transport: T,
    url: String,
    credentials: Credentials,
    native_asset: String,
    kind: NodeKind,
}

impl<T: Transport> Node<T> {
    /// A client of the node at `url`. `native_asset` is the asset of an output without an asset field.
    pub fn new(
        transport: T,
        url: impl Into<String>,
        credentials: Credentials,
        native_asset: impl Into<String>,
    ) -> Self {
        Self {
            transport,
            url: url.into(),
            credentials,
            native_asset: native_asset.into(),
            kind: NodeKind::Vas,
        }
    }

    /// The same for a node of another kind.
    #[must_use]
    pub fn of_kind(mut self, kind: NodeKind) -> Self {
        self.kind = kind;
        self
    }

    /// Whether the chain has an asset: Bitcoin Core and its relatives have one.
    pub fn has_asset(&self, asset: &str) -> bool {
        self.kind == NodeKind::Vas || asset == self.native_asset
    }

    /// The kind of the node.
    pub fn kind(&self) -> NodeKind {
        self.kind
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError<T::Error>> {
        let body = json!({"jsonrpc": "1.0", "id": method, "method": method, "params": params});
        let mut authorization =
            http::HeaderValue::try_from(self.credentials.header()).map_err(|_| RpcError::Request)?;
        authorization.set_sensitive(true);
        let request = http::Request::post(&self.url)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .map_err(|_| RpcError::Request)?;
        let response = self.transport.send(request).await.map_err(RpcError::Transport)?;
        if [401, 403].contains(&response.status().as_u16()) {
            return Err(RpcError::Unauthorized);
        }
        // Nodes send HTTP 500 with an error in the body.
        let mut reply: Value =
            serde_json::from_slice(response.body()).map_err(|_| RpcError::UnexpectedReply("result"))?;
        match reply.get("error") {
            None | Some(Value::Null) => {}
            Some(error) => {
                let refusal =
                    ErrorObject::deserialize(error).map_err(|_| RpcError::UnexpectedReply("error"))?;
                return Err(RpcError::Refused(refusal));
            }
        }
        match reply.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(RpcError::UnexpectedReply("result")),
        }
    }

    /// The newest block: `getblockchaininfo`.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn tip(&self) -> Result<Tip, RpcError<T::Error>> {
        let info = self.call("getblockchaininfo", json!([])).await?;
        let height = info["blocks"].as_u64().ok_or(RpcError::UnexpectedReply("blocks"))?;
        let hash = info["bestblockhash"].as_str().ok_or(RpcError::UnexpectedReply("bestblockhash"))?;
        Ok(Tip { height, hash: hash.to_owned() })
    }

    async fn raw_transaction(&self, txid: &str) -> Result<Option<Transaction>, RpcError<T::Error>> {
        let verbose = match self.kind {
            NodeKind::Vas => json!(4),
            NodeKind::Core => json!(true),
        };
        match self.call("getrawtransaction", json!([txid, verbose])).await {
            Ok(answer) => {
                let transaction = match self.kind {
                    NodeKind::Vas => Transaction::from_json(&answer, &self.native_asset)?,
                    NodeKind::Core => Transaction::from_core_json(&answer, &self.native_asset)?,
                };
                if transaction.txid != txid {
                    return Err(RpcError::UnexpectedReply("txid"));
                }
                Ok(Some(transaction))
            }
            Err(RpcError::Refused(refusal)) if refusal.code == NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A transaction, with the addresses of its inputs: `getrawtransaction "txid"`, verbose. `None` when the node has none.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn transaction(&self, txid: &str) -> Result<Option<Transaction>, RpcError<T::Error>> {
        let Some(mut transaction) = self.raw_transaction(txid).await? else {
            return if self.is_complete().await? { Ok(None) } else { Err(RpcError::Incomplete) };
        };
        if transaction.inputs.len() > MAX_INPUTS {
            return Err(RpcError::UnexpectedReply("vin"));
        }
        // The reply may lack the inputs' addresses: fetch the transactions whose outputs the inputs spend.
        for input in transaction.inputs.iter_mut().filter(|input| input.addresses.is_empty()) {
            let spent = self.raw_transaction(&input.txid).await?.ok_or(RpcError::UnexpectedReply("vin"))?;
            let output = spent.outputs.into_iter().nth(input.vout as usize);
            input.addresses = output.ok_or(RpcError::UnexpectedReply("vin"))?.addresses;
        }
        if self.kind == NodeKind::Core && self.is_double_spent(&transaction).await? {
            transaction.confirmations = -1;
        }
        Ok(Some(transaction))
    }

    /// Whether another transaction of the chain has spent an input. A node with `-txindex` goes on reporting a transaction of a
    /// block that a reorganisation has removed, with that block and without confirmations; one that waits has no block.
    async fn is_double_spent(&self, transaction: &Transaction) -> Result<bool, RpcError<T::Error>> {
        let is_removed =
            |transaction: &Transaction| transaction.confirmations == 0 && transaction.block.is_some();
        if !is_removed(transaction) {
            return Ok(false);
        }
        for input in &transaction.inputs {
            let unspent = self.call("gettxout", json!([input.txid, input.vout, false])).await?;
            if unspent.is_null() {
                // The output is spent, or the transaction that made it was removed with its block, too.
                let made = self.raw_transaction(&input.txid).await?;
                if made.is_none_or(|made| made.confirmations <= 0) {
                    continue;
                }
                // Meanwhile a new block may have spent it with this very transaction: then that block is reported.
                let again = self.raw_transaction(&transaction.txid).await?;
                return Ok(again.is_some_and(|again| is_removed(&again) && again.block == transaction.block));
            }
        }
        Ok(false)
    }

    /// Whether a transaction that the node does not report does not exist: it has read the chain, and indexes it.
    async fn is_complete(&self) -> Result<bool, RpcError<T::Error>> {
        if self.kind == NodeKind::Vas {
            return Ok(true);
        }
        let info = self.call("getblockchaininfo", json!([])).await?;
        let reads = info["initialblockdownload"].as_bool();
        let reads = reads.ok_or(RpcError::UnexpectedReply("initialblockdownload"))?;
        Ok(!reads && self.transaction_index().await? == Some(true))
    }

    /// Whether the node can report every transaction (`getindexinfo`): `None` if it runs without `-txindex`, `Some(false)` while
    /// it still builds that index. A node of the kind [`NodeKind::Vas`] always can.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn transaction_index(&self) -> Result<Option<bool>, RpcError<T::Error>> {
        if self.kind == NodeKind::Vas {
            return Ok(Some(true));
        }
        let indices = self.call("getindexinfo", json!(["txindex"])).await?;
        match indices.get("txindex") {
            None => Ok(None),
            Some(index) => {
                let synced = index["synced"].as_bool().ok_or(RpcError::UnexpectedReply("synced"))?;
                Ok(Some(synced))
            }
        }
    }

    /// A block: `getblock "hash"`. `None` when the node has none.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn block(&self, hash: &str) -> Result<Option<Block>, RpcError<T::Error>> {
        let answer = match self.call("getblock", json!([hash])).await {
            Ok(answer) => answer,
            Err(RpcError::Refused(refusal)) if refusal.code == NOT_FOUND => return Ok(None),
            Err(error) => return Err(error),
        };
        let height = answer["height"].as_u64().ok_or(RpcError::UnexpectedReply("height"))?;
        let txids = answer["tx"].as_array().ok_or(RpcError::UnexpectedReply("tx"))?;
        let txids = txids.iter().map(|txid| txid.as_str().map(str::to_owned)).collect::<Option<_>>();
        Ok(Some(Block {
            hash: hash.to_owned(),
            height,
            txids: txids.ok_or(RpcError::UnexpectedReply("tx"))?,
        }))
    }

    /// Whether `address` is a valid address of the chain, as the node itself writes it: `validateaddress`.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn is_address(&self, address: &str) -> Result<bool, RpcError<T::Error>> {
        let answer = self.call("validateaddress", json!([address])).await?;
        let is_valid = answer["isvalid"].as_bool().ok_or(RpcError::UnexpectedReply("isvalid"))?;
        // In transactions the node writes an address in one way; a payment to another spelling would not be recognised.
        Ok(is_valid && (self.kind == NodeKind::Vas || answer["address"] == address))
    }

    /// A fresh address of the node's wallet: `getnewaddress`.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn new_address(&self) -> Result<String, RpcError<T::Error>> {
        let answer = self.call("getnewaddress", json!([])).await?;
        answer.as_str().map(str::to_owned).ok_or(RpcError::UnexpectedReply("result"))
    }
}
