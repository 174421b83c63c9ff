//! The traits [`Notifier`] for verification codes and [`Observer`] for callback attempts.

use std::time::Duration;

use wallet_core::{Secret, UnixTime};
use wallet_platform::{AttemptResult, CallbackKind};

/// A verification code and its recipient.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The login name of the recipient.
    pub login_name: String,
    /// The id of the registration.
    pub verify_id: String,
    /// The code.
    pub verify_code: Secret<String>,
}

/// Sends verification codes: by mail, by message, or onto a page of the sandbox.
pub trait Notifier: Send + Sync + 'static {
    /// Sends one code. Must not block.
    fn notify(&self, notification: Notification);
}

/// A notifier that sends nothing: no registration can be completed.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Notifier for Silent {
    fn notify(&self, notification: Notification) {
        tracing::warn!(
            login_name = notification.login_name,
            "cannot send a verification code: no notifier is configured"
        );
    }
}

/// An attempt to deliver a callback.
#[derive(Debug)]
pub struct Attempted<'a> {
    /// The kind of the callback.
    pub callback: CallbackKind,
    /// The request, as sent.
    pub request: &'a http::Request<Vec<u8>>,
    /// The result.
    pub result: &'a AttemptResult,
    /// The start, by the store's clock.
    pub started_at: UnixTime,
    /// The duration.
    pub took: Duration,
}

/// An observer of callback attempts. The requests are signed and hold data for the app only.
pub trait Observer: Send + Sync + 'static {
    /// Called after each attempt. Must not block.
    fn attempted(&self, attempted: &Attempted<'_>);
}
