//! The sandbox's pages: the start, the wallet, the shop, the inspector, the clock.

mod chain;
mod clock;
mod codes;
mod described;
mod follow;
mod home;
pub(crate) mod inspect;
mod link;
mod shop;
mod sign;
mod story;
mod wallet;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use wallet_platform::Failure;
use wallet_platform::{FindVasApp, VasApp};
pub(crate) use wallet_server::pages::shown_time;
use wallet_server::pages::{Hint, NavItem};

use crate::data::{DemoUser, OPERATOR, POOR, USERS, found};
use crate::demo::HyperTokio;
use crate::merchant::Merchant;
use crate::recorder::Recorder;
use crate::state::Shared;

/// The sandbox's navigation.
pub(crate) const NAV: &[NavItem] = &[
    NavItem { href: "/shop", zh: "商店", en: "Shop" },
    NavItem { href: "/wallet", zh: "钱包", en: "Wallet" },
    NavItem { href: "/inspect", zh: "请求记录", en: "Inspector" },
    NavItem { href: "/link", zh: "链接", en: "Links" },
    NavItem { href: "/sign", zh: "签名", en: "Signatures" },
    NavItem { href: "/clock", zh: "时钟", en: "Clock" },
    NavItem { href: "/chain", zh: "链", en: "Chain" },
    wallet_server::pages::APPS,
    wallet_server::pages::DOCS,
];

/// The passwords that the sign-in page shows: the buyers', that of the demo shop's developer, and the operator's.
pub(crate) const HINTS: &[Hint] = &[
    hint(&USERS[1], "买家", "a buyer"),
    hint(&USERS[2], "买家", "a buyer"),
    hint(&POOR, "没有钱的买家", "a buyer without money"),
    hint(&USERS[0], "商店的开发者", "the shop's developer"),
    hint(&OPERATOR, "运营人员", "the operator"),
];

const fn hint(user: &DemoUser, zh: &'static str, en: &'static str) -> Hint {
    Hint { login_name: user.login_name, pwd: user.pwd, wallet_pwd: user.wallet_pwd, zh, en }
}

/// What the pages share.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) shared: Shared,
    pub(crate) recorder: Recorder,
    pub(crate) merchant: Arc<Merchant<HyperTokio>>,
    pub(crate) transport: HyperTokio,
    /// The outcomes of the wallet's forms.
    pub(crate) outcomes: Arc<wallet::Outcomes>,
    /// The payments that are watched at `/live`.
    pub(crate) stories: Arc<story::Stories>,
    /// The permits to follow a part.
    pub(crate) followers: Arc<tokio::sync::Semaphore>,
    /// Whether the sandbox stops: then followed parts end.
    pub(crate) stopped: tokio::sync::watch::Receiver<bool>,
    /// The permit to search a picture: one picture at a time.
    pub(crate) looking: Arc<tokio::sync::Semaphore>,
}

impl Pages {
    /// The app of a uuid, if there is one.
    pub(crate) async fn vas_app(&self, uuid: &str) -> Result<Option<VasApp>, Failure> {
        found(self.shared.store.view(FindVasApp(uuid.to_owned())).await)
    }
}

impl FromRef<Pages> for Shared {
    fn from_ref(pages: &Pages) -> Self {
        pages.shared.clone()
    }
}

/// The parts of pages that change, each also as events.
fn parts(pages: &Pages) -> Router<Pages> {
    let every = |time| from_fn_with_state((pages.clone(), time), follow::follow);
    let wallet = Router::new().route("/wallet/live", get(wallet::live)).route_layer(every(follow::LATER));
    Router::new()
        .route("/home/live", get(home::live))
        .route("/live/parts", get(story::live))
        .route("/shop/orders/{id}/live", get(shop::order_live))
        .route("/inspect/live", get(inspect::live))
        .route("/inspect/live/{id}", get(inspect::live))
        .route("/shop/sign_in/{way}/wait/state", get(shop::sign_in_state))
        .route_layer(every(follow::SOON))
        .merge(wallet)
}

/// Pages for a browser on this machine.
pub(crate) fn router(pages: Pages) -> Router {
    parts(&pages)
        .route("/", get(home::page))
        .route("/live", get(story::page).post(story::next))
        .route("/shop", get(shop::page))
        .route("/shop/sign_in/{way}", get(shop::sign_in))
        .route("/shop/sign_in/{way}/wait", get(shop::sign_in_wait))
        .route("/shop/back", get(shop::back))
        .route("/shop/leave", post(shop::leave))
        .route("/shop/buy", post(shop::buy))
        .route("/shop/orders/{id}", get(shop::order))
        .route("/shop/orders/{id}/refund", post(shop::refund))
        .route("/wallet", get(wallet::page))
        .route("/wallet/scan", post(wallet::scan))
        .route("/wallet/expire", post(wallet::expire))
        .route("/wallet/confirm", post(wallet::confirm))
        .route("/wallet/approve", post(wallet::approve))
        .route("/wallet/pay", post(wallet::pay))
        .route("/wallet/receive", get(wallet::receive_page))
        .route("/wallet/history", get(wallet::history_page))
        .route("/wallet/password", get(wallet::password_form).post(wallet::set_password))
        .route("/wallet/money", post(wallet::get_money))
        .route("/inspect", get(inspect::page))
        .route("/inspect/{id}", get(inspect::one))
        .route("/inspect/{id}/again", post(inspect::send_again))
        .route("/link", get(link::page))
        .route("/sign", get(sign::page).post(sign::explain))
        .route("/chain", get(chain::page))
        .route("/chain/change", post(chain::change))
        .route("/clock/move", post(clock::advance))
        .route("/clock/real", post(clock::to_machine_time))
        .route("/clock/callbacks", post(clock::callbacks))
        .with_state(pages)
}

/// The script that pages load.
pub(crate) fn assets() -> Router {
    Router::new().route("/assets/live.js", get(script))
}

/// The shop's callback addresses, which answer to any `Host`.
pub(crate) fn callbacks(pages: Pages) -> Router {
    Router::new()
        .route("/shop/callback/fomo", post(shop::fomo_callback))
        .route("/shop/callback/{wallet}/login", get(shop::vas_login))
        .route("/shop/callback/{wallet}/pay", get(shop::vas_payment))
        .with_state(pages)
}

pub(crate) use clock::{not_moved, page as clock_page};
pub(crate) use codes::page as codes_page;
pub(crate) use described::page as described_page;
pub(crate) use follow::FOLLOWERS;

async fn script() -> Response {
    let headers = [(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "max-age=300")];
    (headers, include_str!("../../assets/live.js")).into_response()
}
