//! The demo shop's pages, and the addresses that receive its callbacks.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, Query, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use wallet_api::vas::{Profile, limits};
use wallet_client::QrCode;
use wallet_core::Lang;
use wallet_server::body;
use wallet_server::pages::{Params, SubmittedForm, View, cookie_of, page as render, problem, see_other};

use super::{Pages, shown_time};
use crate::merchant::{Bought, Customer, ITEMS, Item, PayWith, State as OrderState};
use crate::recorder::not_read;

const COOKIE: &str = "shop_visitor";

/// The value of the visitor's cookie; empty before the first sign-in.
fn visitor(headers: &HeaderMap) -> &str {
    cookie_of(headers, COOKIE).unwrap_or_default()
}

fn remember(mut response: Response, visitor: &str) -> Response {
    let cookie = HeaderValue::try_from(format!("{COOKIE}={visitor}; Path=/shop; HttpOnly; SameSite=Lax"));
    if let Ok(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn stopped(view: &View, why: &str) -> Response {
    not_served(view, StatusCode::BAD_REQUEST, why)
}

fn not_served(view: &View, status: StatusCode, why: &str) -> Response {
    problem(
        view,
        status,
        view.say("商店未能完成操作", "The shop could not do that"),
        why,
        view.say(
            "返回商店再试；「请求记录」页可查看全部请求。",
            "Go back to the shop and try again; the inspector has every request.",
        ),
    )
}

/// An order as pages show it.
struct Shown {
    order: Bought,
    name: &'static str,
    state: String,
    mood: &'static str,
}

impl Shown {
    fn of(view: &View, order: Bought) -> Self {
        let (state, mood) = match order.state {
            OrderState::Waiting if order.submitted => {
                let blocks = limits::CONFIRMATIONS;
                let state = match view.lang {
                    Lang::Zh => format!("等待区块（第 1 个，共 {blocks} 个）"),
                    Lang::En => format!("Waiting for a block (1 of {blocks})"),
                };
                return Self { name: view.say(order.item.zh, order.item.en), order, state, mood: "warn" };
            }
            OrderState::Waiting => (view.say("待支付", "waiting"), "warn"),
            OrderState::Paid => (view.say("已支付", "paid"), "ok"),
            OrderState::Refunded => (view.say("已退款", "refunded"), ""),
            OrderState::Expired => (view.say("已过期", "expired"), "bad"),
        };
        Self { name: view.say(order.item.zh, order.item.en), order, state: state.to_owned(), mood }
    }

    fn may_be_refunded(&self) -> bool {
        self.order.way == PayWith::Fomo && self.order.state == OrderState::Paid
    }

    fn is_expired(&self) -> bool {
        self.order.state == OrderState::Expired
    }

    fn is_by_link(&self) -> bool {
        self.order.qr.is_some()
    }

    fn may_be_paid(&self) -> bool {
        self.waits() && !self.order.submitted
    }

    fn waits(&self) -> bool {
        self.order.state == OrderState::Waiting
    }
}

#[derive(Template)]
#[template(path = "shop.html")]
struct ShopPage<'a> {
    view: &'a View,
    customer: Option<Customer>,
    ways: [PayWith; 3],
    items: [Item; 3],
    unit: &'static str,
    orders: Vec<Shown>,
    lines: Vec<(String, String)>,
}

pub(crate) async fn page(State(pages): State<Pages>, view: View, headers: HeaderMap) -> Response {
    let visitor = visitor(&headers);
    let customer = pages.merchant.customer(visitor);
    let unit = match customer.as_ref().map(|customer| customer.way) {
        Some(PayWith::Vas(profile)) => profile.asset(),
        _ => "usdt",
    };
    for order in pages.merchant.orders(visitor) {
        pages.merchant.look_after(visitor, &order.id).await;
    }
    let orders = pages.merchant.orders(visitor).into_iter().map(|order| Shown::of(&view, order)).collect();
    let lines = pages.merchant.lines().into_iter().map(|line| (shown_time(line.at), line.text)).collect();
    render(&ShopPage { view: &view, customer, ways: PayWith::ALL, items: ITEMS, unit, orders, lines })
}

#[derive(Template)]
#[template(path = "shop_code.html")]
struct CodePage<'a> {
    view: &'a View,
    title: String,
    lead: &'a str,
    qr: String,
    text: &'a str,
    wallet: String,
    /// The address that shows this page again, with the state of the sign-in; and the one that has the state alone.
    wait: String,
    scanned: bool,
}

