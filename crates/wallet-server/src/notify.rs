//! What the server tells to others: verification codes, and how callbacks went.

use std::time::Duration;

use wallet_core::{Secret, UnixTime};
use wallet_platform::{AttemptResult, CallbackKind};

/// A verification code on its way.
#[derive(Debug, Clone)]
pub struct Notification {
    /// For which login name.
    pub login_name: String,
    /// Of which registration.
    pub verify_id: String,
    /// The code.
    pub verify_code: Secret<String>,
}

/// Sends verification codes: by mail, by message, or onto a page of the sandbox.
pub trait Notifier: Send + Sync + 'static {
    /// Sends one. It must not block.
    fn notify(&self, notification: Notification);
}

/// Sends nothing: registrations cannot be completed.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Notifier for Silent {
    fn notify(&self, notification: Notification) {
        tracing::warn!(
            login_name = notification.login_name,
            "no notifier is configured: a verification code was not sent"
        );
    }
}

/// An attempt to deliver a callback.
#[derive(Debug)]
pub struct Attempted<'a> {
    /// Of which callback.
    pub callback: CallbackKind,
    /// What was sent.
    pub request: &'a http::Request<Vec<u8>>,
    /// How it ended.
    pub result: &'a AttemptResult,
    /// When it began, by the store's clock.
    pub started_at: UnixTime,
    /// How long it took.
    pub took: Duration,
}

/// Sees callbacks go. What it sees is signed, and holds what an app alone should know.
pub trait Observer: Send + Sync + 'static {
    /// One was attempted. It must not block.
    fn attempted(&self, attempted: &Attempted<'_>);
}
