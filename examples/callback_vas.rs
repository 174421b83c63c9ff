//! Verifies a VAS or Lafi callback that CGI passes: the program of the guide on callbacks.

use std::{env::var, time::SystemTime};
use wallet_client::VasReceiver;
use wallet_core::UnixTime;
use wallet_crypto::{PublicKey, rsa_verifier};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = PublicKey::load(std::fs::read(var("RSA_PUBLIC")?)?)?;
    let receiver = VasReceiver::new(var("UUID")?.into(), rsa_verifier(&key)?);
    let query = var("QUERY_STRING")?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let paid = receiver.receive(&query, UnixTime::from_secs(now.try_into()?))?;
    println!("genuine: {}", paid.payment().order_id);
    Ok(())
}
