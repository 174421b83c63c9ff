//! `wallop sign`: makes and verifies the four signatures; `wallop webhook-secret`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use wallet_api::fomo::payment_result;
use wallet_api::vas::{Profile, payment};
use wallet_client::{Order, system_time};
use wallet_core::crypto::{RsaSigner as _, Sha1 as _, hex_text};
use wallet_core::link::OutgoingLink as _;
use wallet_core::{Callback as _, Signer, SigningMeta, UnixTime, form, json, webhook};
use wallet_crypto::{Portable, PrivateKey, RsaSign};

use crate::explain;
use crate::output::{Output, Stop};

pub(crate) const EXAMPLES: &str = "Examples:\n  wallop sign make fomo < client_secret.txt\n  \
     wallop sign make link --key rsa_private.pem --app-uuid UUID --asset-type VAS --amount 1.50 \\\n    \
     --callback-url https://www.shop.example/paid --order-id order-1 --to-addr V…\n  \
     wallop sign make fomo-callback --id 1 --body body.txt < client_secret.txt\n  \
     wallop sign verify link --key rsa_public.pem 'vaspay://{…}'";

pub(crate) const WEBHOOK_EXAMPLES: &str =
    "Examples:\n  wallop webhook-secret client_secret.txt\n  wallop webhook-secret < client_secret.txt";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a signature. Secrets are read from files or stdin.
    Make {
        #[command(subcommand)]
        what: Make,
    },
    /// Verify a signature; the same as `wallop explain`.
    Verify(explain::Arguments),
}

#[derive(Subcommand)]
pub(crate) enum Make {
    /// `sign` of a FOMO request; client_secret is read from stdin.
    Fomo {
        /// Unix seconds; now without it.
        #[arg(long)]
        timestamp: Option<i64>,
    },
    /// A signed pay link of VAS or Lafi: for an app, and as the text of a QR code.
    Link {
        /// The file with rsaPrivate, in any form.
        #[arg(long)]
        key: PathBuf,
        /// The app's uuid.
        #[arg(long)]
        app_uuid: String,
        /// VAS or L-F.
        #[arg(long)]
        asset_type: String,
        /// The amount, a decimal.
        #[arg(long)]
        amount: String,
        /// The address that the platform calls after the payment.
        #[arg(long)]
        callback_url: String,
        /// Your own id of the order.
        #[arg(long)]
        order_id: String,
        /// The receiving address.
        #[arg(long)]
        to_addr: String,
    },
    /// The headers of a FOMO callback; client_secret is read from stdin.
    FomoCallback {
        /// The header webhook-id.
        #[arg(long)]
        id: String,
        /// Unix seconds; now without it.
        #[arg(long)]
        timestamp: Option<i64>,
        /// The file with the body.
        #[arg(long)]
        body: PathBuf,
    },
    /// `rsaContent` of a VAS or Lafi callback.
    VasCallback {
        /// The query without rsaContent; without it the first line of stdin.
        query: Option<String>,
        /// The file with rsaPrivate, in any form.
        #[arg(long)]
        key: PathBuf,
    },
}

#[derive(clap::Args)]
pub(crate) struct WebhookArguments {
    /// The file with the client_secret; without it the first line of stdin.
    file: Option<PathBuf>,
}

fn callback_rule() -> Result<&'static SigningMeta, Stop> {
    payment_result::Callback::META
        .signing
        .ok_or_else(|| Stop::environment("this build signs no FOMO callback"))
}

/// A client_secret from a file or stdin.
fn secret(output: &Output, file: Option<&std::path::Path>) -> Result<String, Stop> {
    let secret = output.first_line(file)?;
    if secret.is_empty() {
        return Err(Stop::usage(output.say(
            "没有 client_secret：请通过标准输入或文件给出",
            "there is no client_secret: give it on stdin or in a file",
        )));
    }
    Ok(secret)
}

fn signer(output: &Output, path: &std::path::Path) -> Result<RsaSign, Stop> {
    let key = PrivateKey::load(output.read(path)?).and_then(|key| RsaSign::new(&key));
    key.map_err(|error| {
        let path = path.display();
        Stop::usage(output.say(
            &format!("{path} 不是可用的私钥：{error}；请给出 rsaPrivate"),
            &format!("{path}: {error}; give the file with rsaPrivate"),
        ))
    })
}

