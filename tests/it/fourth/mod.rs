//! A fourth protocol, which is in this directory and nowhere else: its spec, how it answers what the platform refuses, and
//! its handler. The server is given it beside its own.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use tower_service::Service as _;
use wallet_core::{Lang, Platform as _, PlatformMeta, RefusalMeta};
use wallet_platform::{Balances, Login, PasswordKind, Reason, SessionUser, Who};
use wallet_server::pages::{SubmittedForm, View, form_again};
use wallet_server::reply::{self, Handled};
use wallet_server::{
    Answered, Context, Documents, FormMessage, FormPage, Later, Protocol, RegistrationForm, Server, Settings,
};
use wallet_tests::{TestStore, settings};

mod api {
    /// What a user has.
    #[derive(wallet_macros::WalletApi, Debug)]
    #[wallet(spec = "it/fourth/protocol.toml")]
    pub struct Tally;
}

use api::{AnyRequest, Line, Refusal, Tally, tally};

/// Exhaustive: a new reason of the platform does not compile until this protocol answers it.
fn answer(reason: Reason) -> &'static RefusalMeta {
    let refusal = match reason {
        Reason::Own(own) => return own,
        Reason::SessionUnknown | Reason::UserUnknown => Refusal::Nobody,
        Reason::Field => Refusal::Unreadable,
        Reason::Internal
        | Reason::Busy
        | Reason::NotAllowed
        | Reason::LoginNameInvalid
        | Reason::PasswordWrong
        | Reason::PaymentPasswordWrong
        | Reason::PaymentPasswordUnset
        | Reason::VerificationWrong
        | Reason::CoinUnknown
        | Reason::CoinInactive
        | Reason::InsufficientBalance
        | Reason::UserFrozen
        | Reason::AppSuspended
        | Reason::SecondFactorWrong => Refusal::Failed,
    };
    refusal.meta()
}

async fn tally(context: &Context, request: tally::Request<'_>) -> Handled<tally::Endpoint> {
    let store = context.store();
    let session = store.vault().hash(request.session_key.as_str());
    let user = store.submit(SessionUser(session)).await?;
    let balances = store.view(Balances(user.id)).await?;
    let line = |(coin, units): (wallet_platform::Coin, _)| {
        Ok(Line { amount: wallet_platform::fomo::wire::size(units, coin.decimals)?, coin: coin.name })
    };
    let lines: Result<Vec<_>, wallet_platform::Failure> = balances.into_iter().map(line).collect();
    Ok(tally::Response { user: user.name, lines: lines? })
}

/// This protocol registers no app: its form always has a fault.
async fn register(State(server): State<Server>, view: View, posted: SubmittedForm) -> Response {
    form_again(&server, &view, "tally", &[("tally_name", posted.text("tally_name"))], &["dull"])
}

struct Fourth;

impl Protocol for Fourth {
    fn meta(&self) -> &'static PlatformMeta {
        Tally::META
    }

    fn documents(&self) -> Option<&'static Documents> {
        const DOCUMENTS: Documents = Documents {
            guide: ["# 入门\n\n一次调用。", "# Begin\n\nOne call does it."],
            reference: ["# 参考", "# Reference\n\n## tally"],
            files: &[],
        };
        Some(&DOCUMENTS)
    }

    fn pages(&self) -> Router<Server> {
        Router::new().route("/apps/new/tally", post(register))
    }

    fn registration_form(&self, page: &FormPage<'_>) -> Option<RegistrationForm> {
        const FAULTS: &[FormMessage] = &[FormMessage {
            id: "dull",
            field: "tally_name",
            zh: "这个名称太普通。",
            en: "This name is dull.",
        }];
        let (csrf, name, faults) = (page.csrf, page.text("tally_name"), page.faults(FAULTS));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "a real form escapes it");
        let html = format!(
            r#"<form action="/apps/new/tally"><input name="csrf" value="{csrf}"><input id="tally_name" value="{name}"{}>{}</form>"#,
            faults.input("tally_name"),
            faults.below("tally_name")
        );
        Some(RegistrationForm { name: "Tally", html })
    }

    fn answer<'a>(
        &'a self,
        context: &'a Context,
        request: &'a http::Request<Bytes>,
        lang: Lang,
    ) -> Later<'a, Answered> {
        Box::pin(async move {
            match AnyRequest::decode(request) {
                Ok(AnyRequest::Tally(request)) => {
                    let handled = tally(context, request).await;
                    let response = reply::handled::<tally::Endpoint>(lang, answer, handled);
                    Answered { endpoint: "tally", response }
                }
                Err(error) => reply::undecoded(context, lang, error),
            }
        })
    }
}

