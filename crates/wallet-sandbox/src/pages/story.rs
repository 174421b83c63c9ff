//! A payment on one screen: the shop on the left, alice's phone on the right, and each call below, step by step. The
//! shop and the wallet call the platform over HTTP, as everywhere in the sandbox.

use std::sync::Mutex;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use indexmap::IndexMap;
use serde::Deserialize;
use wallet_api::fomo::{SessionKey, TradeId, TransferId};
use wallet_client::FomoWallet;
use wallet_core::form;
use wallet_platform::{Balances, FindUser};
use wallet_server::pages::{Params, SubmittedForm, View, page as render, problem, see_other};

use super::Pages;
use super::inspect::{Row, latest_after};
use crate::data::USERS;
use crate::demo::HyperTokio;
use crate::merchant::{Bought, State as OrderState};

/// The most payments that are shown at once.
const KEPT: usize = 100;

/// One payment that somebody watches.
#[derive(Clone)]
struct Story {
    /// The number of the last exchange before it.
    after: u64,
    /// Alice's session; empty until she signs in.
    session: String,
    /// The order's id; empty until she buys.
    order: String,
}

/// The payments that are being watched, by their id.
#[derive(Default)]
pub(crate) struct Stories(Mutex<IndexMap<String, Story>>);

impl Stories {
    fn put(&self, id: String, story: Story) {
        let mut stories = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if stories.len() >= KEPT {
            stories.shift_remove_index(0);
        }
        stories.insert(id, story);
    }

    fn get(&self, id: &str) -> Option<Story> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(id).cloned()
    }
}

/// The step that the button makes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    SignIn,
    Order,
    Confirm,
    /// The callback is on its way.
    Wait,
    Done,
}

/// An exchange and what it is for.
struct Event {
    row: Row,
    words: &'static str,
}

#[derive(Template)]
#[template(path = "story.html")]
struct StoryPage<'a> {
    view: &'a View,
    parts: StoryParts,
}

/// The same without the frame of a page, for the script.
#[derive(Template)]
#[template(path = "story_parts.html")]
struct StoryFragment<'a> {
    view: &'a View,
    parts: StoryParts,
}

/// The parts that change.
struct StoryParts {
    id: String,
    step: Step,
    order: Option<Bought>,
    balance: String,
    events: Vec<Event>,
}

impl StoryParts {
    fn is(&self, step: &str) -> bool {
        let name = match self.step {
            Step::SignIn => "sign_in",
            Step::Order => "order",
            Step::Confirm => "confirm",
            Step::Wait => "wait",
            Step::Done => "done",
        };
        name == step
    }
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    id: String,
}

/// What a call of the payment is for.
fn in_words(view: &View, call: &str) -> Option<&'static str> {
    let (zh, en) = match call {
        "authorize" => (
            "Alice 在钱包里同意授权，得到一次性的 code",
            "Alice consents in the wallet, which gets a code for one use",
        ),
        "token" => ("商店的服务端用 code 换取令牌", "The shop's server exchanges the code for tokens"),
        "get_user_info" => ("商店读取用户是谁", "The shop reads who the user is"),
        "pre_pay" => (
            "商店发起付款：金额、币种、订单号，带签名",
            "The shop asks for the payment: amount, coin and order id, signed",
        ),
        "get_pending" => ("钱包显示待确认的付款", "The wallet shows the payment that waits"),
        "confirm_pay" => (
            "Alice 输入支付密码确认，资金转移",
            "Alice confirms with her payment password, and the money moves",
        ),
        "payment_result" => (
            "FOMO 回调商店；商店验签、核对、入账一次，返回 200",
            "FOMO calls the shop back. The shop verifies the signature, compares, books once and answers 200",
        ),
        _ => return None,
    };
    Some(if view.is_zh() { zh } else { en })
}

fn wallet(pages: &Pages) -> FomoWallet<HyperTokio> {
    let base = <wallet_api::fomo::Fomo as wallet_core::Platform>::META.base_path;
    FomoWallet::new(pages.transport.clone(), &format!("{}{base}", pages.shared.url))
}

/// The usdt of alice once she has signed in. It is read from the store: a call would be among those of the payment.
async fn balance(pages: &Pages, session: &str) -> Option<String> {
    let [_, alice, _] = &USERS;
    if session.is_empty() {
        return None;
    }
    let store = &pages.shared.store;
    let alice = store.view(FindUser(alice.login_name.to_owned())).await.ok().flatten()?;
    let balances = store.view(Balances(alice.id)).await.ok()?;
    let (coin, units) = balances.into_iter().find(|(coin, _)| coin.name == "usdt")?;
    Some(units.to_amount(coin.decimals).ok()?.to_string())
}

