//! Requests a second and latencies over keep-alive connections, beside a bare hyper reply of the same size. Server and load
//! share this machine's cores, so the figures compare; they do not say what a server alone can do. Rounds are interleaved.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use wallet_api::fomo::{
    CoinId, ServerUri, confirm_pay, get_active_coins, get_user_info, login, pre_pay, token,
};
use wallet_benches::{Figure, report};
use wallet_core::{EncodeCx, Endpoint as _, OutgoingRequest, Signer, UnixTime};
use wallet_crypto::Portable;
use wallet_platform::Authorize;
use wallet_sandbox::{DescribedFomo, Sandbox, SandboxOptions};

const CONNECTIONS: usize = 32;
const EACH: usize = 60;
const ROUNDS: usize = 5;

type Sender = SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.expect("connected");
    stream.set_nodelay(true).expect("no delay");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    sender
}

async fn send(sender: &mut Sender, request: Request<Vec<u8>>) -> Bytes {
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    let host = request.uri().authority().map(|authority| authority.to_string()).unwrap_or_default();
    request.headers_mut().insert("host", host.parse().expect("a host"));
    let response = sender.send_request(request).await.expect("answered");
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body().collect().await.expect("a body").to_bytes()
}

fn encode(
    fomo: &DescribedFomo,
    bearer: Option<&str>,
    request: &impl OutgoingRequest,
    now: UnixTime,
) -> Request<Vec<u8>> {
    let crypto = Portable::new();
    let signer = Some(Signer::secret(&crypto, &fomo.client_secret, now));
    let cx = EncodeCx { base_url: &fomo.base_url, format: Default::default(), bearer, signer };
    request.encode(&cx).expect("encoded")
}

/// Requests that one connection sends, one after the other; a pair is timed as one.
type Script = Vec<Box<dyn Fn(&Bytes) -> Option<Request<Vec<u8>>> + Send>>;

/// Sends scripts over their connections at once; the time of each and of all.
async fn load(senders: &mut [Sender], scripts: Vec<Vec<Script>>) -> (f64, Vec<f64>) {
    let began = Instant::now();
    let mut running = Vec::new();
    for (sender, scripts) in senders.iter_mut().zip(scripts) {
        running.push(async move {
            let mut took = Vec::with_capacity(scripts.len());
            for script in scripts {
                let one = Instant::now();
                let mut reply = Bytes::new();
                for step in script {
                    if let Some(request) = step(&reply) {
                        reply = send(sender, request).await;
                    }
                }
                took.push(one.elapsed().as_micros() as f64);
            }
            took
        });
    }
    let took: Vec<f64> = join(running).await.into_iter().flatten().collect();
    (took.len() as f64 / began.elapsed().as_secs_f64(), took)
}

async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut all = true;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(done) => *output = Some(done),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

/// A server that answers everything with the same bytes: what hyper alone costs.
async fn bare(body: Bytes) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("no delay");
            let body = body.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let body = body.clone();
                async move {
                    request.into_body().collect().await?;
                    Ok::<_, hyper::Error>(http::Response::new(Full::new(body)))
                }
            });
            tokio::spawn(wallet_hyper::serve_connection(
                TokioIo::new(stream),
                service,
                TokioTimer::new(),
                std::future::pending(),
            ));
        }
    });
    address
}

