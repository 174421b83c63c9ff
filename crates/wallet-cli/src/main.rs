//! The program `wallop`: the sandbox and the demos.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;
use wallet_api::vas::{Profile, pay};
use wallet_client::QrCode;
use wallet_core::Lang;
use wallet_core::link::OutgoingLink;
use wallet_crypto::{Portable, PublicKey};
use wallet_explain::{Cause, Finding, SentLink, rsa};
use wallet_sandbox::{Described, Sandbox, SandboxOptions, clock_of, demo};
use wallet_server::{DataDirectory, add_operator};

/// Wallet open platforms: a sandbox, demos and tools.
#[derive(Parser)]
#[command(name = "wallop", version)]
struct Arguments {
    /// The format of the logs on stderr; WALLOP_LOG sets the level (for example `debug`).
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Run the sandbox: demo users, coins and apps of both platforms, offline, on 127.0.0.1.
    Dev(DevArguments),
    /// Play a whole payment against a sandbox and print every step.
    Demo {
        #[command(subcommand)]
        platform: DemoPlatform,
    },
    /// Manage operators, who review applications and see failures at /admin.
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Explain why a signature does not fit.
    Explain {
        #[command(subcommand)]
        platform: ExplainPlatform,
    },
    /// Draw a link as a QR code, in the terminal or into files.
    Qr(QrArguments),
}

#[derive(clap::Args)]
struct QrArguments {
    /// The link; without it the first line of stdin.
    link: Option<String>,
    /// Write an SVG picture to this file.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Write a PNG picture to this file.
    #[arg(long)]
    png: Option<PathBuf>,
}

#[derive(Subcommand)]
enum ExplainPlatform {
    /// `sign` of a FOMO request; client_secret is read from stdin, so that no shell keeps it.
    #[command(override_usage = "wallop explain fomo [OPTIONS] <TIMESTAMP> <SIGN> < FILE-WITH-CLIENT_SECRET")]
    Fomo {
        /// The timestamp that was sent.
        timestamp: String,
        /// The sign that was sent.
        sign: String,
        /// The language of the output.
        #[arg(long, value_enum, default_value_t = DemoLang::En)]
        lang: DemoLang,
    },
    /// The signature of a VAS or Lafi pay link.
    Link {
        /// The link as it was sent; without it the first line of stdin.
        link: Option<String>,
        /// The file with the app's public key, in any form.
        #[arg(long)]
        key: PathBuf,
        /// The language of the output.
        #[arg(long, value_enum, default_value_t = DemoLang::En)]
        lang: DemoLang,
    },
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Make NAME an operator; create the user if necessary, and print the new password once.
    Add {
        /// The login name.
        name: String,
        /// The server's data directory; stop the server first.
        #[arg(long)]
        data: PathBuf,
    },
}

#[derive(clap::Args)]
struct DevArguments {
    /// The port on 127.0.0.1; 0 takes any.
    #[arg(long, default_value_t = 7070)]
    port: u16,
    /// Keep the data in this directory instead of a temporary one.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print one line of JSON once ready, and nothing else on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum DemoPlatform {
    /// FOMO: sign in, authorize, pay, get paid back, refresh.
    Fomo(DemoArguments),
    /// VAS: apply, log in and pay by QR code, see the block and the callback.
    Vas(DemoArguments),
    /// Lafi: the same protocol with another scheme and another asset.
    Lafi(DemoArguments),
}

#[derive(clap::Args)]
struct DemoArguments {
    /// A running sandbox; without it the demo starts its own.
    #[arg(long)]
    url: Option<String>,
    /// The language of the output.
    #[arg(long, value_enum, default_value_t = DemoLang::En)]
    lang: DemoLang,
}

#[derive(Clone, Copy, ValueEnum)]
enum DemoLang {
    Zh,
    En,
}

