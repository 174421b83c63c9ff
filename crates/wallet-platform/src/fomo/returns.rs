//! The return to a FOMO app: the exact address after a consent and after a payment.

use wallet_core::{form, link};

use crate::returns::browser_address;

/// The address that the browser opens after the user has answered: with a code, or with a refusal (R25).
pub fn after_consent(redirect_uri: &str, code: Option<&str>, state: &str) -> String {
    let answer = code.map_or(("error", "access_denied"), |code| ("code", code));
    link::append_query(&browser_address(redirect_uri), &form::query(&[answer, ("state", state)]))
}

/// The address that the FOMO wallet opens after a payment (R32).
pub fn after_payment(
    redirect_uri: &str,
    state: &str,
    trade_id: &str,
    transfer_id: &str,
    status: &str,
) -> String {
    let parameters =
        [("state", state), ("trade_id", trade_id), ("transfer_id", transfer_id), ("status", status)];
    link::append_query(&browser_address(redirect_uri), &form::query(&parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r07_an_address_without_a_scheme_is_https_and_keeps_its_query() {
        for (redirect, expected) in [
            ("wenjing.com/back.php", "https://wenjing.com/back.php?code=1&state=a+b"),
            ("https://x.example/b?c=d#e", "https://x.example/b?c=d&code=1&state=a+b#e"),
            ("shopapp://back", "shopapp://back?code=1&state=a+b"),
            ("a.example/b?u=http://c.example", "https://a.example/b?u=http://c.example&code=1&state=a+b"),
        ] {
            assert_eq!(after_consent(redirect, Some("1"), "a b"), expected);
        }
        assert_eq!(after_consent("x://b", None, "s"), "x://b?error=access_denied&state=s");
    }

    #[test]
    fn r32_the_app_learns_which_payment_it_was() {
        assert_eq!(
            after_payment("a.example/b", "a&b", "t 1", "7", "2"),
            "https://a.example/b?state=a%26b&trade_id=t+1&transfer_id=7&status=2"
        );
    }
}
