//! The wallet, as its user holds it: balances, what waits for consent or payment, and where it goes afterwards. It speaks
//! to the platforms over HTTP, as any wallet would.

mod forms;
mod history;
mod outcomes;
mod picture;
mod setup;
mod sheet;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use serde::Deserialize;
use wallet_api::fomo::SessionKey;
use wallet_api::vas::{self, Profile};
use wallet_client::{FomoWallet, VasWallet};
use wallet_core::{Transport, form};
use wallet_platform::{DevBalance, Digest, User};
use wallet_server::pages::{
    Params, SESSION_COOKIE, SignedIn, SubmittedForm, View, cookie_of, page as render, see_other,
};

pub(crate) use forms::{approve, confirm, expire, pay, scan};
pub(crate) use history::page as history_page;
use history::{Moved, Purse};
pub(crate) use outcomes::Outcomes;
use outcomes::{NotDone, Outcome};
pub(crate) use setup::{get_money, password_form, set_password};
use sheet::Sheet;
pub(crate) use sheet::cannot_be_paid;

use super::Pages;
use crate::data::{POOR, USERS};
use crate::demo::HyperTokio;

/// What the wallet is asked for, by its address.
#[derive(Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    transfer_id: String,
    #[serde(default)]
    trade_id: String,
    #[serde(default)]
    scan: String,
    /// Which outcome is shown.
    #[serde(default)]
    outcome: String,
    /// What the user has just declined: `pay` or `login`.
    #[serde(default)]
    declined: String,
}

impl Wanted {
    /// As a form hands it on.
    fn of(posted: &SubmittedForm) -> Self {
        let text = |name: &str| posted.text(name).to_owned();
        let [transfer_id, trade_id, scan] = ["transfer_id", "trade_id", "scan"].map(text);
        Self { transfer_id, trade_id, scan, ..Self::default() }
    }

    /// What a form hands on, by its name: what asks for something, not what is shown.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields =
            [("transfer_id", &*self.transfer_id), ("trade_id", &*self.trade_id), ("scan", &*self.scan)];
        fields.into_iter().filter(|(_, value)| !value.is_empty())
    }

    /// The address at which a page is asked for the same.
    fn address(&self, path: &str) -> String {
        format!("{path}?{}", form::query(&self.fields().collect::<Vec<_>>()))
    }
}

/// A balance as it is shown.
struct Money {
    amount: String,
    unit: String,
}

/// Why something was not done, and what helps.
struct Problem {
    words: String,
    help: Option<(&'static str, Option<String>)>,
}

#[derive(Template)]
#[template(path = "wallet.html")]
struct WalletPage<'a> {
    view: &'a View,
    name: &'a str,
    /// What was asked for, which forms of other things hand on.
    asked: &'a Wanted,
    balances: Vec<Money>,
    history: Vec<Moved>,
    sheet: Sheet,
    problem: Option<Problem>,
    note: Option<&'static str>,
    /// A link that could not be read, to be mended.
    scan: &'a str,
    /// That something was declined.
    declined: Option<&'a str>,
    /// Whether it is the user who has nothing, and has nothing yet.
    poor: bool,
    /// Where a payment password is set, for a user who has none.
    no_password: Option<String>,
    /// A demo user's payment password, which is no secret.
    wallet_pwd: Option<&'static str>,
    /// How much of everything the sandbox gives.
    given: String,
}

/// A transport that asks for the page's language, so that refusals are in it.
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

