//! The registration page: the protocol first, then its form.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use wallet_core::crypto::hex_text;

use super::super::{FormMessage, FormProblem, Params, SignedIn, View, page_with};
use crate::context::Server;
use crate::own_app::FormPage;

/// The address of the page.
pub(crate) const NEW_APP: &str = "/apps/new";

/// The protocol, and the faults and fields of a form that is shown again.
#[derive(Default, Deserialize)]
pub(crate) struct Chosen {
    #[serde(default)]
    protocol: String,
    #[serde(flatten)]
    form_problem: FormProblem,
    #[serde(flatten)]
    fields: BTreeMap<String, String>,
}

/// The fault of a name that may not be shown. The apps of every protocol have a name.
pub(crate) const fn name_fault(field: &'static str) -> FormMessage {
    FormMessage {
        id: "name",
        field,
        zh: "名称须为 1 到 64 个可见字符。",
        en: "The name must have 1 to 64 visible characters.",
    }
}

/// A protocol to choose.
struct Choice {
    id: &'static str,
    name: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "app_new.html")]
struct NewPage<'a> {
    view: &'a View,
    choices: Vec<Choice>,
    form: String,
}

fn new_page(server: &Server, view: &View, status: StatusCode, asked: &Chosen) -> Response {
    let mut random = [0; 2];
    server.inner.store.vault().crypto().fill(&mut random);
    let fresh = hex_text(&random);
    let (none, no_problem) = (BTreeMap::new(), FormProblem::default());
    let (mut choices, mut form) = (Vec::new(), None);
    let is_known = server.inner.protocol_named(&asked.protocol).is_some();
    for protocol in &server.inner.protocols {
        let meta = protocol.meta();
        let (filled_in, problem) = match meta.id == asked.protocol {
            true => (&asked.fields, &asked.form_problem),
            false => (&none, &no_problem),
        };
        let page = FormPage { lang: view.lang, csrf: &view.csrf, filled_in, problem, fresh: &fresh };
        let Some(made) = protocol.registration_form(&page) else { continue };
        // Without a choice in the address: the first one.
        let chosen = if is_known { meta.id == asked.protocol } else { form.is_none() };
        choices.push(Choice { id: meta.id, name: made.name, chosen });
        if chosen {
            form = Some(made.html);
        }
    }
    page_with(status, &NewPage { view, choices, form: form.unwrap_or_default() })
}

pub(crate) async fn registration(
    State(server): State<Server>,
    view: View,
    _: SignedIn,
    Params(asked): Params<Chosen>,
) -> Response {
    new_page(&server, &view, StatusCode::OK, &asked)
}

/// The page after a protocol's form with faults, by the ids of its messages. The fields are shown again.
pub fn form_again(
    server: &Server,
    view: &View,
    protocol: &str,
    fields: &[(&str, &str)],
    faults: &[&str],
) -> Response {
    let form_problem = FormProblem::of(&faults.join(","));
    let shown: Vec<_> = [("protocol", protocol)].iter().chain(fields).copied().collect();
    let view = view.clone().again(NEW_APP, &shown, &form_problem);
    let fields = fields.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect();
    let asked = Chosen { protocol: protocol.to_owned(), form_problem, fields };
    new_page(server, &view, StatusCode::UNPROCESSABLE_ENTITY, &asked)
}
