//! How a verification code reaches its user.

use wallet_core::Secret;

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
