//! Signatures of the VAS and Lafi wallets: RSA PKCS#1 v1.5 over JSON (R44).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use wallet_core::crypto::{Hashes, from_hex, hex_text};
use wallet_core::{FieldMeta, form, json};

use crate::serializers::{another_order, another_value};
use crate::{Cause, Finding, Spelling, serializers};

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

/// What is inside a signature.
enum Inside<'a> {
    /// A digest with its DigestInfo.
    Digest(&'static str, &'a [u8]),
    /// Other bytes behind the padding of PKCS#1 v1.5.
    Bytes(&'a [u8]),
    /// No padding of PKCS#1 v1.5, but the last byte of PSS.
    Pss,
    /// Neither: another key.
    Noise,
}

fn inside(opened: &[u8]) -> Inside<'_> {
    let padded = opened.strip_prefix(&[0, 1]).and_then(|padded| {
        let end = padded.iter().position(|byte| *byte != 0xff).filter(|end| *end >= 8)?;
        padded[end..].strip_prefix(&[0])
    });
    match padded {
        Some(info) => HASHES
            .iter()
            .find_map(|(name, prefix)| info.strip_prefix(*prefix).map(|digest| Inside::Digest(name, digest)))
            .unwrap_or(Inside::Bytes(info)),
        None if opened.last() == Some(&0xbc) && opened.first().is_some_and(|first| *first < 0x80) => {
            Inside::Pss
        }
        None => Inside::Noise,
    }
}

/// The bytes of a signature and how they are spelled. A change that a query makes is no fault (R46).
fn read(signature: &str) -> Option<(Vec<u8>, Option<Spelling>)> {
    let text: String = signature.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let plain = text.replace(' ', "+");
    if let Ok(bytes) = STANDARD.decode(&plain) {
        // A base64 text in base64.
        if let Some(inner) = std::str::from_utf8(&bytes).ok().and_then(|inner| STANDARD.decode(inner).ok())
            && inner.len() >= 64
        {
            return Some((inner, Some(Spelling::Twice)));
        }
        if let Some(bytes) = from_hex(&plain.to_ascii_lowercase()) {
            return Some((bytes, Some(Spelling::Hex))); // hexadecimal digits are base64 too
        }
        return Some((bytes, None));
    }
    if let Some(bytes) = from_hex(&text.to_ascii_lowercase()) {
        return Some((bytes, Some(Spelling::Hex)));
    }
    if let Ok(bytes) = STANDARD_NO_PAD.decode(&plain) {
        return Some((bytes, Some(Spelling::NoPadding)));
    }
    if let Some(bytes) = [URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(&text).ok()) {
        return Some((bytes, Some(Spelling::UrlSafe)));
    }
    let decoded = form::decode(text.as_bytes()).ok().filter(|decoded| *decoded != text)?;
    STANDARD.decode(decoded.replace(' ', "+")).ok().map(|bytes| (bytes, Some(Spelling::PercentEncoded)))
}

/// The text that should be signed (R44).
fn canonical(fields: &[(&str, &str)]) -> String {
    let mut text = Vec::new();
    json::write_object(fields.iter().copied(), &mut text);
    String::from_utf8(text).expect("JSON made of strings")
}

