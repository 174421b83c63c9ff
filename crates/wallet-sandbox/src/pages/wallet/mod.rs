//! The wallet's pages for its user: balances, requests for consent or payment, and their outcomes. The wallet calls
//! the platforms over HTTP, like any other wallet.

mod forms;
mod history;
mod outcomes;
mod picture;
mod receive;
mod setup;
mod sheet;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use wallet_api::fomo::SessionKey;
use wallet_api::vas::{self, Profile};
use wallet_chain::embedded::DevBalance;
use wallet_client::{FomoWallet, VasWallet};
use wallet_core::{Transport, form};
use wallet_platform::{Digest, User};
use wallet_server::pages::{Params, SignedIn, SubmittedForm, View, page as render, see_other};

pub(crate) use forms::{approve, confirm, expire, pay, scan};
pub(crate) use history::page as history_page;
use history::{Moved, Purse};
pub(crate) use outcomes::Outcomes;
use outcomes::{NotDone, Outcome};
pub(crate) use receive::page as receive_page;
pub(crate) use setup::{get_money, password_form, set_password};
use sheet::Sheet;
pub(crate) use sheet::cannot_be_paid;

use super::Pages;
use crate::data::{POOR, USERS};
use crate::demo::HyperTokio;
use crate::recorder::OWN_PAGES;

/// The parameters of the wallet's address.
#[derive(Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    transfer_id: String,
    #[serde(default)]
    trade_id: String,
    #[serde(default)]
    scan: String,
    /// The id of the outcome to show.
    #[serde(default)]
    outcome: String,
    /// The request that the user has declined: `pay` or `login`.
    #[serde(default)]
    declined: String,
}

impl Wanted {
    /// The parameters in a form.
    fn of(posted: &SubmittedForm) -> Self {
        let text = |name: &str| posted.text(name).to_owned();
        let [transfer_id, trade_id, scan] = ["transfer_id", "trade_id", "scan"].map(text);
        Self { transfer_id, trade_id, scan, ..Self::default() }
    }

    /// The parameters that a form passes on, by name: those of the request, not those of the display.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields =
            [("transfer_id", &*self.transfer_id), ("trade_id", &*self.trade_id), ("scan", &*self.scan)];
        fields.into_iter().filter(|(_, value)| !value.is_empty())
    }

    /// The address of `path` with the same parameters.
    fn address(&self, path: &str) -> String {
        format!("{path}?{}", form::query(&self.fields().collect::<Vec<_>>()))
    }
}

/// A balance as it is shown.
struct Money {
    /// The wallet; empty in the rows after the first one of a wallet.
    wallet: &'static str,
    amount: String,
    unit: String,
}

/// A problem and its advice.
struct Problem {
    words: String,
    help: Option<(&'static str, Option<String>)>,
}

/// What the wallet shows of the user's money.
#[derive(Default)]
struct WalletMoney {
    balances: Vec<Money>,
    history: Vec<Moved>,
}

impl WalletMoney {
    /// Whether a payment waits for its block.
    fn waits(&self) -> bool {
        self.history.iter().any(|moved| matches!(moved.state, Some(("warn", _))))
    }

    fn is_zero(&self) -> bool {
        !self.balances.iter().any(|has| has.amount.contains(|c| matches!(c, '1'..='9')))
    }
}

/// The money alone, for the script.
#[derive(Template)]
#[template(path = "wallet_money.html")]
struct MoneyPart<'a> {
    view: &'a View,
    money: WalletMoney,
}

#[derive(Template)]
#[template(path = "wallet.html")]
struct WalletPage<'a> {
    view: &'a View,
    name: &'a str,
    /// The parameters of the request, which the other forms pass on.
    asked: &'a Wanted,
    money: WalletMoney,
    sheet: Sheet,
    problem: Option<Problem>,
    note: Option<&'static str>,
    /// An unreadable link, for the user to correct.
    scan: &'a str,
    /// The text about a declined request.
    declined: Option<&'a str>,
    /// Whether the user is `dora` and still has no money.
    poor: bool,
    /// The address for setting a payment password, for a user without one.
    no_password: Option<String>,
    /// A demo user's payment password, which is no secret.
    wallet_pwd: Option<&'static str>,
    /// The amount of each coin that the sandbox gives.
    given: String,
}