async fn parts(pages: &Pages, view: &View, id: &str) -> StoryParts {
    let story = pages.stories.get(id);
    let customer = pages.merchant.customer(id);
    let order = story.as_ref().and_then(|story| pages.merchant.order(id, &story.order));
    let rows = story.as_ref().map(|story| latest_after(pages, view, story.after)).unwrap_or_default();
    let about = order.as_ref().map_or("", |order| &*order.id);
    let events: Vec<Event> = rows
        .into_iter()
        .rev()
        .filter(|row| row.about.is_empty() || row.about == about)
        .filter_map(|row| Some(Event { words: in_words(view, &row.call)?, row }))
        .collect();
    let confirmed = events.iter().any(|event| event.row.call == "confirm_pay");
    let step = match (&customer, &order) {
        (None, _) => Step::SignIn,
        (Some(_), None) => Step::Order,
        (_, Some(order)) if order.state == OrderState::Paid => Step::Done,
        _ if confirmed => Step::Wait,
        _ => Step::Confirm,
    };
    let session = story.map(|story| story.session).unwrap_or_default();
    StoryParts {
        id: id.to_owned(),
        step,
        order,
        balance: balance(pages, &session).await.unwrap_or_default(),
        events,
    }
}

/// The page; a new payment without an id.
pub(crate) async fn page(State(pages): State<Pages>, view: View, Params(asked): Params<Wanted>) -> Response {
    if pages.stories.get(&asked.id).is_none() {
        let id = pages.merchant.random();
        let after = pages.recorder.newest().first().map_or(0, |exchange| exchange.id);
        pages.stories.put(id.clone(), Story { after, session: String::new(), order: String::new() });
        return see_other(&format!("/live?id={id}"));
    }
    render(&StoryPage { view: &view, parts: parts(&pages, &view, &asked.id).await })
}

/// The parts that change, for the script.
pub(crate) async fn live(State(pages): State<Pages>, view: View, Params(asked): Params<Wanted>) -> Response {
    render(&StoryFragment { view: &view, parts: parts(&pages, &view, &asked.id).await })
}

/// Makes the next step.
pub(crate) async fn next(State(pages): State<Pages>, view: View, posted: SubmittedForm) -> Response {
    let id = posted.text("id");
    let view = view.at("/live");
    let Some(story) = pages.stories.get(id) else { return see_other("/live") };
    let made = match parts(&pages, &view, id).await.step {
        Step::SignIn => sign_in(&pages, id, story).await,
        Step::Order => match pages.merchant.sell(id, "coffee").await {
            Ok(order) => {
                pages.stories.put(id.to_owned(), Story { order, ..story });
                Ok(())
            }
            Err(why) => Err(why.in_lang(view.lang)),
        },
        Step::Confirm => confirm(&pages, id, &story).await,
        Step::Wait | Step::Done => Ok(()),
    };
    match made {
        Ok(()) => see_other(&format!("/live?{}", form::query(&[("id", id)]))),
        Err(why) => problem(
            &view,
            http::StatusCode::BAD_GATEWAY,
            view.say("这一步没有完成", "This step failed"),
            &why,
            view.say("重新开始一笔付款。", "Begin with another payment."),
        ),
    }
}

/// Alice signs in to her wallet and consents, and the shop exchanges the code.
async fn sign_in(pages: &Pages, id: &str, story: Story) -> Result<(), String> {
    let [_, alice, _] = &USERS;
    let text = |error: &dyn std::error::Error| wallet_core::in_words(error);
    let wallet = wallet(pages);
    let signed_in = wallet.login(alice.login_name, alice.pwd).await.map_err(|error| text(&error))?;
    let session = signed_in.session_key.as_str().to_owned();
    pages.stories.put(id.to_owned(), Story { session: session.clone(), ..story });
    // What the browser would carry to FOMO and back.
    let address = pages.merchant.fomo_login(id);
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let parameter = |name: &str| {
        let found = form::pairs(query).map(form::split).find(|(known, _)| *known == name);
        found.and_then(|(_, value)| form::decode(value.as_bytes()).ok()).unwrap_or_default().into_owned()
    };
    let (client_id, redirect_uri) = (parameter("client_id"), parameter("redirect_uri"));
    let granted =
        wallet.authorize(&SessionKey::new(&*session), &client_id, &redirect_uri, &parameter("state")).await;
    let granted = granted.map_err(|error| text(&error))?;
    let back = pages.merchant.fomo_back(id, granted.code.as_str(), granted.state.as_str()).await;
    back.map_err(|why| why.in_lang(wallet_core::Lang::En))
}

/// Alice confirms the payment.
async fn confirm(pages: &Pages, id: &str, story: &Story) -> Result<(), String> {
    let [_, alice, _] = &USERS;
    let Some(order) = pages.merchant.order(id, &story.order) else { return Ok(()) };
    let transfer =
        order.reference.parse().map(TransferId::new).map_err(|_| "the order has no transfer".to_owned())?;
    let (session, trade_id) = (SessionKey::new(&*story.session), TradeId::new(order.id));
    let wallet = wallet(pages);
    let shown = wallet.pending(&session, transfer, &trade_id).await;
    shown.map_err(|error| wallet_core::in_words(&error))?;
    let done = wallet.confirm_pay(&session, transfer, &trade_id, alice.wallet_pwd).await;
    done.map(drop).map_err(|error| wallet_core::in_words(&error))
}
