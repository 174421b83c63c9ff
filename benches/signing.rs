//! The request signature: SHA-1 over client_secret and timestamp, beside the hashes alone.

use ring::digest;
use sha1::Digest as _;
use wallet_api::fomo::Fomo;
use wallet_benches::{Counting, interleaved, report, subject};
use wallet_core::{Platform as _, Signature, Signer, UnixTime};
use wallet_crypto::Portable;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let (secret, timestamp) = ("d1301e2dac45eaa8cbb2610e0ce51f1665792635", "1574510444");
    let rule = Fomo::META.signings[0];
    let crypto = Portable::new();
    let signer = Signer::Sha1 { sha1: &crypto, key: secret, now: UnixTime::from_secs(1_574_510_444) };
    let made = Signature::new(&signer, rule, |_, _| {}).expect("signed");
    assert_eq!(made.sign(), "873b0ce5134c4007e61dbd453d1b3f72c79e1d5a");
    let figures = interleaved(vec![
        subject("sign a request (timestamp, SHA-1, hex)", || Signature::new(&signer, rule, |_, _| {})),
        subject("SHA-1 alone: sha1", || {
            sha1::Sha1::new().chain_update(secret).chain_update(timestamp).finalize()
        }),
        subject("SHA-1 alone: ring", || {
            let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
            context.update(secret.as_bytes());
            context.update(timestamp.as_bytes());
            context.finish()
        }),
    ]);
    report("signing", &figures);
}
