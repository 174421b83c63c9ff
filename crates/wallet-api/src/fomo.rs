//! The FOMO open platform: OAuth2, payments by `pre_pay` and `confirm_pay`, payouts by `pay_user`, a callback.

/// The FOMO open platform, as `spec/fomo.toml` declares it.
#[derive(wallet_macros::WalletApi, Debug, Clone, Copy)]
#[wallet(spec = "spec/fomo.toml", rules = "spec/rules.toml")]
pub struct Fomo;
