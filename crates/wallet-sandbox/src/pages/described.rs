//! The page of what the sandbox has: base URLs, the demo apps with their credentials, and the users.

use askama::Template;
use axum::response::Response;
use wallet_server::pages::{View, page as render};

use crate::data::{Described, DescribedSignIn, DescribedVas};

#[derive(Template)]
#[template(path = "described.html")]
struct DescribedPage<'a> {
    view: &'a View,
    sandbox: &'a Described,
    wallets: [(&'static str, &'a DescribedVas); 2],
    /// Further users, and their roles.
    others: [(&'a DescribedSignIn, &'a str); 2],
}

/// The page.
pub(crate) fn page(view: &View, sandbox: &Described) -> Response {
    let wallets = [("VAS", &sandbox.vas), ("Lafi", &sandbox.lafi)];
    let others = [
        (&sandbox.poor_user, view.say("没有钱", "without money")),
        (&sandbox.operator, view.say("运营人员", "the operator")),
    ];
    render(&DescribedPage { view, sandbox, wallets, others })
}
