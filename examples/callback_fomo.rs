//! Verifies a FOMO callback that CGI passes: the program of the guide on callbacks.

use std::{env::var, io::Read as _, sync::Arc, time::SystemTime};
use wallet_client::FomoReceiver;
use wallet_core::UnixTime;
use wallet_crypto::Portable;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut request = http::Request::post("/paid");
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let variable = format!("HTTP_{}", name.replace('-', "_").to_uppercase());
        request = request.header(name, var(variable)?);
    }
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let request = request.body(body)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let receiver = FomoReceiver::new(Arc::new(Portable::new()), var("CLIENT_SECRET")?.into());
    let payment = receiver.receive(&request, UnixTime::from_secs(now.try_into()?))?;
    println!("genuine: {}", payment.trade_id);
    Ok(())
}