impl From<DemoLang> for Lang {
    fn from(lang: DemoLang) -> Self {
        match lang {
            DemoLang::Zh => Self::Zh,
            DemoLang::En => Self::En,
        }
    }
}

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("WALLOP_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log {
        LogFormat::Text => logs.with_ansi(false).init(),
        LogFormat::Json => logs.json().init(),
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("wallop cannot start its threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Without a command: the sandbox, so that `cargo run --release` shows something.
    let dev = DevArguments { port: 7070, data: None, json: false };
    let done = runtime.block_on(async {
        match arguments.command.unwrap_or(Command::Dev(dev)) {
            Command::Dev(arguments) => run_dev(arguments).await,
            Command::Demo { platform } => run_demo(platform).await,
            Command::Admin { command: AdminCommand::Add { name, data } } => add(&name, &data).await,
            Command::Explain { platform } => explain(platform),
            Command::Qr(arguments) => draw(arguments),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wallop: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_dev(arguments: DevArguments) -> Result<(), Failure> {
    // Before anything is printed: a program that reads the line may stop the sandbox at once.
    let stop = stop_signal()?;
    let options = SandboxOptions { data: arguments.data.clone(), port: arguments.port, ..Default::default() };
    let sandbox = Sandbox::start(options).await?;
    let text = match arguments.json {
        true => serde_json::to_string(sandbox.described())?,
        false => greeting(sandbox.described(), arguments.data.as_deref()),
    };
    // A closed stdout does not stop the sandbox.
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    drop(stdout);
    let broken = tokio::select! {
        () = stop => None,
        error = sandbox.broken() => Some(error),
    };
    tracing::info!("stopping: finishing the requests in flight");
    sandbox.stop().await;
    broken.map_or(Ok(()), |error| Err(error.into()))
}

/// Resolves at SIGTERM or Ctrl-C.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        let interrupt = tokio::signal::ctrl_c();
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt => {}
        }
        #[cfg(not(unix))]
        let _ = interrupt.await;
    })
}

fn greeting(sandbox: &Described, data: Option<&Path>) -> String {
    let fomo = &sandbox.fomo;
    let mut text = format!(
        "wallop sandbox is running: open {url} in a browser\n\n\
         FOMO\n  base_url       {base}\n  client_id      {id}\n  client_secret  {secret}\n  redirect_uri   {redirect}\n  \
         owner          user {owner}, wallet_pwd {owner_pwd}\n\n",
        url = sandbox.url,
        base = fomo.base_url,
        id = fomo.client_id,
        secret = fomo.client_secret,
        redirect = fomo.redirect_uri,
        owner = fomo.owner_user_id,
        owner_pwd = fomo.owner_wallet_pwd,
    );
    for (name, vas) in [("VAS", &sandbox.vas), ("Lafi", &sandbox.lafi)] {
        text.push_str(&format!(
            "{name}\n  base_url       {}\n  uuid           {}\n  accessToken    {}\n  safe domain    {}, scheme {}\n  \
             rsaPrivate     see {}/sandbox\n\n",
            vas.base_url, vas.uuid, vas.access_token, vas.safe_domain, vas.scheme, sandbox.url
        ));
    }
    text.push_str("Users\n");
    for user in &sandbox.users {
        let usdt = user.balances.get("5").map_or("0", String::as_str);
        text.push_str(&format!(
            "  {:<8} user {}  pwd {}  wallet_pwd {}  {usdt} usdt\n",
            user.login_name, user.user_id, user.pwd, user.wallet_pwd
        ));
    }
    let kept = match data {
        Some(data) => format!("The data is kept in {}.", data.display()),
        None => "The sandbox deletes its data when it stops; keep it with --data DIR.".to_owned(),
    };
    text.push_str(&format!(
        "\nTry it\n  see whole payments     wallop demo fomo --url {url}   (or vas, or lafi)\n  \
         move the clock         curl -d advance=60 {clock}\n  the coins              curl {base}wallet/get_active_coins\n  \
         the price of a VAS     curl -X POST '{vas}oauth/pay/price?currency=CNY&accessToken={token}'\n\n\
         {kept} Stop it with Ctrl-C.",
        url = sandbox.url,
        clock = sandbox.clock_url,
        base = fomo.base_url,
        vas = sandbox.vas.base_url,
        token = sandbox.vas.access_token,
    ));
    text
}

async fn run_demo(platform: DemoPlatform) -> Result<(), Failure> {
    let arguments = match &platform {
        DemoPlatform::Fomo(arguments) | DemoPlatform::Vas(arguments) | DemoPlatform::Lafi(arguments) => {
            arguments
        }
    };
    let lang = arguments.lang.into();
    match &arguments.url {
        Some(url) => play(&platform, &demo::describe(url).await?, lang).await,
        None => {
            let sandbox = Sandbox::start(SandboxOptions::default()).await?;
            let shown = play(&platform, sandbox.described(), lang).await;
            sandbox.stop().await;
            shown
        }
    }
}

async fn play(platform: &DemoPlatform, sandbox: &Described, lang: Lang) -> Result<(), Failure> {
    let out = &mut std::io::stdout();
    match platform {
        DemoPlatform::Fomo(_) => demo::fomo(sandbox, lang, out).await?,
        DemoPlatform::Vas(_) => demo::vas(sandbox, Profile::Vas, lang, columns(), out).await?,
        DemoPlatform::Lafi(_) => demo::vas(sandbox, Profile::Lafi, lang, columns(), out).await?,
    }
    Ok(())
}

async fn add(name: &str, data: &Path) -> Result<(), Failure> {
    let store = DataDirectory::new(data).open_existing(clock_of(data))?;
    match add_operator(&store, name).await? {
        Some(pwd) => println!("{name} is an operator, with the password {}", pwd.expose()),
        None => println!("{name} is an operator; the password is unchanged"),
    }
    Ok(())
}

fn first_line() -> Result<String, Failure> {
    Ok(std::io::stdin().lines().next().transpose()?.unwrap_or_default())
}

/// Explains a signature; an error unless it fits.
fn explain(platform: ExplainPlatform) -> Result<(), Failure> {
    let crypto = Portable::new();
    let (finding, lang): (Finding, Lang) = match platform {
        ExplainPlatform::Fomo { timestamp, sign, lang } => {
            (wallet_explain::fomo(&crypto, first_line()?.trim(), timestamp.trim(), sign.trim()), lang.into())
        }
        ExplainPlatform::Link { link, key, lang } => {
            let read = |error| format!("cannot read {}: {error}", key.display());
            let public =
                |error| format!("{}: {error}; give the file with the app's public key", key.display());
            let key = PublicKey::load(std::fs::read(&key).map_err(read)?).map_err(public)?;
            let link = link.map_or_else(first_line, Ok)?;
            let kind = <pay::Link<'_> as OutgoingLink>::META;
            let sent = SentLink::read(kind, link.trim())?;
            let opens = |signature: &[u8]| key.recover_message(signature);
            let found = rsa(&crypto, &opens, kind, &sent.fields(), &sent.signature);
            (found, lang.into())
        }
    };
    println!("{}", finding.cause.in_words(lang));
    println!("should be signed  {}", finding.expected);
    if let Some(found) = &finding.found {
        println!("was signed        {found}");
    }
    if let Some(at) = finding.differs_at() {
        println!("they differ from byte {at} on");
    }
    match finding.cause {
        Cause::Fits => Ok(()),
        _ => Err("the signature does not fit".into()),
    }
}

/// The terminal's width in columns; 0 without a terminal.
fn columns() -> usize {
    terminal_size::terminal_size().map_or(0, |(width, _)| usize::from(width.0))
}

fn draw(arguments: QrArguments) -> Result<(), Failure> {
    let link = match arguments.link {
        Some(link) => link,
        None => first_line()?,
    };
    let code = QrCode::new(link.trim())?;
    let write = |path: &Option<PathBuf>, picture: Vec<u8>| -> Result<(), Failure> {
        let Some(path) = path else { return Ok(()) };
        let failed = |error| format!("cannot write {}: {error}", path.display());
        std::fs::write(path, picture).map_err(failed)?;
        println!("{} written", path.display());
        Ok(())
    };
    write(&arguments.svg, code.to_svg().into_bytes())?;
    write(&arguments.png, code.to_png(8))?;
    if arguments.svg.is_none() && arguments.png.is_none() {
        let drawn = code.to_terminal(columns());
        println!(
            "{}",
            drawn.map_err(|narrow| format!("{narrow}; --svg FILE or --png FILE makes a picture"))?
        );
    }
    Ok(())
}
