//! A sandbox in this process, and raw requests to it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use wallet_core::Transport;
use wallet_core::crypto::{Sha1, hex_text};
use wallet_crypto::{PasswordCost, Portable};
use wallet_hyper::HyperTransport;
use wallet_sandbox::{Described, DescribedUser, Sandbox, SandboxOptions};
use wallet_server::Store;
use wallet_store::Clock;

use crate::{Database, Postgres};

/// A form or query as another library writes it: what the product reads must not be what only it writes.
pub fn form<N: AsRef<str>, V: AsRef<str>>(fields: &[(N, V)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    serde_urlencoded::to_string(fields).unwrap()
}

/// The fields of a form or query, as another library reads them.
pub fn fields(form: &str) -> Vec<(String, String)> {
    serde_urlencoded::from_str(form).unwrap()
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// urlencoded.
    Form,
    /// multipart/form-data.
    Multipart,
    /// JSON with strings.
    Json,
}

impl Format {
    /// All three.
    pub const ALL: [Format; 3] = [Format::Form, Format::Multipart, Format::Json];
}

/// A request, field by field.
#[derive(Debug, Clone)]
pub struct Call {
    /// GET or POST.
    pub method: &'static str,
    /// Below the base URL.
    pub path: String,
    /// The access token.
    pub bearer: Option<String>,
    /// The fields, in order.
    pub fields: Vec<(String, String)>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Call {
    /// A POST.
    pub fn post(path: &str) -> Self {
        Self { method: "POST", path: path.to_owned(), bearer: None, fields: Vec::new(), headers: Vec::new() }
    }

    /// With this field, replacing one of the same name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Without this field.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    /// With this access token.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        self.bearer = Some(token.to_owned());
        self
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body and its content type.
    pub fn body(&self, format: Format) -> (Vec<u8>, String) {
        match format {
            Format::Form => (form(&self.fields).into_bytes(), "application/x-www-form-urlencoded".to_owned()),
            Format::Multipart => {
                let mut body = String::new();
                for (name, value) in &self.fields {
                    body.push_str(&format!(
                        "--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
                    ));
                }
                body.push_str("--xyz--\r\n");
                (body.into_bytes(), "multipart/form-data; boundary=xyz".to_owned())
            }
            Format::Json => {
                let map: serde_json::Map<String, Value> = self
                    .fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::String(value.clone())))
                    .collect();
                (serde_json::to_vec(&map).unwrap(), "application/json".to_owned())
            }
        }
    }
}

/// A reply.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub http: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body.
    pub text: String,
    /// The body as JSON; null if it is not JSON.
    pub json: Value,
}

impl Reply {
    /// The platform's status code.
    pub fn status(&self) -> i64 {
        self.json["status"].as_i64().unwrap_or_else(|| panic!("no status: HTTP {} {}", self.http, self.text))
    }

    /// A text in `data`.
    pub fn data(&self, name: &str) -> &str {
        self.json["data"][name].as_str().unwrap_or_else(|| panic!("no data.{name}: {}", self.text))
    }

    /// Asserts a success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(
            self.http == 200 && self.json["success"] == true && self.status() == 1,
            "HTTP {} {}",
            self.http,
            self.text
        );
        self
    }
}

/// The signature of a timestamp.
pub fn sign(secret: &str, timestamp: &str) -> String {
    let digest = Portable::new().sha1(&mut |put| {
        put(secret.as_bytes());
        put(timestamp.as_bytes());
    });
    hex_text(&digest)
}

/// A client of plain HTTP.
pub fn plain_client() -> HyperTransport<HttpConnector> {
    HyperTransport::new(HttpConnector::new(), TokioExecutor::new(), TokioTimer::new())
}

/// A sandbox in this process.
pub struct World {
    /// The sandbox.
    pub sandbox: Sandbox,
    transport: HyperTransport<HttpConnector>,
    directory: tempfile::TempDir,
    database: Database,
    counter: AtomicU64,
}

impl World {
    /// Starts one, on SQLite; on the tests' PostgreSQL if the environment asks for it (`WALLOP_TEST_STORE=postgres`).
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// The same with a bound for the calls of `pre_pay`.
    pub async fn start_with(pre_pays_per_second: Option<NonZeroU32>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = match std::env::var("WALLOP_TEST_STORE").as_deref() {
            Ok("postgres") => Database::Postgres(Postgres::of_the_tests().new_database()),
            _ => Database::Sqlite(directory.path().join("wallop.db")),
        };
        let sandbox = Sandbox::start(SandboxOptions {
            data: Some(directory.path().to_owned()),
            database: match &database {
                Database::Postgres(name) => Some(Postgres::of_the_tests().url(name)),
                _ => None,
            },
            port: 0,
            password_cost: PasswordCost { memory_kib: 8, passes: 1 },
            pre_pays_per_second,
        })
        .await
        .unwrap();
        Self { sandbox, transport: plain_client(), directory, database, counter: AtomicU64::new(0) }
    }

