//! `sign` of FOMO: SHA-1 over client_secret and timestamp (R8).

use wallet_core::crypto::{Sha1, hex_text};

use crate::{Cause, Finding};

/// How far around a timestamp others are tried, in seconds.
const AROUND: i64 = 30;

/// Why `sign` does not fit this secret and timestamp.
pub fn fomo(sha1: &dyn Sha1, secret: &str, timestamp: &str, sign: &str) -> Finding {
    let made =
        |parts: &[&str]| hex_text(&sha1.sha1(&mut |put| parts.iter().for_each(|part| put(part.as_bytes()))));
    let expected = format!("client_secret + {timestamp}");
    let finding = |cause, found: Option<String>| Finding { cause, expected: expected.clone(), found };
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    if secret.is_empty() {
        return finding(Cause::NoSecret, None);
    }
    if timestamp.len() == 13 && digits {
        let expected = format!("client_secret + {}", &timestamp[..10]);
        return Finding {
            cause: Cause::Milliseconds,
            expected,
            found: Some(format!("client_secret + {timestamp}")),
        };
    }
    if timestamp.len() != 10 || !digits {
        return finding(Cause::NotTenDigits, None);
    }
    if made(&[secret, timestamp]) == sign {
        return finding(Cause::Fits, None);
    }
    let hex = sign.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (hex, sign.len()) {
        (true, 40) => {}
        (true, 32) => return finding(Cause::OtherHash("MD5"), None),
        (true, 64) => return finding(Cause::OtherHash("SHA-256"), None),
        (true, 128) => return finding(Cause::OtherHash("SHA-512"), None),
        _ => return finding(Cause::NotHex, None),
    }
    let sign = &*sign.to_ascii_lowercase();
    if made(&[secret, timestamp]) == sign {
        return finding(Cause::UpperCase, None);
    }
    if made(&[timestamp, secret]) == sign {
        return finding(Cause::Swapped, Some(format!("{timestamp} + client_secret")));
    }
    for between in ["&", ":", " ", "+", "|", "_", "-", "."] {
        if made(&[secret, between, timestamp]) == sign {
            return finding(
                Cause::Separator(between),
                Some(format!("client_secret + {between} + {timestamp}")),
            );
        }
    }
    for end in ["\n", "\r\n"] {
        if made(&[secret, timestamp, end]) == sign || made(&[secret, end, timestamp]) == sign {
            return finding(Cause::LineEnd, None);
        }
    }
    let seconds: i64 = timestamp.parse().expect("ten digits");
    for other in seconds - AROUND..=seconds + AROUND {
        if made(&[secret, &other.to_string()]) == sign {
            return finding(Cause::OtherTimestamp(other), Some(format!("client_secret + {other}")));
        }
    }
    finding(Cause::OtherSecret, None)
}
