//! The attribute says where the spec is.

#[derive(wallet_macros::WalletApi)]
pub struct Toy;

#[derive(wallet_macros::WalletApi)]
#[wallet(spec = "spec/not_there.toml")]
pub struct Lost;

fn main() {}