    /// Its description.
    pub fn described(&self) -> &Described {
        self.sandbox.described()
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        self.sandbox.server().store()
    }

    /// Its data directory.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Its rows.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Alice or Bob.
    pub fn user(&self, name: &str) -> &DescribedUser {
        self.described().users.iter().find(|user| user.login_name == name).unwrap()
    }

    /// The password and the payment password of Alice, Bob, Dora or the demo app's owner.
    pub fn passwords(&self, name: &str) -> (String, String) {
        let poor = &self.described().poor_user;
        if poor.login_name == name {
            return (poor.pwd.clone(), poor.wallet_pwd.clone());
        }
        if name == "owner" {
            let fomo = &self.described().fomo;
            return (fomo.owner_pwd.clone(), fomo.owner_wallet_pwd.clone());
        }
        let user = self.user(name);
        (user.pwd.clone(), user.wallet_pwd.clone())
    }

    /// The time in Unix seconds, as text.
    pub fn timestamp(&self) -> String {
        self.sandbox.clock().now().secs().to_string()
    }

    /// Moves the clock without stopping at anything.
    pub fn jump(&self, span: Duration) {
        let clock = self.sandbox.clock();
        let target = clock.stop() + span;
        clock.run_on_from(target);
    }

    /// What its requests go over.
    pub fn transport(&self) -> &HyperTransport<HttpConnector> {
        &self.transport
    }

