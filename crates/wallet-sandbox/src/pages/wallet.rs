//! The wallet, as its user holds it: balances, what waits for consent or payment, and where it goes afterwards. It speaks
//! to the platforms over HTTP, as any wallet would.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use wallet_api::fomo::{SessionKey, TradeId, TransferId};
use wallet_api::vas::{self, AnyLink, How, Profile};
use wallet_client::{CallError, FomoWallet, VasWallet};
use wallet_core::{Transport, form, in_words, link};
use wallet_platform::{DevBalance, Digest, FindVasApp, after_payment};
use wallet_server::pages::{
    Asked, Posted, PostedFile, SESSION_COOKIE, View, cookie_of, page as render, problem, see_other,
};
use wallet_store::Clock as _;

use super::outcomes::Outcome;
use super::{Pages, picture, shown_time};
use crate::data::{POOR, USERS};
use crate::demo::HyperTokio;
use crate::routes::move_clock;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    transfer_id: String,
    #[serde(default)]
    trade_id: String,
    #[serde(default)]
    scan: String,
    /// Which outcome is told.
    #[serde(default)]
    told: String,
}

/// What an app asks the user for.
enum Sheet {
    None,
    /// A FOMO payment (R33).
    Pending {
        app: String,
        amount: String,
        coin: String,
        transfer_id: String,
        trade_id: String,
        seconds: i64,
    },
    /// A login by link.
    Login {
        app: String,
        wallet: &'static str,
        host: String,
        link: String,
    },
    /// An order by link.
    Pay {
        app: String,
        wallet: &'static str,
        amount: String,
        asset: String,
        order_id: String,
        note: String,
        link: String,
    },
    /// What was asked for cannot be shown.
    Unreadable {
        why: String,
    },
    /// Done: what happened, and where the wallet goes.
    Done {
        what: String,
        facts: Vec<(String, String)>,
        onward: Option<String>,
    },
}

/// A balance or an entry as it is shown.
struct Money {
    amount: String,
    unit: String,
}

struct Moved {
    at: String,
    what: &'static str,
    amount: String,
    unit: String,
}

#[derive(Template)]
#[template(path = "wallet.html")]
struct WalletPage<'a> {
    view: &'a View,
    name: String,
    balances: Vec<Money>,
    history: Vec<Moved>,
    sheet: Sheet,
    problem: Option<String>,
    /// Whether it is the user who has nothing.
    poor: bool,
    /// A demo user's payment password, which is no secret.
    wallet_pwd: Option<&'static str>,
}

