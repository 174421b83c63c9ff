//! The faults of a page's form: their texts, the fields that they belong to, and the address that repeats them.

use std::time::Duration;

use askama::filters::{Html, escape};
use serde::Deserialize;
use wallet_core::Lang;
use wallet_platform::{Failure, Reason};

/// The text of a form's fault.
#[derive(Debug)]
pub struct FormMessage {
    /// Its name in the address of the form's page.
    pub id: &'static str,
    /// The id of the input that it belongs to; empty for a fault of the whole form.
    pub field: &'static str,
    /// The fault and the remedy, in Chinese.
    pub zh: &'static str,
    /// The fault and the remedy, in English.
    pub en: &'static str,
}

/// The fault in the address of a form that is shown again. A forged address can select one of the form's messages and
/// has no other effect.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FormProblem {
    /// The ids of the faults, separated by commas.
    fault: String,
    /// The seconds until the next try.
    wait: String,
}

impl FormProblem {
    /// A fault without a wait.
    pub(crate) fn of(fault: &str) -> Self {
        Self { fault: fault.to_owned(), wait: String::new() }
    }

    /// `fault` with the refusal's wait, if the failure has this reason; else `None`.
    pub(crate) fn by(failure: &Failure, reason: Reason, fault: &str) -> Option<Self> {
        let no = failure.refused().filter(|no| no.reason == reason)?;
        let wait = no.wait.map(|wait| wait.as_millis().div_ceil(1000).to_string());
        Some(Self { fault: fault.to_owned(), wait: wait.unwrap_or_default() })
    }

    /// Replaces the fault if the user has to wait.
    pub(crate) fn or_locked(self, fault: &str) -> Self {
        if self.wait.is_empty() { self } else { Self { fault: fault.to_owned(), ..self } }
    }

    /// The query parameters.
    pub(crate) fn pairs(&self) -> [(&'static str, &str); 2] {
        [("fault", &self.fault), ("wait", &self.wait)]
    }
}

/// A form's faults as its template shows them.
#[derive(Debug, Default)]
pub struct Faults {
    /// The id of the input, empty for a fault of the whole form; and the text.
    found: Vec<(&'static str, String)>,
}

impl Faults {
    /// The faults of a form that is shown again.
    pub(crate) fn of(problem: &FormProblem, messages: &[FormMessage], lang: Lang) -> Self {
        let wait = problem.wait.parse().map(Duration::from_secs);
        let found = problem.fault.split(',').filter(|id| !id.is_empty()).map(|id| {
            let (field, text) = match messages.iter().find(|message| message.id == id) {
                Some(message) => (message.field, message.in_lang(lang)),
                None => ("", UNKNOWN.in_lang(lang)),
            };
            let words = match wait {
                Ok(wait) => wallet_core::with_wait(text.trim_end_matches(['.', '。']), wait, lang),
                Err(_) => text.to_owned(),
            };
            (field, words)
        });
        Self { found: found.collect() }
    }

    fn at(&self, field: &str) -> Option<&str> {
        self.found.iter().find(|(at, _)| *at == field).map(|(_, words)| &**words)
    }

    /// The text of the fault of the whole form.
    pub fn whole(&self) -> Option<&str> {
        self.at("")
    }

    /// Whether the form has a fault.
    pub fn any(&self) -> bool {
        !self.found.is_empty()
    }

    /// The attributes of an input: a wrong one is marked, and the first wrong one gets the focus.
    pub fn input(&self, field: &str) -> String {
        if self.at(field).is_none() {
            return String::new();
        }
        let first = self.found.iter().find(|(at, _)| !at.is_empty()).is_some_and(|(at, _)| *at == field);
        let focus = if first { " autofocus" } else { "" };
        format!(" aria-invalid=\"true\" aria-describedby=\"{field}_fault\"{focus}")
    }

    /// The text below an input, as HTML; empty if the input is right.
    pub fn below(&self, field: &str) -> String {
        self.at(field).map_or(String::new(), |words| {
            let words = escape(words, Html).map_or(String::new(), |escaped| escaped.to_string());
            format!("<p class=\"problem small\" id=\"{field}_fault\">{words}</p>")
        })
    }
}

/// The text of a fault that the form does not know: somebody has edited its address.
const UNKNOWN: FormMessage = FormMessage {
    id: "",
    field: "",
    zh: "提交未成功：请核对填写的内容。",
    en: "That did not work: check the fields.",
};

impl FormMessage {
    fn in_lang(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }
}
