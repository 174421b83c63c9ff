//! The setup of a wallet before its first payment: a payment password, and the sandbox's money.

use askama::Template;
use axum::response::Response;
use wallet_api::fomo::limits;
use wallet_api::vas::Profile;
use wallet_chain::embedded::DevIssue;
use wallet_core::Amount;
use wallet_platform::{ActiveCoins, Deposit, Failure};
use wallet_server::pages::{Params, SubmittedForm, View, page};

use super::outcomes::{NotDone, Outcome};
use super::{Wallet, Wanted};

/// The fewest characters of a payment password that this page accepts.
const SHORTEST: usize = limits::SHORTEST_WALLET_PWD as usize;
/// The amount of each coin that a user receives on request.
pub(super) const GIVEN: &str = "100";

#[derive(Template)]
#[template(path = "wallet_password.html")]
struct PasswordPage<'a> {
    view: &'a View,
    name: &'a str,
    /// The login name: a password manager stores the password under it.
    login_name: &'a str,
    /// Whether the new password replaces an existing one.
    replaces: bool,
    problem: Option<String>,
    /// The wallet's parameters, to return to its sheet.
    asked: &'a Wanted,
    shortest: usize,
}

/// The form that sets the payment password.
pub(crate) async fn password_form(wallet: Wallet, Params(asked): Params<Wanted>) -> Response {
    let problem = match wallet.outcome(&asked) {
        Some(Outcome::NotDone(why)) => Some(why.words(wallet.view.lang).to_owned()),
        _ => None,
    };
    page(&PasswordPage {
        view: &wallet.view,
        name: &wallet.user.name,
        login_name: &wallet.user.login_name,
        replaces: wallet.user.wallet_pwd.is_some(),
        problem,
        asked: &asked,
        shortest: SHORTEST,
    })
}

/// Sets the payment password through the platform's set_wallet_pwd call.
pub(crate) async fn set_password(wallet: Wallet, posted: SubmittedForm) -> Response {
    let asked = Wanted::of(&posted);
    let (pwd, chosen) = (posted.text("pwd"), posted.text("wallet_pwd"));
    let set = if chosen.chars().count() < SHORTEST {
        Err(NotDone::because("支付密码至少 6 个字符。", "The payment password needs at least 6 characters."))
    } else if chosen != posted.text("again") {
        Err(NotDone::because("两次输入的支付密码不同。", "The two payment passwords differ."))
    } else {
        let set = wallet.fomo.set_wallet_pwd(&wallet.key(), pwd, chosen).await;
        set.map_err(|error| NotDone::of(&error, wallet.view.lang))
    };
    match set {
        Ok(_) => wallet.keep(&asked, Outcome::PasswordSet),
        Err(why) => wallet.keep_at("/wallet/password", &asked, Outcome::NotDone(why)),
    }
}

/// Credits [`GIVEN`] of each coin and asset to the user.
async fn give(wallet: &Wallet) -> Result<(), Failure> {
    let (store, amount) =
        (&wallet.pages.shared.store, GIVEN.parse::<Amount<'static>>().expect("a decimal number"));
    for coin in store.view(ActiveCoins).await? {
        store.submit(Deposit { user: wallet.user.id, coin: coin.id, amount: amount.clone() }).await?;
    }
    for profile in Profile::ALL {
        let (to, asset) = (store.vault().address(wallet.user.id), profile.asset().to_owned());
        store.submit(DevIssue { to, asset, amount: amount.clone() }).await?;
    }
    Ok(())
}

/// Gives money to a user who asks for it.
pub(crate) async fn get_money(wallet: Wallet, posted: SubmittedForm) -> Response {
    let asked = Wanted::of(&posted);
    match give(&wallet).await {
        Ok(()) => {
            wallet.pages.shared.server.watcher().wake(); // a block is due
            wallet.keep(&asked, Outcome::MoneyCame)
        }
        Err(failure) => wallet.refused(&asked, NotDone::failed(&failure)),
    }
}
