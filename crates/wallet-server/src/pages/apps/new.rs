//! The registration page: the form of each protocol.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::super::{FormMessage, FormProblem, Params, SignedIn, View, page_with};
use crate::context::Server;
use crate::own_app::FormPage;

/// The address of the page.
pub(crate) const NEW_APP: &str = "/apps/new";

/// The form that is shown again: its protocol, its fault, and its fields.
#[derive(Default, Deserialize)]
pub(crate) struct Again {
    #[serde(default)]
    protocol: String,
    #[serde(flatten)]
    form_problem: FormProblem,
    #[serde(flatten)]
    fields: BTreeMap<String, String>,
}

/// The fault of a name that may not be shown. The apps of every protocol have a name.
pub(crate) const NAME_FAULT: FormMessage = FormMessage {
    id: "name",
    zh: "名称须为 1 到 64 个可见字符。",
    en: "The name must have 1 to 64 visible characters.",
};

#[derive(Template)]
#[template(path = "app_new.html")]
struct NewPage<'a> {
    view: &'a View,
    problem: Option<String>,
    forms: Vec<String>,
}

fn new_page(server: &Server, view: &View, status: StatusCode, again: &Again) -> Response {
    let (mut problem, mut forms, none) = (None, Vec::new(), BTreeMap::new());
    for protocol in &server.inner.protocols {
        let is_again = protocol.meta().id == again.protocol;
        let filled_in = if is_again { &again.fields } else { &none };
        let form_page = FormPage { lang: view.lang, csrf: &view.csrf, filled_in };
        let Some(form) = protocol.registration_form(&form_page) else { continue };
        if is_again {
            problem = again.form_problem.in_words(view, form.faults);
        }
        forms.push(form.html);
    }
    page_with(status, &NewPage { view, problem, forms })
}

pub(crate) async fn registration(
    State(server): State<Server>,
    view: View,
    _: SignedIn,
    Params(again): Params<Again>,
) -> Response {
    new_page(&server, &view, StatusCode::OK, &again)
}

/// The page after a protocol's form with a fault, one of [`RegistrationForm::faults`](crate::RegistrationForm::faults).
/// The fields are shown again.
pub fn form_again(
    server: &Server,
    view: &View,
    protocol: &str,
    fields: &[(&str, &str)],
    fault: &str,
) -> Response {
    let form_problem = FormProblem::of(fault);
    let shown: Vec<_> = [("protocol", protocol)].iter().chain(fields).copied().collect();
    let view = view.clone().again(NEW_APP, &shown, &form_problem);
    let fields = fields.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect();
    let again = Again { protocol: protocol.to_owned(), form_problem, fields };
    new_page(server, &view, StatusCode::UNPROCESSABLE_ENTITY, &again)
}
