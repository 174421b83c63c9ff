//! `wallop demo`: a whole payment, step by step.

use clap::Subcommand;
use wallet_api::vas::Profile;
use wallet_sandbox::{Described, Sandbox, SandboxOptions, demo};

use crate::output::{Output, Stop};
use crate::qr::columns;

pub(crate) const EXAMPLES: &str = "Examples:\n  wallop demo fomo\n  wallop demo vas --url http://127.0.0.1:7070 --lang zh\n  wallop demo lafi --json";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Subcommand)]
enum Platform {
    /// FOMO: sign in, authorize, pay, get paid back, refresh.
    Fomo(Options),
    /// VAS: apply, log in and pay by QR code, see the block and the callback.
    Vas(Options),
    /// Lafi: the same protocol with another scheme and another asset.
    Lafi(Options),
}

#[derive(clap::Args)]
struct Options {
    /// A running sandbox; without it the demo starts its own.
    #[arg(long)]
    url: Option<String>,
    /// Print one line of JSON: whether all values are as expected, and the steps.
    #[arg(long)]
    json: bool,
}

/// Plays the demo and returns whether it succeeded.
async fn play(
    platform: &Platform,
    sandbox: &Described,
    output: &Output,
    out: &mut (dyn std::io::Write + Send),
) -> Result<(), demo::DemoError> {
    let lang = output.lang;
    match platform {
        Platform::Fomo(_) => demo::fomo(sandbox, lang, out).await,
        Platform::Vas(_) => demo::vas(sandbox, Profile::Vas, lang, columns(), out).await,
        Platform::Lafi(_) => demo::vas(sandbox, Profile::Lafi, lang, columns(), out).await,
    }
}

pub(crate) async fn run(output: &Output, Arguments { platform }: Arguments) -> Result<(), Stop> {
    let (Platform::Fomo(options) | Platform::Vas(options) | Platform::Lafi(options)) = &platform;
    if options.url.as_ref().is_some_and(|url| url.starts_with("https:")) {
        return Err(Stop::usage(output.say(
            "demo 只用明文 HTTP 访问本机的沙箱，不支持 https；请给出 http://127.0.0.1:端口",
            "the demo speaks plain HTTP to a sandbox on this machine, not https; give http://127.0.0.1:PORT",
        )));
    }
    let mut lines = Vec::new();
    let mut stdout = std::io::stdout();
    let out: &mut (dyn std::io::Write + Send) = if options.json { &mut lines } else { &mut stdout };
    let played = match &options.url {
        Some(url) => {
            let described =
                demo::describe(url).await.map_err(|error| Stop::environment(error.to_string()))?;
            play(&platform, &described, output, out).await
        }
        None => {
            let sandbox = Sandbox::start(SandboxOptions::default())
                .await
                .map_err(|error| Stop::environment(error.to_string()))?;
            let played = play(&platform, sandbox.described(), output, out).await;
            sandbox.stop().await;
            played
        }
    };
    if options.json {
        let steps = String::from_utf8_lossy(&lines);
        let steps: Vec<&str> = steps.lines().filter(|line| !line.is_empty()).collect();
        let error = played.as_ref().err().map(ToString::to_string);
        output
            .line(&serde_json::json!({ "ok": played.is_ok(), "error": error, "steps": steps }).to_string())?;
    }
    played.map_err(|error| Stop::finding(error.to_string()))
}
