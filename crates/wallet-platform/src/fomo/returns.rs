//! The return to a FOMO app: the exact address after a consent and after a payment.

use wallet_core::{form, link};

use crate::returns::browser_address;

/// An address with parameters. A space is `%20`, which every reader decodes alike.
fn with_parameters(address: &str, parameters: &[(&str, &str)]) -> String {
    link::append_query(&browser_address(address), &form::query(parameters).replace('+', "%20"))
}

/// The address that the browser opens after an authorization request: with a code, or with RFC 6749's `error` (R25). It has `state`
/// if the request had one.
pub fn after_consent(redirect_uri: &str, answer: Result<&str, &str>, state: &str) -> String {
    let answer = match answer {
        Ok(code) => ("code", code),
        Err(error) => ("error", error),
    };
    let parameters = [answer, ("state", state)];
    with_parameters(redirect_uri, if state.is_empty() { &parameters[..1] } else { &parameters })
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
    with_parameters(redirect_uri, &parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r07_an_address_without_a_scheme_is_https_and_keeps_its_query() {
        for (redirect, expected) in [
            ("wenjing.com/back.php", "https://wenjing.com/back.php?code=1&state=a%20b"),
            ("https://x.example/b?c=d#e", "https://x.example/b?c=d&code=1&state=a%20b#e"),
            ("shopapp://back", "shopapp://back?code=1&state=a%20b"),
            ("a.example/b?u=http://c.example", "https://a.example/b?u=http://c.example&code=1&state=a%20b"),
        ] {
            assert_eq!(after_consent(redirect, Ok("1"), "a b"), expected);
        }
        assert_eq!(after_consent("x://b", Err("access_denied"), "s"), "x://b?error=access_denied&state=s");
        assert_eq!(after_consent("x://b", Err("access_denied"), ""), "x://b?error=access_denied");
        assert_eq!(after_consent("com.example.app:/b", Ok("1"), "+"), "com.example.app:/b?code=1&state=%2B");
    }

    #[test]
    fn r32_the_app_learns_which_payment_it_was() {
        assert_eq!(
            after_payment("a.example/b", "a&b", "t 1", "7", "2"),
            "https://a.example/b?state=a%26b&trade_id=t%201&transfer_id=7&status=2"
        );
    }
}