/// Why a signature does not fit these fields, in the order of the rule. `members` are all that the message has.
pub fn rsa(
    crypto: &dyn Hashes,
    key: Opens<'_>,
    members: &[FieldMeta],
    fields: &[(&str, &str)],
    signature: &str,
) -> Finding {
    let expected = canonical(fields);
    let finding = |cause, found| Finding { cause, expected: expected.clone(), found };
    if signature.is_empty() {
        return finding(Cause::NoSignature, None);
    }
    let Some((signature, spelling)) = read(signature) else { return finding(Cause::NotBase64, None) };
    let Some(opened) = key(&signature) else { return finding(Cause::WrongLength, None) };
    let sha1 = |text: &[u8]| crypto.sha1(&mut |put| put(text));
    let known = || serializers(members, fields);
    let (hash, digest) = match inside(&opened) {
        Inside::Digest(hash, digest) => (hash, digest),
        Inside::Pss => return finding(Cause::Pss, None),
        Inside::Noise => return finding(Cause::OtherKey, None),
        Inside::Bytes(bytes) => {
            let texts: Vec<String> =
                [expected.clone()].into_iter().chain(known().into_iter().map(|one| one.text)).collect();
            let bare = |digest: &[u8]| {
                let of = |text: &&String| {
                    sha1(text.as_bytes())[..] == *digest || crypto.sha256(text.as_bytes())[..] == *digest
                };
                texts.iter().find(of)
            };
            let hex = std::str::from_utf8(bytes).ok().and_then(|text| from_hex(&text.to_ascii_lowercase()));
            let cause = match (bytes.len(), &hex) {
                (16 | 20 | 32, _) => Cause::BareDigest,
                (_, Some(digest)) if matches!(digest.len(), 16 | 20 | 32) => Cause::BareDigest,
                _ => Cause::NotHashed,
            };
            let found = match cause {
                Cause::BareDigest => {
                    bare(hex.as_deref().unwrap_or(bytes)).filter(|text| **text != expected).cloned()
                }
                _ => std::str::from_utf8(bytes).ok().filter(|text| *text != expected).map(str::to_owned),
            };
            return finding(cause, found);
        }
    };
    let hashes_to = |text: &str| match hash {
        "SHA-1" => sha1(text.as_bytes()) == *digest,
        "SHA-256" => crypto.sha256(text.as_bytes()) == *digest,
        _ => false,
    };
    let other_hash = Some(hash).filter(|hash| *hash != "SHA-1");
    if hashes_to(&expected) {
        let spelled = spelling.map_or(Cause::Fits, Cause::Spelled);
        return finding(other_hash.map_or(spelled, Cause::RightTextOtherHash), None);
    }
    if let Some(serializer) = known().into_iter().find(|known| hashes_to(&known.text)) {
        let found = Some(serializer.text.clone());
        return finding(Cause::Serializer { serializer, other_hash }, found);
    }
    let once = [sha1(expected.as_bytes()).to_vec(), crypto.sha256(expected.as_bytes()).to_vec()];
    for once in once {
        let spelled = [hex_text(&once), hex_text(&once).to_uppercase(), STANDARD.encode(&once)];
        let raw = match hash {
            "SHA-1" => sha1(&once).to_vec(),
            _ => crypto.sha256(&once).to_vec(),
        };
        if raw == digest || spelled.iter().any(|text| hashes_to(text)) {
            return finding(Cause::HashOfHash, None);
        }
    }
    if let Some((field, signed, text)) = another_value(members, fields, &hashes_to) {
        return finding(Cause::OtherValue { field, signed }, Some(text));
    }
    if let Some(serializer) = another_order(members, fields, &hashes_to) {
        let found = Some(serializer.text.clone());
        return finding(Cause::Serializer { serializer, other_hash }, found);
    }
    finding(other_hash.map_or(Cause::OtherText, Cause::HashedWith), None)
}

/// Why the text that a program signs or verifies is not the one of these fields: found by comparing texts, without a key.
pub fn compare(members: &[FieldMeta], fields: &[(&str, &str)], given: &str) -> Finding {
    let expected = canonical(fields);
    let is_given = |text: &str| text == given;
    let cause = if is_given(&expected) {
        Cause::Fits
    } else if let Some(serializer) =
        serializers(members, fields).into_iter().find(|known| is_given(&known.text))
    {
        Cause::Serializer { serializer, other_hash: None }
    } else if let Some((field, signed, _)) = another_value(members, fields, &is_given) {
        Cause::OtherValue { field, signed }
    } else if let Some(serializer) = another_order(members, fields, &is_given) {
        Cause::Serializer { serializer, other_hash: None }
    } else {
        Cause::OtherText
    };
    let found = (cause != Cause::Fits).then(|| given.to_owned());
    Finding { cause, expected, found }
}
