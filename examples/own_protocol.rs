//! A protocol of your own: gift cards. `own_protocol.toml` declares it; here are its table, its three commands, and a
//! server and a client over hyper. The store is SQLite: it commits before the server answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use wallet_core::{
    Amount, DecodeError, EncodeCx, Endpoint, Lang, OutgoingRequest, Platform as _, RefusalBody, RefusalMeta,
    Signer, Transport as _, Units, VerifyingKey, fault_body, refusal_body, success_body,
};
use wallet_crypto::Portable;
use wallet_engine::{Changes, Command, Context, Failure, Rows, StopWith, rows, schema};
use wallet_hyper::{HyperTransport, serve_connection};
use wallet_store::{Clock as _, Database, Migration, Options, Store, SystemClock};

mod api {
    /// Gift cards.
    #[derive(wallet_macros::WalletApi)]
    #[wallet(spec = "own_protocol.toml")]
    pub struct Cards;
}
use api::{AnyRequest, Cards, Refusal, close, issue, pay};

// ---- the table, and the SQL that makes it

rows! { in Shop;
    card: Card {
        key { code: String, }
        balance: Units,
    }
}

schema! {
    pub struct Shop;
    vault: ();
    stop: Stop;
    card: Card,
}

const TABLES: &[Migration] = &[Migration::new(
    "0001_cards",
    "CREATE TABLE card (code TEXT NOT NULL PRIMARY KEY, balance BLOB NOT NULL) STRICT, WITHOUT ROWID;",
    "CREATE TABLE \"card\" (\"code\" text COLLATE \"C\" PRIMARY KEY, \"balance\" numeric(39,0) NOT NULL);",
)];

// ---- the commands: each decides about one card, in cents

type Stop = StopWith<Refusal>;
type Cx<'a> = Context<'a, Shop>;

struct Issue(String, Amount<'static>);
struct Pay(String, Amount<'static>);
struct Close(String);

fn cents(amount: &Amount<'_>) -> Result<Units, Stop> {
    amount.units(2).map_err(|_| Stop::Refused(Refusal::Malformed))
}

fn balance(rows: &Rows<Shop>, code: &str) -> Result<Units, Stop> {
    Ok(rows.find::<Card>(&(code.to_owned(),))?.map_or(Units::ZERO, |card| card.balance))
}

impl Command<Shop> for Issue {
    type Outcome = Units;
    fn apply(&self, rows: &Rows<Shop>, _: &Cx<'_>, out: &mut Changes<Shop>) -> Result<Units, Stop> {
        let sum = balance(rows, &self.0)?.plus(cents(&self.1)?);
        let balance = sum.map_err(|_| Refusal::Malformed).map_err(Stop::Refused)?;
        out.put(Card { code: self.0.clone(), balance });
        Ok(balance)
    }
}

impl Command<Shop> for Pay {
    type Outcome = Units;
    fn apply(&self, rows: &Rows<Shop>, _: &Cx<'_>, out: &mut Changes<Shop>) -> Result<Units, Stop> {
        let left = balance(rows, &self.0)?.minus(cents(&self.1)?).ok().filter(|left| *left >= Units::ZERO);
        let balance = left.ok_or(Stop::Refused(Refusal::TooLittle))?;
        out.put(Card { code: self.0.clone(), balance });
        Ok(balance)
    }
}

impl Command<Shop> for Close {
    type Outcome = Units;
    fn apply(&self, rows: &Rows<Shop>, _: &Cx<'_>, out: &mut Changes<Shop>) -> Result<Units, Stop> {
        let card = rows.find::<Card>(&(self.0.clone(),))?.ok_or(Stop::Refused(Refusal::TooLittle))?;
        out.delete::<Card>(&(self.0.clone(),));
        Ok(card.balance)
    }
}

// ---- the server: one exhaustive match

fn refused<E: Endpoint>(refusal: &'static RefusalMeta) -> Vec<u8> {
    let body = RefusalBody::<()> { refusal, field: None, wait: None, data: None };
    refusal_body(E::META.envelope, Lang::En, &body)
}

async fn run<E: Endpoint, C>(
    store: &Store<Shop>,
    command: C,
    reply: fn(Amount<'static>) -> E::Response,
) -> Vec<u8>
where
    C: Command<Shop, Outcome = Units>,
{
    match store.submit(command).await.map(|units| units.to_amount(2)) {
        Ok(Ok(amount)) => success_body::<E>(Lang::En, &reply(amount)),
        Err(Failure::Refused(refusal)) => refused::<E>(refusal.meta()),
        Ok(Err(_)) | Err(Failure::Store(_)) => refused::<E>(E::META.faults.internal),
    }
}

async fn answer(store: &Store<Shop>, key: &str, request: &http::Request<Bytes>) -> Vec<u8> {
    let text = |card: api::Card<'_>| card.as_str().to_owned();
    match AnyRequest::decode(request) {
        Ok(AnyRequest::Issue(signed)) => {
            match signed.verify([VerifyingKey::Secret(&Portable::new(), key)], SystemClock.now()) {
                Ok(asked) => {
                    let command = Issue(text(asked.card), asked.amount.into_owned());
                    run::<issue::Endpoint, _>(store, command, |balance| issue::Response { balance }).await
                }
                Err(_) => refused::<issue::Endpoint>(Refusal::Forged.meta()),
            }
        }
        Ok(AnyRequest::Pay(asked)) => {
            let command = Pay(text(asked.card), asked.amount.into_owned());
            run::<pay::Endpoint, _>(store, command, |balance| pay::Response { balance }).await
        }
        Ok(AnyRequest::Close(asked)) => {
            let command = Close(text(asked.card));
            run::<close::Endpoint, _>(store, command, |balance| close::Response { balance }).await
        }
        Err(DecodeError::Bad { endpoint, fault }) => fault_body(endpoint, Lang::En, fault),
        Err(_) => b"there is nothing here\n".to_vec(),
    }
}

async fn serve(store: Store<Shop>, key: &'static str, listener: TcpListener) {
    while let Ok((connection, _)) = listener.accept().await {
        let store = store.clone();
        let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
            let store = store.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = Limited::new(body, 4096).collect().await.map(|body| body.to_bytes());
                let request = http::Request::from_parts(parts, body.unwrap_or_default());
                let reply = http::Response::new(Full::<Bytes>::from(answer(&store, key, &request).await));
                Ok::<_, Infallible>(reply)
            }
        });
        let (io, timer) = (TokioIo::new(connection), TokioTimer::new());
        tokio::spawn(serve_connection(io, service, timer, std::future::pending()));
    }
}