/// A transport that asks for the page's language, so that refusals are told in it.
#[derive(Clone)]
struct InLanguage(HyperTokio, &'static str);

impl Transport for InLanguage {
    type Error = <HyperTokio as Transport>::Error;
    async fn send(
        &self,
        mut request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Self::Error> {
        request.headers_mut().insert(ACCEPT_LANGUAGE, HeaderValue::from_static(self.1));
        self.0.send(request).await
    }
}

/// Why a call was refused, in the platform's words.
fn told<E, C>(error: &CallError<E, C>) -> String
where
    E: std::error::Error + 'static,
    C: std::fmt::Display + std::fmt::Debug,
{
    match error {
        CallError::Refused(refused) => refused.message.clone(),
        error => in_words(error),
    }
}

/// The wallet of whoever is signed in.
struct Wallet<'a> {
    pages: &'a Pages,
    view: &'a View,
    name: &'a str,
    key: String,
    fomo: FomoWallet<InLanguage>,
    vas: VasWallet<InLanguage>,
}

fn base<P: wallet_core::Platform>(pages: &Pages) -> String {
    format!("{}{}", pages.shared.url, P::META.base_path)
}

impl<'a> Wallet<'a> {
    /// None for whoever is not signed in.
    fn of(pages: &'a Pages, view: &'a View, headers: &HeaderMap) -> Option<Self> {
        let (name, key) = (view.user.as_deref()?, cookie_of(headers, SESSION_COOKIE)?);
        let transport = InLanguage(pages.transport.clone(), view.tag());
        let fomo = FomoWallet::new(transport.clone(), &base::<wallet_api::fomo::Fomo>(pages));
        let vas = VasWallet::new(transport, &base::<vas::Vas>(pages));
        Some(Self { pages, view, name, key: key.to_owned(), fomo, vas })
    }

    fn session(&self) -> SessionKey<'_> {
        SessionKey::new(self.key.as_str())
    }

    /// The whole page with this sheet.
    async fn show(&self, sheet: Sheet, problem: Option<String>) -> Response {
        let (mut balances, mut history, mut problem) = (Vec::new(), Vec::new(), problem);
        match self.fomo.coins(&self.session()).await {
            Ok(coins) => {
                for coin in coins {
                    balances.push(Money { amount: coin.balance.to_string(), unit: coin.coin_name.clone() });
                    let Ok(records) = self.fomo.records(&self.session(), coin.coin_id, 1).await else {
                        continue;
                    };
                    history.extend(records.records.into_iter().take(6).map(|record| {
                        let out = record.in_out == wallet_api::fomo::InOut::Out;
                        let sign = if out { "−" } else { "+" };
                        let what = match record.tx_scene.as_str() {
                            "deposit" => self.view.say("充值", "deposit"),
                            _ if out => self.view.say("付款", "payment"),
                            _ => self.view.say("收款", "received"),
                        };
                        let amount = format!("{sign}{}", record.amount);
                        (
                            record.create_time,
                            Moved {
                                at: shown_time(record.create_time),
                                what,
                                amount,
                                unit: coin.coin_name.clone(),
                            },
                        )
                    }));
                }
            }
            Err(error) => problem = problem.or(Some(told(&error))),
        }
        history.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        if let Ok(user) = self.fomo.user_info(&self.session()).await {
            let vault = self.pages.shared.store.vault();
            for profile in Profile::ALL {
                let query =
                    DevBalance { address: vault.address(user.user_id), asset: profile.asset().to_owned() };
                if let Ok(has) = self.pages.shared.store.view(query).await {
                    balances.push(Money { amount: has.to_string(), unit: profile.asset().to_owned() });
                }
            }
        }
        let history = history.into_iter().take(8).map(|(_, moved)| moved).collect();
        let (view, name, poor) = (self.view, self.name.to_owned(), self.name == POOR.name);
        let demo = USERS.iter().chain([&POOR]).find(|user| user.name == self.name);
        let wallet_pwd = demo.map(|user| user.wallet_pwd);
        render(&WalletPage { view, name, balances, history, sheet, problem, poor, wallet_pwd })
    }

    fn session_hash(&self) -> Digest {
        self.pages.shared.store.vault().hash(&self.key)
    }

    /// On to the address that tells an outcome, beside the sheet that `query` is of.
    fn tell(&self, query: &[(&str, &str)], outcome: Outcome) -> Response {
        let id = self.pages.outcomes.put(self.session_hash(), outcome).to_string();
        let query: Vec<_> = query.iter().copied().chain([("told", &*id)]).collect();
        see_other(&format!("/wallet?{}", form::query(&query)))
    }

    fn refused(&self, query: &[(&str, &str)], why: impl Into<String>) -> Response {
        self.tell(query, Outcome::Refused { lang: self.view.lang, why: why.into() })
    }

    fn no_password(&self) -> &'static str {
        self.view.say("请输入支付密码。", "Enter your payment password.")
    }

    /// An outcome as a sheet.
    fn done(&self, outcome: Outcome) -> Option<Sheet> {
        let say = |zh, en| self.view.say(zh, en).to_owned();
        let back = say("返回地址", "goes back to");
        Some(match outcome {
            Outcome::Paid { transfer_id, onward } => Sheet::Done {
                what: say("已支付", "Paid"),
                facts: vec![("transfer_id".to_owned(), transfer_id), (back, onward.clone())],
                onward: Some(onward),
            },
            Outcome::SignedIn { app, address, said } => {
                let onward = said.is_none().then(|| address.clone());
                let said = said.map(|said| (say("应用回答", "the app says"), said));
                Sheet::Done {
                    what: format!("{} {app}", say("已登录", "Signed in to")),
                    facts: [(back, address)].into_iter().chain(said).collect(),
                    onward,
                }
            }
            Outcome::Submitted { order_id, txid, onward } => Sheet::Done {
                what: say(
                    "已提交；约 5 秒后有区块确认",
                    "Submitted. A block confirms it within about five seconds",
                ),
                facts: vec![(say("订单", "order"), order_id), ("txid".to_owned(), txid)],
                onward,
            },
            Outcome::Refused { .. } => return None,
        })
    }

    fn unreadable(&self, why: impl Into<String>) -> Sheet {
        Sheet::Unreadable { why: why.into() }
    }

    /// A FOMO payment that waits.
    async fn pending(&self, transfer_id: &str, trade_id: &str) -> Sheet {
        let Ok(id) = transfer_id.parse() else {
            return self.unreadable(self.view.say("transfer_id 不是数字。", "transfer_id is no number."));
        };
        let trade = TradeId::new(trade_id.to_owned());
        match self.fomo.pending(&self.session(), TransferId::new(id), &trade).await {
            Ok(pending) => Sheet::Pending {
                app: pending.app_name,
                amount: pending.amount.to_string(),
                coin: pending.coin_name,
                transfer_id: transfer_id.to_owned(),
                trade_id: trade_id.to_owned(),
                seconds: pending.expire_time.secs() - self.pages.shared.clock.now().secs(),
            },
            Err(error) => self.unreadable(told(&error)),
        }
    }

    /// What a link or QR code asks for.
    async fn scanned(&self, text: &str) -> Sheet {
        let text = text.trim();
        let payload = match link::payload(text) {
            Ok(payload) => payload,
            Err(error) => return self.unreadable(error.in_words(self.view.lang)),
        };
        let app = async |uuid: &str| {
            let found = self.pages.shared.store.view(FindVasApp(uuid.to_owned())).await;
            found.map(|app| (app.name, Self::wallet_of(app.profile))).ok()
        };
        let unknown = || self.view.say("没有这个 uuid 的应用。", "There is no app of this uuid.");
        match AnyLink::read(&payload) {
            Ok((AnyLink::Login(asks), _)) => match app(asks.uuid.as_str()).await {
                Some((app, wallet)) => Sheet::Login {
                    app,
                    wallet,
                    host: asks.callback_url.as_str().to_owned(),
                    link: text.to_owned(),
                },
                None => self.unreadable(unknown()),
            },
            Ok((AnyLink::Pay(asks), _)) => {
                let known = app(asks.key_id()).await;
                let (Some((app, wallet)), Some(shown)) = (known, unverified(&payload)) else {
                    return self.unreadable(unknown());
                };
                let [amount, asset, order_id, note] = shown;
                Sheet::Pay { app, wallet, amount, asset, order_id, note, link: text.to_owned() }
            }
            Err(error) => self.unreadable(error.in_words(self.view.lang)),
        }
    }

    fn wallet_of(profile: Profile) -> &'static str {
        match profile {
            Profile::Vas => "VAS",
            Profile::Lafi => "Lafi",
        }
    }
}

