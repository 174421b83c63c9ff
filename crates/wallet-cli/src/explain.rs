//! `wallop explain`: why a signature does not fit.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use wallet_api::fomo::payment_result;
use wallet_api::vas::{pay, payment};
use wallet_core::link::OutgoingLink;
use wallet_core::{Callback as _, Platform as _};
use wallet_crypto::{Portable, PrivateKey, PublicKey};
use wallet_explain::{Cause, Finding, FomoSign, Received, Sent, compare, rsa};

use crate::output::{Output, Stop};

pub(crate) const EXAMPLES: &str = "Examples:\n  wallop explain fomo 1574510444 SIGN < client_secret.txt\n  \
     wallop explain link --key rsa_public.pem 'vaspay://{…}'\n  \
     wallop explain fomo-callback --id ID --timestamp T --signature 'v1,…' --body body.txt < client_secret.txt\n  \
     wallop explain vas-callback --key rsa_public.pem 'uuid=…&rsaContent=…'";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) what: What,
    /// Print one line of JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum What {
    /// `sign` of a FOMO request; client_secret is read from stdin, so that it stays out of the shell's history.
    #[command(override_usage = "wallop explain fomo [OPTIONS] <TIMESTAMP> <SIGN> < FILE-WITH-CLIENT_SECRET")]
    Fomo {
        /// The timestamp that was sent.
        timestamp: String,
        /// The sign that was sent.
        sign: String,
        /// The client_id.
        #[arg(long, default_value = "")]
        client_id: String,
    },
    /// The signature of a VAS or Lafi pay link.
    Link {
        /// The link as it was sent; without it the first line of stdin.
        link: Option<String>,
        /// The file with the app's public key, in any form.
        #[arg(long)]
        key: PathBuf,
    },
    /// The headers of a FOMO callback; client_secret is read from stdin.
    FomoCallback {
        /// The header webhook-id.
        #[arg(long)]
        id: String,
        /// The header webhook-timestamp.
        #[arg(long)]
        timestamp: String,
        /// The header webhook-signature.
        #[arg(long)]
        signature: String,
        /// The file with the body as it arrived.
        #[arg(long)]
        body: PathBuf,
        /// The signature that your program computes.
        #[arg(long, default_value = "")]
        computed: String,
    },
    /// The signature of a VAS or Lafi callback.
    VasCallback {
        /// The callback's address or its query; without it the first line of stdin.
        query: Option<String>,
        /// The file with the app's public key, in any form.
        #[arg(long)]
        key: PathBuf,
        /// The file with the text that your program verifies.
        #[arg(long)]
        text: Option<PathBuf>,
    },
}

/// The public key in a file. Says so if the file has a private key, so that nobody passes it on as a public one.
pub(crate) fn public_key(output: &Output, path: &Path) -> Result<PublicKey, Stop> {
    let bytes = output.read(path)?;
    PublicKey::load(&bytes).map_err(|error| {
        let path = path.display();
        Stop::usage(match PrivateKey::load(&bytes) {
            Ok(_) => output
                .say(
                    &format!("{path} 是私钥；请给出应用的公钥（rsaPublic）"),
                    &format!("{path} is a private key; give the file with the app's public key (rsaPublic)"),
                )
                .to_owned(),
            Err(_) => output
                .say(
                    &format!("{path} 不是公钥：{error}；请给出应用的公钥（rsaPublic）"),
                    &format!("{path}: {error}; give the file with the app's public key (rsaPublic)"),
                )
                .to_owned(),
        })
    })
}

/// The finding about a signature.
pub(crate) fn find(output: &Output, what: What) -> Result<Finding, Stop> {
    let crypto = Portable::new();
    let not_signed = |why: wallet_explain::NotSigned| Stop::usage(why.in_words(output.lang));
    Ok(match what {
        What::Fomo { timestamp, sign, client_id } => {
            let secret = output.first_line(None)?;
            let (timestamp, sign) = (timestamp.trim(), sign.trim());
            let sent =
                FomoSign { secret: &secret, client_id: &client_id, timestamp, sign, now: None, others: &[] };
            wallet_explain::fomo(&crypto, &sent)
        }
        What::Link { link, key } => {
            let key = public_key(output, &key)?;
            let link = link.map_or_else(|| output.first_line(None), Ok)?;
            let kind = <pay::Link<'_> as OutgoingLink>::META;
            let sent = Sent::link(kind, link.trim()).map_err(not_signed)?;
            let opens = |signature: &[u8]| key.recover_message(signature);
            rsa(&crypto, &opens, kind.fields, &sent.fields(), &sent.signature)
        }
        What::FomoCallback { id, timestamp, signature, body, computed } => {
            let body = String::from_utf8_lossy(&output.read(&body)?).into_owned();
            let secret = output.first_line(None)?;
            let rule = payment_result::Callback::META.signing.ok_or_else(|| {
                Stop::environment(format!("{} signs no callback", wallet_api::fomo::Fomo::META.id))
            })?;
            let received = Received {
                rule,
                secret: &secret,
                id: id.trim(),
                timestamp: timestamp.trim(),
                signature: signature.trim(),
                body: &body,
                computed: computed.trim(),
                now: None,
            };
            wallet_explain::webhook(&crypto, &received)
        }
        What::VasCallback { query, key, text } => {
            let key = public_key(output, &key)?;
            let query = query.map_or_else(|| output.first_line(None), Ok)?;
            let kind = payment::Callback::META;
            let sent = Sent::query(kind, &query).map_err(not_signed)?;
            let opens = |signature: &[u8]| key.recover_message(signature);
            let finding = rsa(&crypto, &opens, kind.fields, &sent.fields(), &sent.signature);
            match text {
                Some(text) if finding.cause == Cause::Fits => {
                    let text = String::from_utf8_lossy(&output.read(&text)?).into_owned();
                    compare(kind.fields, &sent.fields(), &text)
                }
                _ => finding,
            }
        }
    })
}

/// Prints a finding; exit code 1 unless the signature fits.
pub(crate) fn run(output: &Output, Arguments { what, json }: Arguments) -> Result<(), Stop> {
    let finding = find(output, what)?;
    let (fits, words) = (finding.cause == Cause::Fits, finding.cause.in_words(output.lang));
    if json {
        let report = json!({
            "fits": fits,
            "cause": words,
            "expected": finding.expected,
            "found": finding.found,
            "differs_at": finding.differs_at(),
        });
        output.line(&report.to_string())?;
    } else {
        output.line(&words)?;
        output.line(&format!("{}  {}", output.say("应当签名", "should be signed"), finding.expected))?;
        if let Some(found) = &finding.found {
            output.line(&format!("{}  {found}", output.say("实际签名", "was signed      ")))?;
        }
        if let Some(at) = finding.differs_at() {
            output.line(&match output.lang {
                wallet_core::Lang::Zh => format!("从第 {at} 个字节起不同"),
                wallet_core::Lang::En => format!("they differ from byte {at} on"),
            })?;
        }
    }
    if finding.cause == Cause::NoSecret {
        return Err(Stop::usage(words));
    }
    match fits {
        true => Ok(()),
        false if json => Err(Stop::finding("")),
        false => Err(Stop::finding(output.say("签名不符", "the signature does not fit"))),
    }
}
