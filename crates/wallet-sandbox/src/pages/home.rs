//! The start page: the platforms' URLs, four links, the last exchanges, the sandbox's time.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use wallet_server::pages::{View, page as render};
use wallet_store::Clock as _;

use super::inspect::{Row, latest};
use super::{Pages, shown_time};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    view: &'a View,
    url: &'a str,
    /// The address of the form that registers an app, by way of a registration for a visitor without an account.
    connect: &'static str,
    now: String,
    exchanges: Vec<Row>,
}

#[derive(Template)]
#[template(path = "exchanges.html")]
struct Exchanges<'a> {
    view: &'a View,
    exchanges: Vec<Row>,
}

/// The number of exchanges on the start page.
const SHOWN: usize = 8;

pub(crate) async fn page(State(pages): State<Pages>, view: View) -> Response {
    let now = shown_time(pages.shared.clock.now());
    let exchanges = latest(&pages, &view, SHOWN);
    let connect = match view.user {
        Some(_) => "/apps/new",
        None => "/openfomo/register.html?next=%2Fapps%2Fnew",
    };
    render(&HomePage { view: &view, url: &pages.shared.url, connect, now, exchanges })
}

pub(crate) async fn live(State(pages): State<Pages>, view: View) -> Response {
    render(&Exchanges { view: &view, exchanges: latest(&pages, &view, SHOWN) })
}
