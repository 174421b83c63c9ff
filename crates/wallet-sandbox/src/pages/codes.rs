//! Verification codes, shown instead of sent.

use askama::Template;
use axum::response::Response;
use wallet_server::pages::{View, page as render};

use crate::state::Code;

#[derive(Template)]
#[template(path = "codes.html")]
struct CodesPage<'a> {
    view: &'a View,
    codes: &'a [Code],
}

pub(crate) fn page(view: &View, codes: &[Code]) -> Response {
    render(&CodesPage { view, codes })
}