    /// A text that was not used before.
    pub fn fresh(&self, what: &str) -> String {
        format!("{what}-{}", self.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends bytes as they are.
    pub async fn send(&self, call: &Call, body: Vec<u8>, content_type: Option<&str>) -> Reply {
        let mut request = http::Request::builder()
            .method(call.method)
            .uri(format!("{}{}", self.described().fomo.base_url, call.path))
            .header("accept-language", "en");
        if let Some(token) = &call.bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        self.exchange(request.body(body).unwrap()).await
    }

    /// Sends any request.
    pub async fn exchange(&self, request: http::Request<Vec<u8>>) -> Reply {
        let response = self.transport.send(request).await.unwrap();
        let text = String::from_utf8_lossy(response.body()).into_owned();
        Reply {
            http: response.status().as_u16(),
            headers: response.headers().clone(),
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    /// Sends a call as a form.
    pub async fn call(&self, call: &Call) -> Reply {
        self.call_as(call, Format::Form).await
    }

    /// Sends a call in a format; without fields without a body.
    pub async fn call_as(&self, call: &Call, format: Format) -> Reply {
        if call.fields.is_empty() {
            return self.send(call, Vec::new(), None).await;
        }
        let (body, content_type) = call.body(format);
        self.send(call, body, Some(&content_type)).await
    }

    /// Signs a user in.
    pub async fn session(&self, name: &str) -> String {
        let call = Call::post("customer/login").with("login_name", name).with("pwd", &self.passwords(name).0);
        self.call(&call).await.ok().data("session_key").to_owned()
    }

    /// A grant, ready to be sent.
    pub async fn authorize(&self, user: &str) -> Call {
        let fomo = &self.described().fomo;
        Call::post("oauth2/authorize")
            .with("response_type", "code")
            .with("client_id", &fomo.client_id)
            .with("redirect_uri", &fomo.redirect_uri)
            .with("state", "st at&e=1")
            .with("authorized", "yes")
            .with("session_key", &self.session(user).await)
    }

    /// A code exchange, ready to be sent.
    pub async fn token(&self, user: &str) -> Call {
        let code = self.call(&self.authorize(user).await).await.ok().data("code").to_owned();
        let fomo = &self.described().fomo;
        Call::post("oauth2/authorize/token")
            .with("code", &code)
            .with("client_id", &fomo.client_id)
            .with("client_secret", &fomo.client_secret)
            .with("grant_type", "authorization_code")
            .with("redirect_uri", &fomo.redirect_uri)
    }

    /// An access token and a refresh token.
    pub async fn tokens(&self, user: &str) -> (String, String) {
        let reply = self.call(&self.token(user).await).await.ok();
        (reply.data("access_token").to_owned(), reply.data("refresh_token").to_owned())
    }

    /// A refresh, ready to be sent.
    pub async fn refresh(&self, user: &str) -> Call {
        let (_, refresh) = self.tokens(user).await;
        self.refresh_of(&refresh)
    }

    /// The refresh of a token, ready to be sent.
    pub fn refresh_of(&self, refresh: &str) -> Call {
        let fomo = &self.described().fomo;
        Call::post("oauth2/RefreshToken")
            .with("refresh_token", refresh)
            .with("client_id", &fomo.client_id)
            .with("client_secret", &fomo.client_secret)
            .with("grant_type", "refresh_token")
            .with("scope", "userinfo paytoken")
    }

    fn signed(&self, call: Call) -> Call {
        let timestamp = self.timestamp();
        let sign = sign(&self.described().fomo.client_secret, &timestamp);
        call.with("timestamp", &timestamp).with("sign", &sign)
    }

    /// A payment with this token, ready to be sent.
    pub fn pre_pay_with(&self, token: &str) -> Call {
        let fomo = &self.described().fomo;
        self.signed(Call::post("oauth2/resource/pre_pay").with("direction", "1"))
            .with("trade_id", &self.fresh("trade"))
            .with("amount", "1.50")
            .with("coin_id", "5")
            .with("client_id", &fomo.client_id)
            .with("server_uri", "http://127.0.0.1:9/callback")
            .with("redirect_uri", &fomo.redirect_uri)
            .with("state", "s1")
            .with("scope", "paytoken")
            .with("response_type", "code")
            .bearer(token)
    }

    /// A payment, ready to be sent.
    pub async fn pre_pay(&self, user: &str) -> Call {
        let (access, _) = self.tokens(user).await;
        self.pre_pay_with(&access)
    }

    /// A confirmation, ready to be sent.
    pub async fn confirm_pay(&self, user: &str) -> Call {
        let pre_pay = self.pre_pay(user).await;
        self.confirm_of(user, &pre_pay).await
    }

    /// The confirmation of a payment, which is made by this.
    pub async fn confirm_of(&self, user: &str, pre_pay: &Call) -> Call {
        let transfer_id = self.call(pre_pay).await.ok().data("transfer_id").to_owned();
        Call::post("oauth2/authorize/confirm_pay")
            .with("trade_id", pre_pay.field("trade_id"))
            .with("transfer_id", &transfer_id)
            .with("wallet_pwd", &self.passwords(user).1)
            .with("session_key", &self.session(user).await)
    }

    /// A payout, ready to be sent.
    pub fn pay_user(&self, user: &str) -> Call {
        let fomo = &self.described().fomo;
        self.signed(Call::post("oauth2/authorize/pay_user").with("direction", "2"))
            .with("trade_id", &self.fresh("payout"))
            .with("amount", "0.25")
            .with("coin_id", "5")
            .with("user_id", &self.user(user).user_id)
            .with("client_id", &fomo.client_id)
            .with("server_uri", "http://127.0.0.1:9/callback")
            .with("state", "s2")
            .with("scope", "paytoken")
            .with("response_type", "code")
            .with("wallet_pwd", &fomo.owner_wallet_pwd)
    }

    /// A trade lookup, ready to be sent.
    pub fn get_trade(&self, trade_id: &str) -> Call {
        let call =
            Call::post("oauth2/authorize/get_trade").with("client_id", &self.described().fomo.client_id);
        self.signed(call.with("trade_id", trade_id))
    }

    /// The events after a cursor.
    pub fn get_events(&self, after: u64) -> Call {
        let call =
            Call::post("oauth2/authorize/get_events").with("client_id", &self.described().fomo.client_id);
        self.signed(call.with("after", &after.to_string()))
    }

    /// A call of each endpoint that would succeed now, with exactly the parameters of the document.
    pub async fn valid(&self, endpoint: &str) -> Call {
        match endpoint {
            "authorize" => self.authorize("alice").await,
            "token" => self.token("alice").await,
            "refresh_token" => self.refresh("alice").await,
            "revoke" => {
                let fomo = &self.described().fomo;
                Call::post("oauth2/revoke")
                    .with("token", &self.tokens("alice").await.1)
                    .with("client_id", &fomo.client_id)
                    .with("client_secret", &fomo.client_secret)
            }
            "get_user_info" => {
                Call::post("oauth2/resource/get_user_info").bearer(&self.tokens("alice").await.0)
            }
            "pre_pay" => self.pre_pay("alice").await,
            "confirm_pay" => self.confirm_pay("alice").await,
            "pay_user" => self.pay_user("alice"),
            "get_transfer_detail" => {
                let (access, _) = self.tokens("alice").await;
                let made = self.call(&self.pre_pay_with(&access)).await.ok();
                Call::post("oauth2/resource/get_transfer_detail")
                    .with("transfer_id", made.data("transfer_id"))
                    .bearer(&access)
            }
            "get_active_coins" => Call::post("wallet/get_active_coins"),
            "register" => Call::post("customer/register")
                .with("user_name", &self.fresh("new"))
                .with("pwd", "a new password"),
            "complete_register" => self.complete_register(&self.fresh("new")).await,
            "login" => {
                Call::post("customer/login").with("login_name", "alice").with("pwd", &self.user("alice").pwd)
            }
            "get_customer_info" => {
                Call::post("customer/get_user_info").with("session_key", &self.session("alice").await)
            }
            "set_wallet_pwd" => Call::post("customer/set_wallet_pwd")
                .with("session_key", &self.session("bob").await)
                .with("pwd", &self.user("bob").pwd)
                .with("wallet_pwd", &self.user("bob").wallet_pwd),
            "get_user_coins" => {
                Call::post("wallet/get_user_coins").with("session_key", &self.session("alice").await)
            }
            "coins_record" => Call::post("wallet/coins_record")
                .with("session_key", &self.session("alice").await)
                .with("coin_id", "5")
                .with("page", "1"),
            "get_pending" => {
                let confirm = self.confirm_pay("alice").await;
                Call::post("oauth2/authorize/get_pending")
                    .with("session_key", confirm.field("session_key"))
                    .with("transfer_id", confirm.field("transfer_id"))
                    .with("trade_id", confirm.field("trade_id"))
            }
            "get_events" => {
                // The one event of a new payment.
                self.call(&self.pre_pay("alice").await).await.ok();
                let mut after = 0;
                loop {
                    let reply = self.call(&self.get_events(after)).await.ok();
                    match reply.json["data"]["events"].as_array().unwrap().last() {
                        Some(newest) => after = newest["n"].as_str().unwrap().parse().unwrap(),
                        None => break self.get_events(after - 1),
                    }
                }
            }
            "get_trade" => {
                let pre_pay = self.pre_pay("alice").await;
                self.call(&pre_pay).await.ok();
                self.get_trade(pre_pay.field("trade_id"))
            }
            other => panic!("no valid call is known for {other}: add one"),
        }
    }

    /// The completion of a registration that is begun by this.
    pub async fn complete_register(&self, name: &str) -> Call {
        let register = Call::post("customer/register").with("user_name", name).with("pwd", "a new password");
        let begun = self.call(&register).await.ok();
        let codes = self.get("/sandbox/codes").await.json;
        let sent = codes
            .as_array()
            .unwrap()
            .iter()
            .find(|sent| sent["verify_id"] == begun.json["data"]["verify_id"]);
        Call::post("customer/complete_register")
            .with("verify_code", sent.unwrap()["verify_code"].as_str().unwrap())
            .with("verify_id", begun.data("verify_id"))
            .with("tmp_user_id", begun.data("tmp_user_id"))
    }

    /// A GET of the sandbox's own address.
    pub async fn get(&self, path: &str) -> Reply {
        let request = http::Request::get(format!("{}{path}", self.described().url)).body(Vec::new()).unwrap();
        let response = self.transport.send(request).await.unwrap();
        let text = String::from_utf8_lossy(response.body()).into_owned();
        let (http, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { http, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// Moves the clock event by event.
    pub async fn advance(&self, seconds: u64) -> Reply {
        let request = http::Request::post(&self.described().clock_url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("advance={seconds}").into_bytes())
            .unwrap();
        let response = self.transport.send(request).await.unwrap();
        let text = String::from_utf8_lossy(response.body()).into_owned();
        let (http, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { http, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// What a user has, by coin.
    pub async fn balances(&self, user: &str) -> BTreeMap<String, String> {
        let call = Call::post("wallet/get_user_coins").with("session_key", &self.session(user).await);
        let reply = self.call(&call).await.ok();
        let coins = reply.json["data"]["user_coins"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        coins.iter().map(|coin| (text(&coin["coin_id"]), text(&coin["balance"]))).collect()
    }
}
