//! Signatures of the VAS and Lafi wallets: RSA PKCS#1 v1.5 over JSON (R44).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wallet_core::crypto::{Sha1, Sha256};
use wallet_core::{LinkMeta, json};

use crate::serializers::another_order;
use crate::{Cause, Finding, serializers};

/// The RSA public operation: the padded message (EM) inside a signature, as long as the key; `None` if the signature is
/// not as long as the key.
pub type Opens<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// DigestInfo before each hash's digest (RFC 8017 §9.2), and its name.
const HASHES: [(&str, &[u8]); 5] = [
    ("SHA-1", b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"),
    ("SHA-256", b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"),
    ("SHA-384", b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"),
    ("SHA-512", b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"),
    ("MD5", b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10"),
];

/// The hash and the digest of an opened signature; `None` if another key made it.
fn digest(opened: &[u8]) -> Option<(&'static str, &[u8])> {
    let padded = opened.strip_prefix(&[0, 1])?;
    let end = padded.iter().position(|byte| *byte != 0xff).filter(|end| *end >= 8)?;
    let info = padded[end..].strip_prefix(&[0])?;
    HASHES.iter().find_map(|(name, prefix)| info.strip_prefix(*prefix).map(|digest| (*name, digest)))
}

/// Why a signature does not fit these fields of a link, in the order of the rule.
pub fn rsa(
    crypto: &(impl Sha1 + Sha256),
    key: Opens<'_>,
    link: &LinkMeta,
    fields: &[(&str, &str)],
    signature: &str,
) -> Finding {
    let mut expected = Vec::new();
    json::write_object(fields.iter().copied(), &mut expected);
    let expected = String::from_utf8(expected).expect("JSON made of strings");
    let finding = |cause, found| Finding { cause, expected: expected.clone(), found };
    // R46: a change that a query made is no cause.
    let signature: String = signature.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let Ok(signature) = STANDARD.decode(signature.replace(' ', "+")) else {
        return finding(Cause::NotBase64, None);
    };
    let Some(opened) = key(&signature) else { return finding(Cause::WrongLength, None) };
    let Some((hash, digest)) = digest(&opened) else { return finding(Cause::OtherKey, None) };
    let hashes_to = |text: &str| match hash {
        "SHA-1" => crypto.sha1(&mut |put| put(text.as_bytes())) == *digest,
        "SHA-256" => crypto.sha256(text.as_bytes()) == *digest,
        _ => false,
    };
    let other_hash = Some(hash).filter(|hash| *hash != "SHA-1");
    if hashes_to(&expected) {
        return finding(other_hash.map_or(Cause::Fits, Cause::RightTextOtherHash), None);
    }
    let known = serializers(link, fields).into_iter().find(|known| hashes_to(&known.text));
    if let Some(serializer) = known.or_else(|| another_order(link, fields, &hashes_to)) {
        let found = Some(serializer.text.clone());
        return finding(Cause::Serializer { serializer, other_hash }, found);
    }
    finding(other_hash.map_or(Cause::OtherText, Cause::HashedWith), None)
}