/// A transport that sends the page's language as Accept-Language, for the messages of refusals.
#[derive(Clone)]
struct InLanguage(HyperTokio, &'static str);

impl Transport for InLanguage {
    type Error = <HyperTokio as Transport>::Error;
    async fn send(
        &self,
        mut request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Self::Error> {
        let headers = request.headers_mut();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(self.1));
        headers.insert(USER_AGENT, HeaderValue::from_static(OWN_PAGES));
        self.0.send(request).await
    }
}

/// The signed-in user's wallet. It calls the platforms over HTTP. The sandbox's store has the values without a call:
/// balances on the chain, orders paid by link, and whether a payment password is set.
pub(crate) struct Wallet {
    pages: Pages,
    view: View,
    session: Digest,
    user: User,
    key: String,
    fomo: FomoWallet<InLanguage>,
    vas: VasWallet<InLanguage>,
}

fn base<P: wallet_core::Platform>(pages: &Pages) -> String {
    format!("{}{}", pages.shared.url, P::META.base_path)
}

fn wallet_of(profile: Profile) -> &'static str {
    match profile {
        Profile::Vas => "VAS",
        Profile::Lafi => "Lafi",
    }
}

impl FromRequestParts<Pages> for Wallet {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Response> {
        let SignedIn { session, user } = SignedIn::from_request_parts(parts, pages).await?;
        let view = View::from_request_parts(parts, pages).await.map_err(IntoResponse::into_response)?;
        // The wallet calls in the user's name, with the session's key.
        let key = view.session_key(&parts.headers).to_owned();
        let transport = InLanguage(pages.transport.clone(), view.tag());
        let fomo = FomoWallet::new(transport.clone(), &base::<wallet_api::fomo::Fomo>(pages));
        let vas = VasWallet::new(transport, &base::<vas::Vas>(pages));
        Ok(Self { pages: pages.clone(), view, session, user, key, fomo, vas })
    }
}