/// The state of a sign-in by QR code.
#[derive(Template)]
#[template(path = "shop_code_state.html")]
struct CodeState<'a> {
    view: &'a View,
    scanned: bool,
    /// Whether the user is signed in: the page goes on to the shop.
    done: bool,
}

fn svg(text: &str) -> String {
    QrCode::new(text).map(|code| code.to_svg()).unwrap_or_default()
}

fn in_wallet(text: &str) -> String {
    format!("/wallet?{}", wallet_core::form::query(&[("scan", text)]))
}

pub(crate) async fn sign_in(
    State(pages): State<Pages>,
    view: View,
    Path(way): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(way) = PayWith::of(&way) else {
        let why = view.say("没有这种登录方式。", "There is no such way to sign in.");
        return not_served(&view, StatusCode::NOT_FOUND, why);
    };
    // Each sign-in sets a new cookie: a cookie that was planted in this browser is worthless afterwards.
    pages.merchant.leave(visitor(&headers));
    let visitor = pages.merchant.random();
    let response = match way {
        PayWith::Fomo => see_other(&pages.merchant.fomo_login(&visitor)),
        PayWith::Vas(profile) => match pages.merchant.vas_login(&visitor, profile) {
            None => stopped(&view, view.say("无法生成链接。", "No link could be made.")),
            Some(text) => code_page(&view, way, &text, false),
        },
    };
    remember(response, &visitor)
}

fn code_page(view: &View, way: PayWith, text: &str, scanned: bool) -> Response {
    render(&CodePage {
        view,
        title: format!("{} {}", view.say("扫码登录", "Sign in by QR code:"), way.name()),
        lead: view.say(
            "用钱包扫描；同意后这一页会自动进入商店。",
            "Scan it with the wallet. Once you have consented, this page goes on to the shop.",
        ),
        qr: svg(text),
        text,
        wallet: in_wallet(text),
        wait: format!("/shop/sign_in/{}/wait", way.id()),
        scanned,
    })
}

/// The page of a sign-in that this browser waits for, again: for browsers without scripts.
pub(crate) async fn sign_in_wait(
    State(pages): State<Pages>,
    view: View,
    Path(way): Path<String>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&headers);
    let waits = match PayWith::of(&way) {
        Some(PayWith::Vas(profile)) if pages.merchant.customer(visitor).is_none() => {
            pages.merchant.waiting_login(visitor, profile).map(|waits| (PayWith::Vas(profile), waits))
        }
        _ => None,
    };
    match waits {
        Some((way, (text, scanned))) => code_page(&view, way, &text, scanned),
        None => see_other("/shop"),
    }
}

/// The state of the sign-in that this browser waits for, for the script.
pub(crate) async fn sign_in_state(
    State(pages): State<Pages>,
    view: View,
    Path(way): Path<String>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&headers);
    let waits = match PayWith::of(&way) {
        Some(PayWith::Vas(profile)) => pages.merchant.waiting_login(visitor, profile),
        _ => None,
    };
    let done = pages.merchant.customer(visitor).is_some();
    render(&CodeState { view: &view, scanned: waits.is_some_and(|(_, scanned)| scanned), done })
}

#[derive(Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    trade_id: String,
    #[serde(default)]
    error: String,
}

/// The redirect_uri: FOMO adds a code after a login, and the trade_id after a payment (R32).
pub(crate) async fn back(
    State(pages): State<Pages>,
    view: View,
    Params(back): Params<Back>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&headers);
    if !back.error.is_empty() {
        return problem(
            &view,
            StatusCode::OK,
            view.say("没有登录", "You are not signed in"),
            view.say(
                "你拒绝了授权，商店无法得知你的身份。没有执行任何操作。",
                "You refused access, so the shop does not know who you are. Nothing else has happened.",
            ),
            view.say(
                "需要购买时，再从商店登录即可。",
                "When you want to buy something, sign in at the shop again.",
            ),
        );
    }
    if !back.trade_id.is_empty() {
        return match pages.merchant.order(visitor, &back.trade_id) {
            Some(order) => see_other(&format!("/shop/orders/{}?back=1", order.id)),
            None => see_other("/shop"),
        };
    }
    match pages.merchant.fomo_back(visitor, &back.code, &back.state).await {
        Ok(()) => see_other("/shop"),
        Err(why) => stopped(&view, &why.in_lang(view.lang)),
    }
}

pub(crate) async fn leave(
    State(pages): State<Pages>,
    headers: HeaderMap,
    _posted: SubmittedForm,
) -> Response {
    pages.merchant.leave(visitor(&headers));
    see_other("/shop")
}

