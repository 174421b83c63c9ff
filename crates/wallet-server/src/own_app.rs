//! An app of a developer, as the pages about it see it, whatever its protocol.

use std::future::Future;
use std::pin::Pin;

use wallet_core::{Text, UnixTime};
use wallet_platform::{CallbackKind, Failure, ReceiverId};

use crate::store::Store;

/// Something that is found out later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How good a state is: the colour that a page shows it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should be.
    Good,
    /// It waits for something.
    Waiting,
    /// It has failed.
    Bad,
}

impl Mood {
    /// Whether something has failed.
    pub(crate) fn is_bad(self) -> bool {
        self == Self::Bad
    }

    /// The class of the pages' stylesheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Waiting => "warn",
            Self::Bad => "bad",
        }
    }
}

/// An app as lists and the heads of pages show it.
#[derive(Debug)]
pub struct AppSummary {
    /// Its name.
    pub name: String,
    /// The platform that it is an app of.
    pub platform: Text,
    /// Its id on the wire.
    pub id: String,
    /// The address of its page.
    pub href: String,
    /// Its state, in words.
    pub state: Text,
    /// How good that is.
    pub mood: Mood,
}

/// A payment to an app, or by it.
#[derive(Debug)]
pub struct ShownPayment {
    /// The app's own id.
    pub about: String,
    /// The platform's id: a transfer_id, or the transaction.
    pub id: String,
    /// Whether the app receives it.
    pub received: bool,
    /// The amount, a decimal.
    pub amount: String,
    /// The fee, a decimal; empty where nothing is charged.
    pub fee: String,
    /// The coin or asset.
    pub coin: String,
    /// Its state, in words.
    pub state: Text,
    /// How good that is.
    pub mood: Mood,
    /// When it last changed.
    pub at: UnixTime,
    /// When it was first seen.
    pub since: UnixTime,
    /// Whether it is paid.
    pub paid: bool,
}

/// Some of an app's payments, and where the others begin.
#[derive(Debug)]
pub struct Part<T> {
    /// What was found.
    pub found: Vec<T>,
    /// Where the next part begins; `None` after the last one.
    pub next: Option<u64>,
}

/// An app of a developer.
pub trait OwnApp: Send + Sync {
    /// What lists show of it.
    fn summary(&self) -> AppSummary;

    /// As whom its callbacks are delivered.
    fn receiver(&self) -> ReceiverId;

    /// The kind of its callbacks.
    fn callback(&self) -> CallbackKind;

    /// At most `limit` of its payments, the last to change first; `from` is where the part before has ended.
    fn payments<'a>(
        &'a self,
        store: &'a Store,
        from: Option<u64>,
        limit: u64,
    ) -> Later<'a, Result<Part<ShownPayment>, Failure>>;

    /// The columns of its statement.
    fn statement_head(&self) -> &'static [&'static str];

    /// At most `limit` lines of its statement: what was paid. `from` is where the part before has ended.
    fn statement<'a>(
        &'a self,
        store: &'a Store,
        from: Option<u64>,
        limit: u64,
    ) -> Later<'a, Result<Part<Vec<String>>, Failure>>;
}

/// Text that no spreadsheet takes for a formula: an apostrophe stands before what would begin one.
pub(crate) fn unformulated(text: &str) -> String {
    let formula = text.starts_with(['\t', '\r', '\n'])
        || text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    format!("{}{text}", if formula { "'" } else { "" })
}