/// Amount, asset, order and description of a pay link, to be shown. The platform verifies before anything moves.
fn unverified(payload: &link::Payload<'_>) -> Option<[String; 4]> {
    let json = payload.json().ok()?;
    let member = |name| link::peek(json, name).ok().flatten().unwrap_or_default().chars().take(200).collect();
    Some(["amount", "assetType", "orderId", "description"].map(member))
}

/// What a user tries out on a payment: a switch of the sheet.
struct Tried<'p>(&'p str);

/// How long the slow network takes.
const SLOW: Duration = Duration::from_secs(4);

impl<'p> Tried<'p> {
    fn of(posted: &'p Posted) -> Self {
        Self(posted.text("try"))
    }

    /// The password that is sent: one that is none, where that is tried.
    async fn password(&self, posted: &'p Posted) -> &'p str {
        if self.0 == "slow" {
            tokio::time::sleep(SLOW).await;
        }
        if self.0 == "wrong_password" { "this is not it" } else { posted.text("wallet_pwd") }
    }
}

/// Lets the payment of a sheet expire: the clock is moved past its end.
pub(crate) async fn expire(State(pages): State<Pages>, posted: Posted) -> Response {
    let seconds: u64 = posted.text("seconds").parse().unwrap_or(0);
    let sheet =
        form::query(&[("transfer_id", posted.text("transfer_id")), ("trade_id", posted.text("trade_id"))]);
    match move_clock(pages.shared, seconds.saturating_add(1)).await {
        Ok(_) => see_other(&format!("/wallet?{sheet}")),
        Err(_) => see_other("/clock"),
    }
}

fn sign_in_first(here: &str) -> Response {
    see_other(&format!("/openfomo/login.html?{}", form::query(&[("next", here)])))
}

/// The wallet with what is asked for.
pub(crate) async fn page(
    State(pages): State<Pages>,
    view: View,
    Asked(asked): Asked<Wanted>,
    headers: HeaderMap,
    uri: http::Uri,
) -> Response {
    let here = uri.path_and_query().map_or("/wallet", |here| here.as_str());
    let Some(wallet) = Wallet::of(&pages, &view, &headers) else { return sign_in_first(here) };
    let told = asked.told.parse().ok().and_then(|id| pages.outcomes.get(wallet.session_hash(), id));
    let problem = match &told {
        Some(Outcome::Refused { lang, why }) if *lang == view.lang => Some(why.clone()),
        _ => None,
    };
    if let Some(done) = told.and_then(|told| wallet.done(told)) {
        return wallet.show(done, None).await;
    }
    let sheet = match (asked.scan.is_empty(), asked.transfer_id.is_empty()) {
        (false, _) => wallet.scanned(&asked.scan).await,
        (true, false) => wallet.pending(&asked.transfer_id, &asked.trade_id).await,
        (true, true) => Sheet::None,
    };
    wallet.show(sheet, problem).await
}

/// A picture of a QR code, as a camera would see it. One at a time, on a thread of its own, which nothing waits for when the
/// sandbox stops.
pub(crate) async fn scan(
    State(pages): State<Pages>,
    view: View,
    PostedFile { file, .. }: PostedFile,
) -> Response {
    if view.user.is_none() {
        return sign_in_first("/wallet");
    }
    let Ok(one) = pages.looking.clone().try_acquire_owned() else {
        return problem(
            &view,
            StatusCode::SERVICE_UNAVAILABLE,
            view.say("正在识别另一张图片", "Another picture is being read"),
            view.say("一次只识别一张。", "One is read at a time."),
            view.say("稍候再试，或粘贴链接。", "Try again in a moment, or paste the link."),
        );
    };
    let (say, said) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let text = picture::read(&file);
        drop(one); // whoever is told may come back at once
        let _ = say.send(text); // whoever asked may have gone
    });
    match said.await.ok().flatten() {
        Some(text) => see_other(&format!("/wallet?{}", form::query(&[("scan", &text)]))),
        None => problem(
            &view,
            StatusCode::UNPROCESSABLE_ENTITY,
            view.say("没有找到二维码", "No QR code was found"),
            view.say(
                "图片须是 PNG 或 JPEG，含一个清晰的二维码，每边不超过 3000 像素。",
                "The picture is a PNG or JPEG of at most 3000 pixels a side, with one clear QR code.",
            ),
            view.say("换一张图片，或粘贴链接。", "Take another picture, or paste the link."),
        ),
    }
}

