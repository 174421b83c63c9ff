//! How `wallop serve` sends verification codes: by a program, by mail, or into the log.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::io::AsyncWriteExt as _;
use wallet_api::fomo::lifetimes;
use wallet_core::form;
use wallet_server::{ClaimedNotice, Later, NoticeKind, Notifier, Silent};

use crate::config::Config;
use crate::output::{Output, Stop};
use crate::secrets::read_secret;

/// The notifier of a configuration.
pub(crate) fn notifier(output: &Output, config: &Config) -> Result<Arc<dyn Notifier>, Stop> {
    Ok(match config.notify() {
        "command" => Arc::new(Program(config.notify_command().to_owned())),
        "smtp" => Arc::new(Mail::of(output, config)?),
        "log" => Arc::new(Log),
        _ => Arc::new(Silent),
    })
}

const fn kind(notice: &ClaimedNotice) -> &'static str {
    match notice.kind {
        NoticeKind::VerificationCode => "verification_code",
    }
}

/// Runs a program for each notice.
struct Program(PathBuf);

impl Program {
    async fn run(&self, notice: &ClaimedNotice) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.0.display());
        let mut child = tokio::process::Command::new(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let message = serde_json::json!({
            "kind": kind(notice),
            "to": notice.recipient,
            "about": notice.about,
            "code": notice.secret.expose(),
            "attempt": notice.attempt,
        });
        if let Some(mut stdin) = child.stdin.take() {
            // A program that reads nothing closes its end: its exit code says what became of the message.
            let _ = stdin.write_all(format!("{message}\n").as_bytes()).await;
        }
        let status = child.wait().await.map_err(failed)?;
        if status.success() { Ok(()) } else { Err(format!("{}: {status}", self.0.display())) }
    }
}

impl Notifier for Program {
    fn notify<'a>(&'a self, notice: &'a ClaimedNotice) -> Later<'a, Result<(), String>> {
        Box::pin(self.run(notice))
    }
}

/// Sends mails.
struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mail {
    fn of(output: &Output, config: &Config) -> Result<Self, Stop> {
        let (url, password, from) = config.smtp();
        let bad =
            |error: &dyn std::fmt::Display| {
                Stop::usage(output.say(
                    &format!("邮件设置有误：{error}"),
                    &format!("the settings for mail are wrong: {error}"),
                ))
            };
        let from = from.parse().map_err(|error| bad(&error))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|error| bad(&error))?;
        if let Some(path) = password {
            let password = read_secret(output, path)?.expose().trim_end().to_owned();
            let uri: http::Uri = url.parse().map_err(|error| bad(&error))?;
            let user = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
            let user = user.map_or("", |(user, _)| user).replace('+', "%2B");
            let user = form::decode(user.as_bytes()).map_err(|_| bad(&"the user in smtp_url"))?.into_owned();
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self { transport: builder.build(), from })
    }

    async fn send(&self, notice: &ClaimedNotice) -> Result<(), String> {
        let to: Mailbox =
            notice.recipient.parse().map_err(|_| "the login name is no mail address".to_owned())?;
        let (subject, text) = match notice.kind {
            NoticeKind::VerificationCode => (
                "验证码 / Verification code",
                format!(
                    "您的验证码是 {0}，{1} 分钟内有效。如果不是您本人操作，请忽略这封邮件。\n\n\
                     Your verification code is {0}. It is valid for {1} minutes. If you did not ask for it, ignore this mail.\n",
                    notice.secret.expose(),
                    lifetimes::VERIFICATION.as_secs() / 60
                ),
            ),
        };
        let mail = Message::builder().from(self.from.clone()).to(to).subject(subject).body(text);
        let mail = mail.map_err(|error| error.to_string())?;
        self.transport.send(mail).await.map(drop).map_err(|error| error.to_string())
    }
}

impl Notifier for Mail {
    fn notify<'a>(&'a self, notice: &'a ClaimedNotice) -> Later<'a, Result<(), String>> {
        Box::pin(self.send(notice))
    }
}

/// Writes notices into the log, with their secrets: for development only.
struct Log;

impl Notifier for Log {
    fn notify<'a>(&'a self, notice: &'a ClaimedNotice) -> Later<'a, Result<(), String>> {
        let (to, code) = (&notice.recipient, notice.secret.expose());
        tracing::warn!(to, code, "a verification code, in the log because notify.by is log");
        Box::pin(async { Ok(()) })
    }
}