/// The wallet of the user who is signed in. It speaks to the platforms over HTTP; for what they have no call for (what is on the
/// chain, what was paid by a link, whether there is a payment password) it looks into the sandbox's store.
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
        // The wallet speaks for the user: it sends the session's own key.
        let key = cookie_of(&parts.headers, SESSION_COOKIE).unwrap_or_default().to_owned();
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

    /// What the user has, and how much of it.
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

    /// The whole page with this sheet, and the outcome beside it.
    async fn show(&self, asked: &Wanted, sheet: Sheet, outcome: Option<Outcome>) -> Response {
        let (view, lang) = (&self.view, self.view.lang);
        let (note, mut problem) = match outcome {
            Some(Outcome::PasswordSet) => {
                (Some(view.say("支付密码已设置。", "Your payment password is set.")), None)
            }
            Some(Outcome::MoneyCame) => (Some(view.say("钱已到账。", "The money is here.")), None),
            Some(Outcome::NotDone(why)) => (None, Some(why)),
            _ => (None, None),
        };
        let (mut balances, mut history, mut has_money) = (Vec::new(), Vec::new(), false);
        match self.purses().await {
            Err(why) => problem = problem.or(Some(why)),
            Ok(has) => {
                let purses: Vec<Purse> = has.iter().map(|(purse, _)| purse.clone()).collect();
                has_money = has.iter().any(|(_, amount)| amount.contains(|c| matches!(c, '1'..='9')));
                let money =
                    |(purse, amount): (Purse, String)| Money { amount, unit: purse.unit().to_owned() };
                balances = has.into_iter().map(money).collect();
                match self.newest(&purses, history::LATELY).await {
                    Ok(moved) => history = moved,
                    Err(failure) => problem = problem.or(Some(NotDone::failed(&failure))),
                }
            }
        }
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
            balances,
            history,
            sheet,
            problem,
            note,
            scan,
            declined: match &*asked.declined {
                "pay" => Some(view.say(
                    "没有付款，也没有扣款；订单仍可支付，直到它过期。",
                    "Declined: nothing was charged. The order can be paid until it expires.",
                )),
                "login" => Some(
                    view.say("没有同意；应用不知道你是谁。", "Declined: the app does not learn who you are."),
                ),
                _ => None,
            },
            poor: login_name == POOR.login_name && !has_money,
            no_password: self.user.wallet_pwd.is_none().then(|| asked.address("/wallet/password")),
            // Until the user has set another.
            wallet_pwd: demo.filter(|_| self.user.wallet_pwd_version == 1).map(|user| user.wallet_pwd),
            given: setup::GIVEN.to_owned(),
        })
    }

    /// On to the wallet, which tells an outcome beside the sheet that was asked for.
    fn keep(&self, asked: &Wanted, outcome: Outcome) -> Response {
        self.keep_at("/wallet", asked, outcome)
    }

    /// On to the address that tells an outcome.
    fn keep_at(&self, path: &str, asked: &Wanted, outcome: Outcome) -> Response {
        let mut random = [0; 8];
        self.pages.shared.store.vault().crypto().fill(&mut random);
        let id = u64::from_le_bytes(random);
        self.pages.outcomes.put(self.user.id, self.session, id, outcome);
        let id = id.to_string();
        let query: Vec<_> = asked.fields().chain([("outcome", &*id)]).collect();
        see_other(&format!("{path}?{}", form::query(&query)))
    }

    /// The outcome that an address tells, when this session brought it about.
    fn outcome(&self, asked: &Wanted) -> Option<Outcome> {
        self.pages.outcomes.get(self.user.id, self.session, asked.outcome.parse().ok()?)
    }

    fn refused(&self, asked: &Wanted, why: NotDone) -> Response {
        self.keep(asked, Outcome::NotDone(why))
    }
}

/// The wallet with what is asked for.
pub(crate) async fn page(wallet: Wallet, Params(asked): Params<Wanted>) -> Response {
    let outcome = wallet.outcome(&asked);
    if let Some(done) = outcome.as_ref().and_then(|outcome| Sheet::done(&wallet.view, outcome)) {
        return wallet.show(&Wanted::default(), done, None).await;
    }
    match wallet.sheet(&asked).await {
        Ok(sheet) => wallet.show(&asked, sheet, outcome).await,
        // The outcome of a form comes before what its sheet has become since.
        Err(why) => wallet.show(&asked, Sheet::None, outcome.or(Some(Outcome::NotDone(why)))).await,
    }
}