fn serve(world: &TestStore, protocols: Vec<&'static dyn Protocol>) -> Server {
    Server::new(world.store.clone(), Settings { protocols, ..settings(&world.store) })
}

#[tokio::test]
async fn each_protocol_brings_its_pages() {
    let world = TestStore::memory(1).await;
    let login_name = "user1".to_owned();
    let proof = world.proof(Who::Login(login_name.clone()), PasswordKind::Login).await;
    let seed = world.store.vault().seed();
    let (session, _) = world.store.submit(Login { login_name, proof, seed }).await.unwrap();
    let cookie = format!("wallop_session={}", session.text.expose());
    let server = serve(&world, vec![&Fourth]);
    let call = async |method: &str, path: &str, cookie: &str, body: String| {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept-language", "en")
            .header("cookie", cookie)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let reply = server.router().call(request).await.unwrap();
        let set = reply.headers().get("set-cookie").map(|set| set.to_str().unwrap().to_owned());
        let (status, body) = (reply.status().as_u16(), reply.into_body().collect().await.unwrap());
        (status, String::from_utf8(body.to_bytes().to_vec()).unwrap(), set.unwrap_or_default())
    };
    let (status, page, visitor) = call("GET", "/apps/new", &cookie, String::new()).await;
    assert_eq!(status, 200, "{page}");
    let visitor = format!("{cookie}; {}", visitor.split(';').next().unwrap());
    assert!(page.contains("/apps/new/tally") && !page.contains("/apps/new/fomo"), "{page}");
    let csrf = page.split(r#"name="csrf" value=""#).nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let body = format!("csrf={csrf}&tally_name=grey");
    let (status, again, _) = call("POST", "/apps/new/tally", &visitor, body).await;
    assert_eq!(status, 422, "{again}");
    assert!(again.contains("This name is dull.") && again.contains(r#"value="grey""#), "{again}");
    // The pages of protocols that this server does not speak do not exist.
    for path in ["/apps/new/fomo", "/apps/new/vas", "/fomo/oauth2/authorize"] {
        assert_eq!(call("GET", path, &cookie, String::new()).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_fourth_protocol_is_served_beside_the_others() {
    let world = TestStore::memory(1).await;
    let mut protocols = wallet_server::PROTOCOLS.to_vec();
    protocols.push(&Fourth);
    let server = serve(&world, protocols);
    let ask = async |path: &str, body: String| {
        let request = http::Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept-language", "en")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let reply = server.router().call(request).await.unwrap();
        let (status, body) = (reply.status().as_u16(), reply.into_body().collect().await.unwrap());
        (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
    };
    // Its documents are among the others, with a page for each of its codes.
    let read = async |path: &str| {
        let request = http::Request::get(path).header("accept-language", "en").body(Full::default()).unwrap();
        let reply = server.router().call(request).await.unwrap();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    assert!(read("/docs/guides/tally").await.contains("One call does it."));
    assert!(read("/docs/tally").await.contains("<h2 id=\"tally\">"));
    let index = read("/docs").await;
    assert!(index.contains("/docs/tally") && index.contains("/docs/fomo") && index.contains("/docs/vas"));
    assert!(read("/docs/tally/codes/2").await.contains("Nobody is signed in"));
    let login_name = "user1".to_owned();
    let proof = world.proof(Who::Login(login_name.clone()), PasswordKind::Login).await;
    let seed = world.store.vault().seed();
    let (session, _) = world.store.submit(Login { login_name, proof, seed }).await.unwrap();
    let session_key = session.text.expose();
    let (status, body) = ask("/tally/tally", format!("session_key={session_key}")).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.starts_with(r#"{"ok":true,"code":0,"words":"Fine","tally":{"user":""#), "{body}");
    assert!(body.contains(r#""lines":[{"coin":""#), "{body}");
    // What the platform refuses, and what cannot be read, in this protocol's codes.
    let nobody = r#"{"ok":false,"code":2,"words":"Nobody is signed in","tally":null}"#;
    assert_eq!(ask("/tally/tally", "session_key=x".to_owned()).await.1, nobody);
    assert!(ask("/tally/tally", String::new()).await.1.contains(r#""code":1"#));
    // The others are as they were, and what is nowhere names all of them.
    assert!(
        ask("/fomo/customer/get_user_info", "session_key=x".to_owned()).await.1.contains(r#""status":3"#)
    );
    let (status, nowhere) = ask("/elsewhere", String::new()).await;
    assert_eq!(status, 404);
    assert!(nowhere.contains("/fomo/ and /vas/server/ and /tally/"), "{nowhere}");
}
