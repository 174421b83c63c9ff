//! Codes of a second factor (RFC 6238): SHA-1, 30 s, 6 digits.

use totp_rs::{Builder, Secret as TotpSecret, Totp};
use wallet_core::{Secret, UnixTime, form};

fn totp(secret: &Secret<Vec<u8>>) -> Option<Totp> {
    // One step to either side: a phone's clock may be off by half a minute.
    Builder::new().with_secret(TotpSecret::from(secret.expose().clone())).with_skew(1).build().ok()
}

/// The time step of a code; `None` if the code is not one of this time.
pub(crate) fn step_of(secret: &Secret<Vec<u8>>, code: &str, now: UnixTime) -> Option<u64> {
    let seconds = u64::try_from(now.millis() / 1000).ok()?;
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    totp(secret)?.check(&digits, seconds)
}

/// The secret as people type it, and as the address that an authenticator app opens.
pub(crate) fn to_enter(secret: &Secret<Vec<u8>>, login_name: &str, issuer: &str) -> (String, String) {
    let text = TotpSecret::from(secret.expose().clone()).to_base32();
    let query = form::query(&[("secret", &*text), ("issuer", issuer)]);
    let label = form::query(&[("", login_name)]);
    let address = format!("otpauth://totp/{issuer}:{}?{query}", label.trim_start_matches('='));
    (text, address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1, the last six of the eight digits.
        let secret = Secret::new(b"12345678901234567890".to_vec());
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            let now = UnixTime::from_secs(seconds);
            assert_eq!(step_of(&secret, code, now), Some(seconds as u64 / 30), "{seconds}");
            assert_eq!(
                step_of(&secret, &format!("{} {}", &code[..3], &code[3..]), now),
                Some(seconds as u64 / 30)
            );
            let late = UnixTime::from_secs(seconds + 90);
            assert_eq!(step_of(&secret, code, late), None);
        }
        for wrong in ["", "28708", "2870821", "abcdef", "２８７０８２"] {
            assert_eq!(step_of(&secret, wrong, UnixTime::from_secs(59)), None, "{wrong}");
        }
    }
}
