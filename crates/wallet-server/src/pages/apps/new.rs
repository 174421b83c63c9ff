//! The registration page: the form of each protocol.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::super::{FormMessage, FormProblem, Params, SignedIn, View, page_with};
use crate::own_app::FormPage;
use crate::server::Server;

/// The address of the page.
pub(crate) const NEW_APP: &str = "/apps/new";

/// The fields that were filled in, and the fault of one of them.
#[derive(Default, Deserialize)]
pub(crate) struct FilledIn {
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

fn new_page(server: &Server, view: &View, status: StatusCode, filled_in: &FilledIn) -> Response {
    let form_page = FormPage { lang: view.lang, csrf: &view.csrf, filled_in: &filled_in.fields };
    let protocols = server.inner.protocols.iter();
    let forms: Vec<_> = protocols.filter_map(|protocol| protocol.registration_form(&form_page)).collect();
    let problem = filled_in.form_problem.in_words(view, forms.iter().flat_map(|form| form.faults));
    page_with(status, &NewPage { view, problem, forms: forms.into_iter().map(|form| form.html).collect() })
}

pub(crate) async fn registration(
    State(server): State<Server>,
    view: View,
    _: SignedIn,
    Params(filled_in): Params<FilledIn>,
) -> Response {
    new_page(&server, &view, StatusCode::OK, &filled_in)
}

/// The page after a form with a fault.
pub(crate) fn again(
    server: &Server,
    view: &View,
    fields: &[(&str, &str)],
    form_problem: FormProblem,
) -> Response {
    let view = view.clone().again(NEW_APP, fields, &form_problem);
    let fields = fields.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect();
    new_page(server, &view, StatusCode::UNPROCESSABLE_ENTITY, &FilledIn { form_problem, fields })
}
