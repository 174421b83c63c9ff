//! The endpoints of the embedded chain: a node's JSON-RPC, so that an integrator can follow the document's section
//! 2.1; and blocks, reorganisations and payments on demand.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use wallet_api::vas;
use wallet_chain::embedded::{
    DevBlockAt, DevBlockOf, DevMine, DevNewAddress, DevPay, DevReorg, DevTip, DevTransaction,
};
use wallet_chain::rpc::{
    Call, Credentials, ErrorObject, INVALID_PARAMETER, INVALID_REQUEST, METHOD_NOT_FOUND, MISC_ERROR,
    NOT_FOUND, PARSE_ERROR, Tip,
};
use wallet_core::Secret;
use wallet_platform::{Failure, Vault};
use wallet_server::Store;

use crate::state::{Sent, Shared, failed};

/// The path of the JSON-RPC.
pub(crate) const RPC_PATH: &str = "/chain/rpc";
/// The user name of the JSON-RPC.
pub(crate) const RPC_USER: &str = "demo";

/// The credentials of the JSON-RPC. The password is derived from the database's keys.
pub(crate) fn credentials(vault: &Vault) -> Credentials {
    let password = wallet_core::crypto::hex_text(vault.hash("rpc password").as_bytes());
    Credentials { user: RPC_USER.to_owned(), password: Secret::new(password) }
}

fn refusal(code: i64, message: impl Into<String>) -> ErrorObject {
    ErrorObject { code, message: message.into() }
}

impl Shared {
    /// Waits at most 10 s until the events of a changed chain are processed, callbacks included.
    pub(crate) async fn settle(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        if let Err(error) = self.server.drain(until).await {
            tracing::warn!(%error, "the chain was changed, but its events are not processed yet");
        }
    }
}

/// JSON-RPC over HTTP Basic. The content type is not checked.
pub(crate) async fn rpc(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    if !credentials(shared.store.vault()).admit(&headers) {
        let mut response =
            (StatusCode::UNAUTHORIZED, "HTTP Basic with rpc_user and rpc_password of /sandbox\n")
                .into_response();
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"chain\""));
        return response;
    }
    let requests = match serde_json::from_slice::<Value>(&body) {
        Ok(requests) => requests,
        Err(error) => {
            let none = Call { id: Some(Value::Null), method: String::new(), params: Vec::new(), is_2: false };
            let (status, reply) = replied(&none, Err(refusal(PARSE_ERROR, format!("not JSON: {error}"))));
            return (status, Json(reply)).into_response();
        }
    };
    match requests {
        Value::Array(batch) if !batch.is_empty() => {
            let mut replies = Vec::new();
            for request in batch.iter().take(BATCH) {
                replies.extend(called(&shared.store, request).await.1);
            }
            if batch.len() > BATCH {
                let said = format!("a batch has at most {BATCH} requests");
                return (StatusCode::BAD_REQUEST, said).into_response();
            }
            match replies.is_empty() {
                true => StatusCode::NO_CONTENT.into_response(),
                false => Json(replies).into_response(),
            }
        }
        request => match called(&shared.store, &request).await {
            (status, Some(reply)) => (status, Json(reply)).into_response(),
            (_, None) => StatusCode::NO_CONTENT.into_response(),
        },
    }
}

/// The most requests of a batch.
const BATCH: usize = 1_000;

/// Runs a request.
async fn called(store: &Store, request: &Value) -> (StatusCode, Option<Value>) {
    match Call::read(request, names) {
        Ok(call) => replied(&call, answer(store, &call).await),
        Err(refused) => {
            let (call, refusal) = *refused;
            replied(&call, Err(refusal))
        }
    }
}

/// A reply with the HTTP status of a node; JSON-RPC 2.0 knows none.
fn replied(call: &Call, result: Result<Value, ErrorObject>) -> (StatusCode, Option<Value>) {
    let status = match &result {
        Ok(_) => StatusCode::OK,
        Err(_) if call.is_2 => StatusCode::OK,
        Err(refusal) if refusal.code == METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        Err(refusal) if refusal.code == INVALID_REQUEST => StatusCode::BAD_REQUEST,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, call.reply(result))
}

/// The names of a method's parameters, as Bitcoin Core has them.
fn names(method: &str) -> &'static [&'static str] {
    match method {
        "getrawtransaction" => &["txid", "verbose", "blockhash"],
        "getblock" => &["blockhash", "verbosity"],
        "getblockhash" => &["height"],
        "validateaddress" => &["address"],
        _ => &[],
    }
}

