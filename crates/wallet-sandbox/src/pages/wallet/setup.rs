//! What a wallet needs before it pays: a payment password, and some of the sandbox's money.

use askama::Template;
use axum::response::Response;
use wallet_api::vas::Profile;
use wallet_core::Amount;
use wallet_platform::{ActiveCoins, Deposit, DevIssue, Failure};
use wallet_server::pages::{Params, SubmittedForm, View, page};

use super::outcomes::{NotDone, Outcome};
use super::{Wallet, Wanted};

/// Fewest characters of a payment password that is chosen on this page.
const SHORTEST: usize = 6;
/// How much of every coin a user gets who asks for it.
pub(super) const GIVEN: &str = "100";

#[derive(Template)]
#[template(path = "wallet_password.html")]
struct PasswordPage<'a> {
    view: &'a View,
    name: &'a str,
    /// What the user signs in with: a password manager files passwords under it.
    login_name: &'a str,
    /// Whether there is one, which this one replaces.
    replaces: bool,
    problem: Option<String>,
    /// What was asked of the wallet, to come back to.
    asked: &'a Wanted,
    shortest: usize,
}

/// The form in which a payment password is chosen.
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

/// Sets the payment password, by the platform's own call.
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

/// Some of each coin and asset, out of nothing.
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
            wallet.pages.shared.server.watcher().wake(); // a block waits to be made
            wallet.keep(&asked, Outcome::MoneyCame)
        }
        Err(failure) => wallet.refused(&asked, NotDone::failed(&failure)),
    }
}
