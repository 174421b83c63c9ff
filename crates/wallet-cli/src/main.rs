//! The program `wallop`: the sandbox, the demos and the tools for signatures.
//!
//! Exit codes: 0 done; 1 a finding (a signature does not fit, a demo has an unexpected value); 2 wrong usage; 3 the
//! environment (a file, a port, the network).

#![allow(clippy::print_stderr)]

mod admin;
mod config;
mod demos;
mod dev;
mod explain;
mod keep;
mod notify;
mod output;
mod qr;
mod secrets;
mod serve;
mod sign;
mod socket;
#[cfg(feature = "otlp")]
mod traces;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};
use wallet_core::Lang;

use crate::output::{Output, Stop};

/// Wallet open platforms: a sandbox, demos and tools for signatures.
#[derive(Parser)]
#[command(
    name = "wallop",
    version,
    after_help = "Examples:\n  wallop dev --open\n  wallop demo fomo\n  wallop explain link --key rsa_public.pem < link.txt\n\n\
                  Exit codes: 0 done, 1 a finding, 2 wrong usage, 3 the environment (a file, a port, the network)"
)]
struct Arguments {
    /// The format of the logs on stderr; WALLOP_LOG sets the level (for example `debug`).
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
    /// The language of the output.
    #[arg(long, global = true, value_enum, default_value_t = OutputLang::En)]
    lang: OutputLang,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum OutputLang {
    Zh,
    En,
}

#[derive(Subcommand)]
enum Command {
    /// Run the sandbox: demo users, coins and apps of both platforms, offline, on 127.0.0.1.
    #[command(after_help = dev::EXAMPLES)]
    Dev(dev::Arguments),
    /// Run the platform in production, on SQLite or PostgreSQL.
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::From),
    /// Show or check the configuration of `wallop serve`.
    #[command(after_help = serve::CONFIG_EXAMPLES)]
    Config {
        #[command(subcommand)]
        command: serve::ConfigCommand,
    },
    /// Make or check the master key of `wallop serve`.
    #[command(after_help = serve::KEY_EXAMPLES)]
    Key {
        #[command(subcommand)]
        command: serve::KeyCommand,
    },
    /// Check a whole database: balances, journals, callbacks, references, secrets. Servers may be running on it.
    #[command(after_help = keep::CHECK_EXAMPLES)]
    Check(keep::Check),
    /// Write a copy of a SQLite database into a file, while its server is running.
    #[command(after_help = keep::BACKUP_EXAMPLES)]
    Backup(keep::Backup),
    /// Put a backup in the place of a database that does not exist yet.
    #[command(after_help = keep::RESTORE_EXAMPLES)]
    Restore(keep::Restore),
    /// Copy a SQLite database into an empty PostgreSQL database, and compare both.
    #[command(after_help = keep::COPY_EXAMPLES)]
    Copy(keep::Copy),
    /// Bring the tables of a database up to date, or say what that would do.
    #[command(after_help = keep::MIGRATE_EXAMPLES)]
    Migrate(keep::Migrate),
    /// Play a whole payment against a sandbox and print every step.
    #[command(after_help = demos::EXAMPLES)]
    Demo(demos::Arguments),
    /// Operate a platform: operators, apps, users, callbacks, the audit, and everything that has an id.
    #[command(after_help = admin::EXAMPLES)]
    Admin(admin::Arguments),
    /// Explain why a signature does not fit.
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Arguments),
    /// Make or verify a signature of requests, links or callbacks.
    #[command(after_help = sign::EXAMPLES)]
    Sign {
        #[command(subcommand)]
        command: sign::Command,
    },
    /// Print the callback secret (whsec_…) of a FOMO app, for Standard Webhooks libraries.
    #[command(after_help = sign::WEBHOOK_EXAMPLES)]
    WebhookSecret(sign::WebhookArguments),
    /// Draw a link as a QR code, in the terminal or into files.
    #[command(after_help = qr::EXAMPLES)]
    Qr(qr::Arguments),
}

/// The level of the logs. A filter that cannot be read is reported, and `info` is used.
fn log_filter(output: &Output) -> EnvFilter {
    let Ok(text) = std::env::var("WALLOP_LOG") else { return EnvFilter::new("info") };
    EnvFilter::try_new(&text).unwrap_or_else(|error| {
        eprintln!(
            "wallop: {}",
            output.say(
                &format!("WALLOP_LOG={text:?} 不是日志过滤条件：{error}；改用 info（可用 error、warn、info、debug、trace）"),
                &format!("WALLOP_LOG={text:?} is not a log filter: {error}; using info (error, warn, info, debug or trace)"),
            )
        );
        EnvFilter::new("info")
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let lang = match arguments.lang {
        OutputLang::Zh => Lang::Zh,
        OutputLang::En => Lang::En,
    };
    let output = Output { lang };
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = match arguments.log {
        LogFormat::Text => logs.with_ansi(false).boxed(),
        LogFormat::Json => logs.json().boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(logs.with_filter(log_filter(&output)));
    #[cfg(feature = "otlp")]
    let (subscriber, _exporter) = {
        let serves = matches!(arguments.command, None | Some(Command::Dev(_) | Command::Serve(_)));
        let exporter = if serves { traces::Exporter::of_variables() } else { Ok(None) };
        match exporter {
            Ok(exporter) => (subscriber.with(exporter.as_ref().map(traces::Exporter::layer)), exporter),
            Err(error) => {
                let zh = format!("OTEL_EXPORTER_OTLP_ENDPOINT 无法使用：{error}；请写成 http://主机:4318");
                let en = format!(
                    "OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {error}; write it as http://HOST:4318"
                );
                eprintln!("wallop: {}", output.say(&zh, &en));
                return ExitCode::from(2);
            }
        }
    };
    subscriber.init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("wallop: cannot start threads: {error}");
            return ExitCode::from(3);
        }
    };
    let done = runtime.block_on(async {
        // Without a command: the sandbox, so that `cargo run --release` shows something.
        match arguments.command.unwrap_or(Command::Dev(dev::Arguments::default())) {
            Command::Dev(arguments) => dev::run(&output, arguments).await,
            Command::Serve(from) => serve::run(&output, from).await,
            Command::Config { command } => serve::config(&output, command),
            Command::Key { command } => serve::key(&output, command).await,
            Command::Check(arguments) => keep::check(&output, arguments),
            Command::Backup(arguments) => keep::backup(&output, arguments),
            Command::Restore(arguments) => keep::restore(&output, arguments),
            Command::Copy(arguments) => keep::copy(&output, arguments),
            Command::Migrate(arguments) => keep::migrate(&output, arguments),
            Command::Demo(arguments) => demos::run(&output, arguments).await,
            Command::Admin(arguments) => admin::run(&output, arguments).await,
            Command::Explain(arguments) => explain::run(&output, arguments),
            Command::Sign { command } => sign::run(&output, command),
            Command::WebhookSecret(arguments) => sign::webhook_secret(&output, &arguments),
            Command::Qr(arguments) => qr::run(&output, arguments),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop { code, words }) => {
            if !words.is_empty() {
                eprintln!("wallop: {words}");
            }
            ExitCode::from(code)
        }
    }
}
