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
        NoticeKind::ReceiverFails => "receiver_fails",
        NoticeKind::CallbackGivenUp => "callback_given_up",
        NoticeKind::ReceiverRecovered => "receiver_recovered",
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
        let mut message = serde_json::json!({
            "kind": kind(notice),
            "to": notice.recipient,
            "about": notice.about,
            "attempt": notice.attempt,
        });
        if !notice.secret.expose().is_empty() {
            message["code"] = notice.secret.expose().as_str().into();
        }
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
        let app = &notice.about;
        let (subject, text) = match notice.kind {
            NoticeKind::ReceiverFails => (
                "回调失败 / Callbacks fail",
                format!(
                    "应用 {app} 的接收端连续没有确认回调。平台会继续重试；请在开发者页面查看原因。\n\n\
                     The receiver of your app {app} did not acknowledge several callbacks in a row. The platform goes on trying; \
                     the developers' page shows why they fail.\n"
                ),
            ),
            NoticeKind::CallbackGivenUp => (
                "回调未送达 / A callback was not delivered",
                format!(
                    "应用 {app} 的一个回调已用完所有重试。修复接收端后，请在开发者页面重发。\n\n\
                     Every attempt to deliver a callback to your app {app} has failed. Once the receiver works, send it again from \
                     the developers' page.\n"
                ),
            ),
            NoticeKind::ReceiverRecovered => (
                "回调已恢复 / Callbacks are acknowledged again",
                format!(
                    "应用 {app} 的接收端又开始确认回调。\n\nThe receiver of your app {app} acknowledges callbacks again.\n"
                ),
            ),
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
        let (kind, to, about) = (kind(notice), &notice.recipient, &notice.about);
        let code = notice.secret.expose();
        tracing::warn!(kind, to, about, code, "a notice, in the log because notify.by is log");
        Box::pin(async { Ok(()) })
    }
}