/// The user confirms a FOMO payment.
pub(crate) async fn confirm(
    State(pages): State<Pages>,
    view: View,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    let Some(wallet) = Wallet::of(&pages, &view, &headers) else { return sign_in_first("/wallet") };
    let (transfer, trade) = (posted.text("transfer_id"), posted.text("trade_id"));
    let sheet = [("transfer_id", transfer), ("trade_id", trade)];
    let Ok(id) = transfer.parse().map(TransferId::new) else { return see_other("/wallet") };
    let trade_id = TradeId::new(trade.to_owned());
    let pwd = Tried::of(&posted).password(&posted).await;
    if pwd.is_empty() {
        return wallet.refused(&sheet, wallet.no_password());
    }
    match wallet.fomo.confirm_pay(&wallet.session(), id, &trade_id, pwd).await {
        Ok(done) => {
            let onward = after_payment(
                done.redirect_uri.as_str(),
                done.state.as_str(),
                done.trade_id.as_str(),
                transfer,
                done.status.as_str(),
            );
            wallet.tell(&[], Outcome::Paid { transfer_id: transfer.to_owned(), onward })
        }
        Err(error) => wallet.refused(&sheet, told(&error)),
    }
}

/// The user consents to a login: the wallet goes back to the app, by itself or by the browser (R47, R48, R62).
pub(crate) async fn approve(
    State(pages): State<Pages>,
    view: View,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    let Some(wallet) = Wallet::of(&pages, &view, &headers) else { return sign_in_first("/wallet") };
    let session = vas::SessionKey::new(wallet.key.as_str());
    let link = posted.text("link");
    let approved = match wallet.vas.approve_login(&session, link).await {
        Ok(approved) => approved,
        Err(error) => return wallet.refused(&[("scan", link)], told(&error)),
    };
    let address = approved.address.as_str().to_owned();
    let mut said = None;
    if approved.how == How::Get {
        let request = http::Request::get(address.as_str()).body(Vec::new());
        said = Some(match request {
            Ok(request) => match pages.transport.send(request).await {
                Ok(reply) => reply.status().to_string(),
                Err(error) => in_words(&error),
            },
            Err(error) => in_words(&error),
        });
    }
    wallet.tell(&[], Outcome::SignedIn { app: approved.app_name, address, said })
}

/// The user pays an order.
pub(crate) async fn pay(
    State(pages): State<Pages>,
    view: View,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    let Some(wallet) = Wallet::of(&pages, &view, &headers) else { return sign_in_first("/wallet") };
    let (session, link) = (vas::SessionKey::new(wallet.key.as_str()), posted.text("link"));
    let pwd = Tried::of(&posted).password(&posted).await;
    if pwd.is_empty() {
        return wallet.refused(&[("scan", link)], wallet.no_password());
    }
    match wallet.vas.pay(&session, pwd, link, None).await {
        Ok(paid) => {
            let (order_id, txid) = (paid.order_id.as_str().to_owned(), paid.txid.as_str().to_owned());
            wallet.tell(&[], Outcome::Submitted { order_id, txid, onward: paid.address })
        }
        Err(error) => wallet.refused(&[("scan", link)], told(&error)),
    }
}