/// The text that a VAS or Lafi callback signs, and its query with the signature.
fn vas_callback(output: &Output, query: &str, key: &RsaSign) -> Result<String, Stop> {
    let kind = payment::Callback::META;
    let rule = kind.signing.ok_or_else(|| Stop::environment("this build signs no VAS callback"))?;
    let decode = |text: &str| form::decode(text.as_bytes()).map(|text| text.into_owned());
    let given: Result<Vec<(String, String)>, _> = form::pairs(query)
        .map(form::split)
        .map(|(name, value)| Ok((decode(name)?, decode(value)?)))
        .collect();
    let given = given.map_err(|_: form::FormError| {
        Stop::usage(output.say("参数的百分号编码无法解码", "the query's percent-encoding cannot be decoded"))
    })?;
    let mut fields = Vec::new();
    for part in rule.canonical {
        let value = given.iter().rev().find(|(name, _)| name == part.name).map(|(_, value)| value.as_str());
        let value = value.ok_or_else(|| {
            Stop::usage(format!("{} {}", output.say("缺少参数", "the query lacks"), part.name))
        })?;
        fields.push((part.name, value));
    }
    let mut text = Vec::new();
    json::write_object(fields.iter().copied(), &mut text);
    let signature = key.sign_sha1(&text).map_err(|error| Stop::environment(error.to_string()))?;
    let signature = STANDARD.encode(signature);
    let mut pairs: Vec<(&str, &str)> = given
        .iter()
        .filter(|(name, _)| name != rule.field)
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    pairs.push((rule.field, &signature));
    Ok(form::query(&pairs))
}

pub(crate) fn run(output: &Output, command: Command) -> Result<(), Stop> {
    let what = match command {
        Command::Make { what } => what,
        Command::Verify(arguments) => return explain::run(output, arguments),
    };
    let now = |given: Option<i64>| given.unwrap_or_else(|| system_time().secs());
    match what {
        Make::Fomo { timestamp } => {
            let (secret, timestamp) = (secret(output, None)?, now(timestamp).to_string());
            let digest = Portable::new().sha1(&mut |put| {
                put(secret.as_bytes());
                put(timestamp.as_bytes());
            });
            output.line(&format!("timestamp={timestamp}&sign={}", hex_text(&digest)))
        }
        Make::Link { key, app_uuid, asset_type, amount, callback_url, order_id, to_addr } => {
            let key = signer(output, &key)?;
            let profile = Profile::ALL.iter().copied().find(|profile| profile.asset() == asset_type);
            let profile = profile.ok_or_else(|| {
                let assets: Vec<&str> = Profile::ALL.iter().map(|profile| profile.asset()).collect();
                Stop::usage(format!(
                    "{asset_type}: {} {}",
                    output.say("未知资产；可用：", "unknown asset; one of"),
                    assets.join(", ")
                ))
            })?;
            let amount = amount.parse().map_err(|error| Stop::usage(format!("--amount: {error}")))?;
            let order = Order {
                order_id: order_id.into(),
                to_addr: to_addr.into(),
                asset: asset_type.into(),
                amount,
                callback_url: callback_url.into(),
            };
            let link = order.link(&app_uuid);
            let signer = Signer::rsa(&key, UnixTime::from_secs(now(None)));
            let failed = |error: wallet_core::EncodeError| Stop::usage(error.to_string());
            output.line(&link.app(profile.scheme(), Some(&signer)).map_err(failed)?)?;
            output.line(&link.qr(Some(&signer)).map_err(failed)?)
        }
        Make::FomoCallback { id, timestamp, body } => {
            let body = output.read(&body)?;
            let secret = secret(output, None)?;
            let now = UnixTime::from_secs(now(timestamp));
            let secrets = [secret.as_bytes()];
            for (name, value) in webhook::sign(&Portable::new(), callback_rule()?, secrets, &id, now, &body) {
                output.line(&format!("{name}: {value}"))?;
            }
            Ok(())
        }
        Make::VasCallback { query, key } => {
            let key = signer(output, &key)?;
            let query = query.map_or_else(|| output.first_line(None), Ok)?;
            let query = query.trim();
            let query = query.split_once('?').map_or(query, |(_, query)| query);
            output.line(&vas_callback(output, query, &key)?)
        }
    }
}

pub(crate) fn webhook_secret(output: &Output, arguments: &WebhookArguments) -> Result<(), Stop> {
    let secret = secret(output, arguments.file.as_deref())?;
    let derived = webhook::library_secret(&Portable::new(), callback_rule()?, secret.as_bytes());
    output.line(derived.expose())
}