pub(crate) async fn buy(
    State(pages): State<Pages>,
    view: View,
    headers: HeaderMap,
    posted: SubmittedForm,
) -> Response {
    let (view, visitor) = (view.at("/shop"), visitor(&headers));
    match pages.merchant.sell(visitor, posted.text("item")).await {
        Ok(id) => see_other(&format!("/shop/orders/{id}")),
        Err(why) => stopped(&view, &why.in_lang(view.lang)),
    }
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage<'a> {
    view: &'a View,
    shown: Shown,
    qr: Option<String>,
    /// Whether the wallet has just sent the browser back.
    back: bool,
}

#[derive(Template)]
#[template(path = "order_state.html")]
struct OrderLive<'a> {
    view: &'a View,
    shown: Shown,
    back: bool,
}

/// The query parameters of an order's page.
#[derive(Deserialize)]
pub(crate) struct Returning {
    #[serde(default)]
    back: String,
}

async fn own_order(pages: &Pages, headers: &HeaderMap, id: &str) -> Option<Bought> {
    let visitor = visitor(headers);
    pages.merchant.look_after(visitor, id).await;
    pages.merchant.order(visitor, id)
}

fn no_order(view: &View) -> Response {
    let why = view.say(
        "没有这个订单，或它属于另一位顾客：请用下单时的用户登录商店。",
        "There is no such order, or it is another customer's: sign in to the shop as the user who ordered.",
    );
    not_served(view, StatusCode::NOT_FOUND, why)
}

pub(crate) async fn order(
    State(pages): State<Pages>,
    view: View,
    Path(id): Path<String>,
    Params(asked): Params<Returning>,
    headers: HeaderMap,
) -> Response {
    match own_order(&pages, &headers, &id).await {
        Some(order) => {
            let qr = order.qr.as_deref().filter(|_| order.state == OrderState::Waiting).map(svg);
            let back = !asked.back.is_empty();
            render(&OrderPage { view: &view, shown: Shown::of(&view, order), qr, back })
        }
        None => no_order(&view),
    }
}

pub(crate) async fn order_live(
    State(pages): State<Pages>,
    view: View,
    Path(id): Path<String>,
    Params(asked): Params<Returning>,
    headers: HeaderMap,
) -> Response {
    match own_order(&pages, &headers, &id).await {
        Some(order) => {
            let back = !asked.back.is_empty();
            render(&OrderLive { view: &view, shown: Shown::of(&view, order), back })
        }
        None => no_order(&view),
    }
}

pub(crate) async fn refund(
    State(pages): State<Pages>,
    view: View,
    Path(id): Path<String>,
    headers: HeaderMap,
    _posted: SubmittedForm,
) -> Response {
    let (view, visitor) = (view.at("/shop"), visitor(&headers));
    match pages.merchant.refund(visitor, &id).await {
        Ok(()) => see_other(&format!("/shop/orders/{id}")),
        Err(why) => stopped(&view, &why.in_lang(view.lang)),
    }
}

/// The most bytes of a callback.
const LARGEST_CALLBACK: usize = 64 * 1024;

/// FOMO's callback.
pub(crate) async fn fomo_callback(State(pages): State<Pages>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match body::read(body, LARGEST_CALLBACK).await {
        Ok(body) => body,
        Err(error) => return not_read(error),
    };
    let request: http::Request<Bytes> = http::Request::from_parts(parts, body);
    pages.merchant.fomo_callback(&request).map(axum::body::Body::from)
}

fn profile(id: &str) -> Option<Profile> {
    match PayWith::of(id) {
        Some(PayWith::Vas(profile)) => Some(profile),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Returned {
    #[serde(default)]
    open_code: String,
    #[serde(default)]
    web_token: String,
}

/// The wallet's return after a login, made by the wallet itself (R62).
pub(crate) async fn vas_login(
    State(pages): State<Pages>,
    Path(wallet): Path<String>,
    Query(returned): Query<Returned>,
) -> Response {
    let Some(profile) = profile(&wallet) else { return StatusCode::NOT_FOUND.into_response() };
    match pages.merchant.vas_returned(profile, &returned.open_code, &returned.web_token).await {
        Ok(()) => "welcome\n".into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, format!("{}\n", why.in_lang(Lang::En))).into_response(),
    }
}

/// The callback of a payment.
pub(crate) async fn vas_payment(
    State(pages): State<Pages>,
    Path(wallet): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(profile) = profile(&wallet) else { return StatusCode::NOT_FOUND.into_response() };
    let answer = pages.merchant.vas_callback(profile, &query.unwrap_or_default());
    ([(http::header::CONTENT_TYPE, "application/json")], answer).into_response()
}
