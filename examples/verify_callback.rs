//! A FOMO callback that is verified before it is read. A merchant's server does the same, whatever its HTTP
//! library. The platform's side, which signs, is here too, so that the example runs by itself.

use std::sync::Arc;

use wallet_api::fomo::payment_result;
use wallet_client::{FomoCallbackError, FomoReceiver};
use wallet_core::{Callback as _, UnixTime, webhook};
use wallet_crypto::Portable;

/// The platform's callback.
fn callback(client_secret: &str, now: UnixTime) -> http::Request<Vec<u8>> {
    let body = b"transfer_id=42&user_id=100001&trade_id=order-1&coin_id=5&amount=1.50&cut_amount=0&direction=1&status=1";
    let rule = payment_result::Callback::META.signing.expect("FOMO's callback is signed");
    let secrets = [client_secret.as_bytes()];
    let mut request = http::Request::post("https://shop.example/fomo/callback");
    for (name, value) in webhook::sign(&Portable::new(), rule, secrets, "42", now, body) {
        request = request.header(name, value);
    }
    request.body(body.to_vec()).expect("the headers are ASCII")
}

pub fn main() {
    let (secret, now) = ("8f14e45fceea167a5a36dedd4bea2543f2a1b0c9", UnixTime::from_secs(1_574_510_444));
    let receiver = FomoReceiver::new(Arc::new(Portable::new()), secret.into());

    let request = callback(secret, now);
    let paid = receiver.receive(&request, now).expect("it is genuine");
    println!("{} is paid: {} of coin {}", paid.trade_id, paid.amount, paid.coin_id);
    // Now compare direction, status, amount and coin with the order of this trade_id, book the order once, and answer
    // exactly HTTP 200.
    assert_eq!((paid.amount.as_str(), FomoReceiver::acknowledgement().status().as_u16()), ("1.50", 200));

    let mut forged = callback(secret, now);
    let body = String::from_utf8_lossy(forged.body()).replace("1.50", "9.50");
    *forged.body_mut() = body.into_bytes();
    let error = receiver.receive(&forged, now).expect_err("the amount was changed");
    println!("a changed amount: {error}");
    assert!(matches!(error, FomoCallbackError::Signature(_)));
    assert_eq!(FomoReceiver::rejection(error).status(), 400);
}
