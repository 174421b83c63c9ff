//! The trait [`OwnApp`]: a developer's app of any protocol, for the pages; and the form that registers one.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use wallet_core::{Lang, Text, UnixTime};
use wallet_platform::{CallbackKind, Failure, FamilyId, ReceiverId};

use crate::forms::{Faults, FormMessage, FormProblem};
use crate::store::Store;

/// A boxed future.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The colour in which a page shows a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// The state needs no action.
    Good,
    /// The app or payment is pending.
    Waiting,
    /// The app or payment has failed.
    Bad,
}

impl Mood {
    /// Whether the mood is [`Mood::Bad`].
    pub(crate) fn is_bad(self) -> bool {
        self == Self::Bad
    }

    /// The CSS class.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Waiting => "warn",
            Self::Bad => "bad",
        }
    }
}

/// An app that a user has granted access.
#[derive(Debug)]
pub struct GrantedApp {
    /// The app's name.
    pub name: String,
    /// The app's platform.
    pub platform: Text,
    /// The id of the platform's protocol.
    pub protocol: &'static str,
    /// The app's id on the wire.
    pub id: String,
    /// The families of its tokens.
    pub families: Vec<FamilyId>,
}

/// An app, for lists and page headings.
#[derive(Debug)]
pub struct AppSummary {
    /// The app's name.
    pub name: String,
    /// The app's platform.
    pub platform: Text,
    /// The app's id on the wire.
    pub id: String,
    /// The address of the app's page.
    pub href: String,
    /// The state, as text.
    pub state: Text,
    /// The colour of the state.
    pub mood: Mood,
    /// Whether the app has payments, callbacks and settings to show: every app but a pending or rejected application.
    pub has_tabs: bool,
}

/// A payment to an app, or by it.
#[derive(Debug)]
pub struct ShownPayment {
    /// The app's own id of the payment.
    pub about: String,
    /// The platform's id: the transfer_id or the txid.
    pub id: String,
    /// Whether the app receives the payment.
    pub received: bool,
    /// The amount, a decimal.
    pub amount: String,
    /// The fee, a decimal; empty without a fee.
    pub fee: String,
    /// The coin or asset.
    pub coin: String,
    /// The state, as text.
    pub state: Text,
    /// The colour of the state.
    pub mood: Mood,
    /// The time of the last change.
    pub at: UnixTime,
    /// The time of the first record.
    pub since: UnixTime,
    /// Whether the payment is paid.
    pub paid: bool,
    /// The state for filters.
    pub stage: Stage,
    /// Further facts for the payment's own page: names on the wire and values.
    pub facts: Vec<(&'static str, String)>,
}

/// The state of a payment, for filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The payment may still be paid.
    Open,
    /// The payment is paid.
    Paid,
    /// The payment was not paid in time.
    Expired,
}

/// A part of a list, and the start of the next part.
#[derive(Debug)]
pub struct Part<T> {
    /// The rows.
    pub found: Vec<T>,
    /// The start of the next part; `None` after the last one.
    pub next: Option<u64>,
}

/// An app of a developer.
pub trait OwnApp: Send + Sync {
    /// The app's summary.
    fn summary(&self) -> AppSummary;

    /// The texts of the protocol's guide to replace with the app's own values.
    fn in_guide<'a>(&'a self, store: &'a Store) -> Later<'a, Result<Vec<(String, String)>, Failure>> {
        let _ = store;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The receiver of the app's callbacks.
    fn receiver(&self) -> ReceiverId;

    /// The kind of the app's callbacks.
    fn callback(&self) -> CallbackKind;

    /// At most `limit` payments, ordered by the last change, newest first; `from` is the previous part's `next`.
    fn payments<'a>(
        &'a self,
        store: &'a Store,
        from: Option<u64>,
        limit: u64,
    ) -> Later<'a, Result<Part<ShownPayment>, Failure>>;

    /// The payment with the app's own id; `None` if the app has no such payment.
    fn payment<'a>(
        &'a self,
        store: &'a Store,
        about: &'a str,
    ) -> Later<'a, Result<Option<ShownPayment>, Failure>>;

    /// The column names of the app's statement.
    fn statement_head(&self) -> &'static [&'static str];

    /// At most `limit` lines of the statement of paid payments; `from` is the previous part's `next`.
    fn statement<'a>(
        &'a self,
        store: &'a Store,
        from: Option<u64>,
        limit: u64,
    ) -> Later<'a, Result<Part<Vec<String>>, Failure>>;
}

/// The page on which a protocol's registration form is shown.
#[derive(Debug)]
pub struct FormPage<'a> {
    /// The language.
    pub lang: Lang,
    /// The CSRF token, for the form's field `csrf`.
    pub csrf: &'a str,
    /// The fields that were filled in, by the ids of their inputs.
    pub filled_in: &'a BTreeMap<String, String>,
    /// The faults of the form that is shown again.
    pub(crate) problem: &'a FormProblem,
    /// A word that is new at each opening of the page, for the proposed id of an app.
    pub fresh: &'a str,
}

impl FormPage<'_> {
    /// The text of a field that was filled in.
    pub fn text(&self, id: &str) -> &str {
        self.filled_in.get(id).map_or("", String::as_str)
    }

    /// The faults of the form, by its messages.
    pub fn faults(&self, messages: &[FormMessage]) -> Faults {
        Faults::of(self.problem, messages, self.lang)
    }

    /// The text in the page's language.
    pub fn say<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

/// The form that registers an app of a protocol.
#[derive(Debug)]
pub struct RegistrationForm {
    /// The name of the protocol, for the choice above the form.
    pub name: &'static str,
    /// The form, as HTML: inserted into the page as it is, so its template escapes every text. It posts to a path of
    /// [`Protocol::pages`](crate::Protocol::pages) with the field `csrf`; the ids of its inputs are unique among all forms.
    pub html: String,
}

/// Text that no spreadsheet reads as a formula: text that could begin one gets a leading apostrophe.
pub(crate) fn unformulated(text: &str) -> String {
    let formula = text.starts_with(['\t', '\r', '\n'])
        || text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    format!("{}{text}", if formula { "'" } else { "" })
}