// ---- a client: the same types, the other way round

async fn ask<R: OutgoingRequest>(
    url: &str,
    key: &str,
    request: R,
) -> Result<<R::Endpoint as Endpoint>::Response, String> {
    let transport = HyperTransport::new(HttpConnector::new(), TokioExecutor::new(), TokioTimer::new());
    let crypto = Portable::new();
    let signer = Some(Signer::secret(&crypto, key, SystemClock.now()));
    let cx = EncodeCx { base_url: url, format: Default::default(), bearer: None, signer };
    let request = request.encode(&cx).map_err(|error| error.to_string())?;
    let reply = transport.send(request).await.map_err(|error| error.to_string())?;
    R::decode_response(&reply).map_err(|refused| format!("{refused:?}"))
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = Database::open(&directory.path().join("cards.db"), TABLES).expect("the database opens");
    let store = Store::start(database, (), Options::new(Arc::new(SystemClock))).expect("the store starts");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}{}", listener.local_addr().expect("an address"), Cards::META.base_path);
    tokio::spawn(serve(store, "the shop's key", listener));

    let issue = || issue::Request { card: "4711".into(), amount: "25.00".parse().expect("an amount") };
    println!("issued: {:?}", ask(&url, "the shop's key", issue()).await.expect("issued"));
    println!("forged: {}", ask(&url, "another key", issue()).await.expect_err("the shop did not sign it"));
    let pay = || pay::Request { card: "4711".into(), amount: "9.90".parse().expect("an amount") };
    for left in ["15.1", "5.2"] {
        let paid = ask(&url, "", pay()).await.expect("paid");
        assert_eq!(paid.balance, left.parse().expect("an amount"));
    }
    println!("and once more: {}", ask(&url, "", pay()).await.expect_err("it has 5.20"));
    println!("closed: {:?}", ask(&url, "", close::Request { card: "4711".into() }).await.expect("closed"));
}