fn main() {
    let serving = Runtime::new().expect("a runtime");
    let sandbox = serving
        .block_on(Sandbox::start(SandboxOptions { pre_pays_per_second: None, ..SandboxOptions::default() }))
        .expect("a sandbox");
    let fomo = Arc::new(sandbox.described().fomo.clone());
    let alice = sandbox.described().users[0].clone();
    let address: SocketAddr =
        sandbox.described().url.trim_start_matches("http://").parse().expect("an address");
    let (store, clock) = (sandbox.server().store().clone(), sandbox.server().store().clock().clone());
    let loading = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let now = move || clock.now();

    // A session, a token, and what get_active_coins says: its size is the bare server's.
    let (session, coins) = loading.block_on(async {
        let mut sender = connect(address).await;
        let request = login::Request::new(alice.login_name.as_str().into(), alice.pwd.as_str().into());
        let reply = send(&mut sender, encode(&fomo, None, &request, now())).await;
        let reply = http::Response::new(reply);
        let session = login::Request::decode_response(&reply).expect("signed in").session_key;
        let coins = send(&mut sender, encode(&fomo, None, &get_active_coins::Request::new(), now())).await;
        (session, coins)
    });
    let bare_address = serving.block_on(bare(coins));
    let code = |session: &str| {
        let vault = store.vault();
        let command = Authorize {
            session: vault.hash(session),
            client_id: fomo.client_id.clone().into(),
            redirect_uri: fomo.redirect_uri.clone().into(),
            state: "s".into(),
            authorized: "yes".into(),
            challenge: None,
            scope: String::new(),
            seed: vault.seed(),
        };
        loading.block_on(store.submit(command)).expect("granted").text.expose().clone()
    };
    let exchange = |code: String| {
        token::Request::new(
            code.into(),
            fomo.client_id.clone().into(),
            fomo.client_secret.clone().into(),
            fomo.redirect_uri.clone().into(),
        )
    };
    let access = {
        let request = exchange(code(session.as_str()));
        let reply = loading.block_on(async {
            let mut sender = connect(address).await;
            send(&mut sender, encode(&fomo, None, &request, now())).await
        });
        token::Request::decode_response(&http::Response::new(reply)).expect("tokens").access_token
    };
    let mut senders: Vec<Sender> = loading.block_on(async {
        let mut senders = Vec::new();
        for _ in 0..CONNECTIONS {
            senders.push(connect(address).await);
        }
        senders
    });
    let mut bare_senders: Vec<Sender> = loading.block_on(async {
        let mut senders = Vec::new();
        for _ in 0..CONNECTIONS {
            senders.push(connect(bare_address).await);
        }
        senders
    });

    let names =
        ["bare hyper reply", "get_active_coins", "get_user_info", "token exchange", "pre_pay + confirm_pay"];
    let mut rates: Vec<Vec<f64>> = names.iter().map(|_| Vec::new()).collect();
    let mut took: Vec<Vec<f64>> = names.iter().map(|_| Vec::new()).collect();
    let mut trades = 0_u64;
    for round in 0..=ROUNDS {
        for (at, name) in names.iter().enumerate() {
            let mut scripts: Vec<Vec<Script>> = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut mine: Vec<Script> = Vec::new();
                for _ in 0..EACH {
                    let once = |request: Request<Vec<u8>>| -> Script {
                        vec![Box::new(move |_| Some(request.clone()))]
                    };
                    mine.push(match at {
                        0 | 1 => once(encode(&fomo, None, &get_active_coins::Request::new(), now())),
                        2 => {
                            once(encode(&fomo, Some(access.as_str()), &get_user_info::Request::new(), now()))
                        }
                        3 => once(encode(&fomo, None, &exchange(code(session.as_str())), now())),
                        _ => {
                            trades += 1;
                            let trade_id = format!("load-{trades}");
                            // Nobody listens there; callbacks are refused at once.
                            let server_uri =
                                ServerUri::new("http://127.0.0.1:9/callback").expect("an address");
                            let request = pre_pay::Request::new(
                                trade_id.clone().into(),
                                "0.000001".parse().expect("an amount"),
                                CoinId::new(5),
                                fomo.client_id.clone().into(),
                                server_uri,
                                fomo.redirect_uri.clone().into(),
                                "s".into(),
                            );
                            let first = encode(&fomo, Some(access.as_str()), &request, now());
                            let (fomo, session, pwd) =
                                (fomo.clone(), session.clone(), alice.wallet_pwd.clone());
                            let at = now();
                            vec![
                                Box::new(move |_| Some(first.clone())),
                                Box::new(move |reply| {
                                    let reply = http::Response::new(reply.clone());
                                    let made = pre_pay::Request::decode_response(&reply).expect("made");
                                    let request = confirm_pay::Request::new(
                                        trade_id.clone().into(),
                                        made.transfer_id,
                                        pwd.clone().into(),
                                        session.clone(),
                                    );
                                    Some(encode(&fomo, None, &request, at))
                                }),
                            ]
                        }
                    });
                }
                scripts.push(mine);
            }
            let senders = if at == 0 { &mut bare_senders } else { &mut senders };
            let (rate, latencies) = loading.block_on(load(senders, scripts));
            if round > 0 {
                rates[at].push(rate);
                took[at].extend(latencies);
            }
            eprintln!("round {round} of {ROUNDS}: {name}: {rate:.0}/s");
        }
    }
    let mut figures = Vec::new();
    for ((name, rates), mut took) in names.iter().zip(rates).zip(took) {
        took.sort_by(f64::total_cmp);
        let percentile = |part: usize| took[(took.len() - 1) * part / 100];
        let mut figure = Figure::of(*name, "requests/s", rates);
        figure.note =
            format!("p50 {:.0} µs, p99 {:.0} µs, {CONNECTIONS} connections", percentile(50), percentile(99));
        figures.push(figure);
    }
    assert_eq!(get_active_coins::Endpoint::META.path, "wallet/get_active_coins");
    report("server", &figures);
    drop((senders, bare_senders));
    serving.block_on(sandbox.stop());
}