async fn answer(store: &Store, call: &Call) -> Result<Value, ErrorObject> {
    let internal = |failure: Failure| refusal(MISC_ERROR, failure.to_string());
    let text = |at: usize, what: &str| {
        let given = call.params.get(at).and_then(Value::as_str).map(str::to_owned);
        given.ok_or_else(|| {
            refusal(
                INVALID_PARAMETER,
                format!("{}: parameter {} must be the {what} as a string", call.method, at + 1),
            )
        })
    };
    match call.method.as_str() {
        "getrawtransaction" => {
            let txid = text(0, "txid")?;
            match call.params.get(1) {
                Some(Value::Bool(true)) => {}
                Some(Value::Number(verbose)) if verbose.as_u64().is_some_and(|verbose| verbose > 0) => {}
                _ => {
                    let said = "this chain returns decoded transactions only: give 4 as the second parameter";
                    return Err(refusal(INVALID_PARAMETER, said));
                }
            }
            let found = store.view(DevTransaction(txid)).await.map_err(internal)?;
            let missing = || refusal(NOT_FOUND, "No such mempool or blockchain transaction");
            Ok(found.ok_or_else(missing)?.to_json())
        }
        "getblockchaininfo" => {
            let Tip { height, hash } = store.view(DevTip).await.map_err(internal)?;
            Ok(json!({"chain": "dev", "blocks": height, "headers": height, "bestblockhash": hash}))
        }
        "getblockcount" => store.view(DevTip).await.map(|tip| tip.height.into()).map_err(internal),
        "getbestblockhash" => store.view(DevTip).await.map(|tip| tip.hash.into()).map_err(internal),
        "getblockhash" => {
            let Some(height) = call.params.first().and_then(Value::as_u64) else {
                let said = "getblockhash: parameter 1 must be the height as a number";
                return Err(refusal(INVALID_PARAMETER, said));
            };
            let hash = store.view(DevBlockAt(height)).await.map_err(internal)?;
            hash.map(Value::String).ok_or_else(|| refusal(INVALID_PARAMETER, "Block height out of range"))
        }
        "getblock" => {
            let missing = || refusal(NOT_FOUND, "Block not found");
            let hash = match call.params.first().and_then(Value::as_u64) {
                Some(height) => {
                    store.view(DevBlockAt(height)).await.map_err(internal)?.ok_or_else(missing)?
                }
                None => text(0, "block\'s hash")?,
            };
            let found = store.view(DevBlockOf(hash)).await.map_err(internal)?;
            let (block, made_at) = found.ok_or_else(missing)?;
            let tip = store.view(DevTip).await.map_err(internal)?;
            Ok(json!({
                "hash": block.hash,
                "height": block.height,
                "confirmations": tip.height.saturating_sub(block.height) + 1,
                "time": made_at.secs(),
                "tx": block.txids,
            }))
        }
        "validateaddress" => {
            let address = text(0, "address")?;
            Ok(json!({"isvalid": store.vault().is_address(&address), "address": address}))
        }
        "getnewaddress" => store.submit(DevNewAddress).await.map(Value::String).map_err(internal),
        other => {
            let known = "getrawtransaction, getblockchaininfo, getblockcount, getbestblockhash, getblockhash, \
                         getblock, validateaddress, getnewaddress";
            Err(refusal(METHOD_NOT_FOUND, format!("unknown method {other}; this chain has {known}")))
        }
    }
}

#[derive(Serialize)]
struct Ended {
    height: u64,
    hash: String,
}

fn ended(tip: Result<Tip, Failure>) -> Response {
    match tip {
        Ok(Tip { height, hash }) => Json(Ended { height, hash }).into_response(),
        Err(Failure::Refused(_)) => {
            let why = "at most 1,000 blocks at a time; a double-spent transaction must be unconfirmed: give a depth \
                       that removes its block\n";
            (StatusCode::BAD_REQUEST, why).into_response()
        }
        Err(failure) => failed(&failure),
    }
}

#[derive(Deserialize)]
pub(crate) struct Mine {
    #[serde(default = "one")]
    blocks: u64,
}

fn one() -> u64 {
    1
}

/// Makes blocks now.
pub(crate) async fn mine(State(shared): State<Shared>, Sent(Mine { blocks }): Sent<Mine>) -> Response {
    let tip = shared.store.submit(DevMine { blocks }).await;
    shared.settle().await;
    ended(tip)
}

#[derive(Deserialize)]
pub(crate) struct Reorg {
    #[serde(default = "one")]
    depth: u64,
    double_spend: Option<String>,
}

/// Removes blocks and makes one more on another branch. `double_spend` is the txid of a transaction to double-spend.
pub(crate) async fn reorg(State(shared): State<Shared>, Sent(reorg): Sent<Reorg>) -> Response {
    let double_spend = reorg.double_spend.into_iter().collect();
    let tip = shared.store.submit(DevReorg { depth: reorg.depth, double_spend }).await;
    shared.settle().await;
    ended(tip)
}

#[derive(Deserialize)]
pub(crate) struct Pay {
    from: String,
    to: String,
    asset: String,
    amount: String,
    #[serde(default)]
    data: String,
}

#[derive(Serialize)]
struct Paid {
    txid: String,
}

/// A payment as a user's own wallet would broadcast it: any amount, any receiver, any data.
pub(crate) async fn pay(State(shared): State<Shared>, Sent(pay): Sent<Pay>) -> Response {
    let Ok(amount) = pay.amount.parse() else {
        return (StatusCode::BAD_REQUEST, "amount must be a decimal number such as 1.5\n").into_response();
    };
    let Pay { from, to, asset, data, .. } = pay;
    match shared.store.submit(DevPay { from, to, asset, amount, data }).await {
        Ok(txid) => {
            shared.server.watcher().wake();
            Json(Paid { txid }).into_response()
        }
        Err(Failure::Refused(no)) if no.reason == vas::Refusal::InsufficientBalance => {
            (StatusCode::BAD_REQUEST, "cannot pay: the balance of from is less than amount\n").into_response()
        }
        Err(Failure::Refused(_)) => {
            (StatusCode::BAD_REQUEST, "amount must be above 0, with at most 8 decimals\n").into_response()
        }
        Err(failure) => failed(&failure),
    }
}