impl Wallet {
    fn key(&self) -> SessionKey<'_> {
        SessionKey::new(self.key.as_str())
    }

    /// The user's purses and their balances.
    async fn purses(&self) -> Result<Vec<(Purse, String)>, NotDone> {
        let coins = self.fomo.coins(&self.key()).await;
        let coins = coins.map_err(|error| NotDone::of(&error, self.view.lang))?;
        let coin = |coin: wallet_api::fomo::UserCoin| {
            (Purse::Coin(coin.coin_id, coin.coin_name), coin.balance.to_string())
        };
        let mut purses: Vec<_> = coins.into_iter().map(coin).collect();
        for profile in Profile::ALL.iter().copied() {
            let address = self.pages.shared.store.vault().address(self.user.id);
            let has = DevBalance { address, asset: profile.asset().to_owned() };
            let has = self.pages.shared.store.view(has).await.map_err(|failure| NotDone::failed(&failure))?;
            purses.push((Purse::Asset(profile), has.to_string()));
        }
        Ok(purses)
    }

    /// The balances and the newest movements.
    async fn money(&self) -> Result<WalletMoney, NotDone> {
        let has = self.purses().await?;
        let purses: Vec<Purse> = has.iter().map(|(purse, _)| purse.clone()).collect();
        let mut last = "";
        let balances = has.into_iter().map(|(purse, amount)| {
            let name = purse.wallet();
            let wallet = if name == last { "" } else { name };
            last = name;
            Money { wallet, amount, unit: purse.unit().to_owned() }
        });
        let balances = balances.collect();
        let history =
            self.newest(&purses, history::LATELY).await.map_err(|failure| NotDone::failed(&failure))?;
        Ok(WalletMoney { balances, history })
    }

    /// The whole page with this sheet, and the outcome beside it.
    async fn show(&self, asked: &Wanted, sheet: Sheet, outcome: Option<Outcome>) -> Response {
        let (view, lang) = (&self.view, self.view.lang);
        let (note, mut problem) = match outcome {
            Some(Outcome::PasswordSet) => {
                (Some(view.say("支付密码已设置。", "Your payment password is set.")), None)
            }
            Some(Outcome::MoneyCame) => (Some(view.say("钱已到账。", "The money has arrived.")), None),
            Some(Outcome::NotDone(why)) => (None, Some(why)),
            _ => (None, None),
        };
        let money = match self.money().await {
            Ok(money) => money,
            Err(why) => {
                problem = problem.or(Some(why));
                WalletMoney::default()
            }
        };
        let problem = problem.map(|why| Problem {
            words: why.words(lang).to_owned(),
            help: why.help.map(|help| (help.words(lang), help.href(asked))),
        });
        let login_name = &*self.user.login_name;
        let demo = USERS.iter().chain([&POOR]).find(|user| user.login_name == login_name);
        let scan = if matches!(sheet, Sheet::None) { &*asked.scan } else { "" };
        render(&WalletPage {
            view,
            name: &self.user.name,
            asked,
            poor: login_name == POOR.login_name && money.is_zero(),
            money,
            sheet,
            problem,
            note,
            scan,
            declined: match &*asked.declined {
                "pay" => Some(view.say(
                    "已取消付款，没有扣款；订单到期之前仍可支付。",
                    "Declined: nothing was charged. The order can be paid until it expires.",
                )),
                "login" => Some(
                    view.say("已拒绝；应用不会知道你是谁。", "Declined: the app does not learn who you are."),
                ),
                _ => None,
            },
            no_password: self.user.wallet_pwd.is_none().then(|| asked.address("/wallet/password")),
            // Only until the user sets another password.
            wallet_pwd: demo.filter(|_| self.user.wallet_pwd_version == 1).map(|user| user.wallet_pwd),
            given: setup::GIVEN.to_owned(),
        })
    }

    /// Redirects to the wallet, which shows the outcome beside the sheet.
    fn keep(&self, asked: &Wanted, outcome: Outcome) -> Response {
        self.keep_at("/wallet", asked, outcome)
    }

    /// Redirects to the address that shows the outcome.
    fn keep_at(&self, path: &str, asked: &Wanted, outcome: Outcome) -> Response {
        let mut random = [0; 8];
        self.pages.shared.store.vault().crypto().fill(&mut random);
        let id = u64::from_le_bytes(random);
        self.pages.outcomes.put(self.user.id, self.session, id, outcome);
        let id = id.to_string();
        let query: Vec<_> = asked.fields().chain([("outcome", &*id)]).collect();
        see_other(&format!("{path}?{}", form::query(&query)))
    }

    /// The outcome at an address, if it is of this session.
    fn outcome(&self, asked: &Wanted) -> Option<Outcome> {
        self.pages.outcomes.get(self.user.id, self.session, asked.outcome.parse().ok()?)
    }

    fn refused(&self, asked: &Wanted, why: NotDone) -> Response {
        self.keep(asked, Outcome::NotDone(why))
    }
}

/// The user's money, for the script; nothing is shown in place of what is there when it cannot be read.
pub(crate) async fn live(wallet: Wallet) -> Response {
    match wallet.money().await {
        Ok(money) => render(&MoneyPart { view: &wallet.view, money }),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The wallet's page.
pub(crate) async fn page(wallet: Wallet, Params(asked): Params<Wanted>) -> Response {
    let outcome = wallet.outcome(&asked);
    if let Some(done) = outcome.as_ref().and_then(|outcome| Sheet::done(&wallet.view, outcome)) {
        return wallet.show(&Wanted::default(), done, None).await;
    }
    match wallet.sheet(&asked).await {
        Ok(sheet) => wallet.show(&asked, sheet, outcome).await,
        // The outcome of the form takes precedence over a newer error of its sheet.
        Err(why) => wallet.show(&asked, Sheet::None, outcome.or(Some(Outcome::NotDone(why)))).await,
    }
}
