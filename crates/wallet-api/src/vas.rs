//! The VAS and Lafi wallets: login and payment by link and QR code, an RSA signature, a callback, a price.
//!
//! ```
//! use wallet_api::vas::{AppUuid, AnyLink, Platform, Profile, login};
//! use wallet_core::link::{self, OutgoingLink as _};
//!
//! let mut login = login::Link::new("https://www.shop.example/login".into(), AppUuid::new("123-123-123"));
//! login.platform = Some(Platform::Web);
//! login.web_token = Some("SSFJIEKALSM".into());
//! let link = login.app(Profile::Vas.scheme(), None)?;
//! assert!(link.starts_with("vaswallet://%7B%22type%22:%22login%22,%22platform%22:%22web%22"));
//! let payload = link::payload(&link)?;
//! let (AnyLink::Login(read), warnings) = AnyLink::read(&payload)? else { panic!("a login") };
//! assert_eq!(read, login);
//! assert!(warnings.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

/// The VAS and Lafi wallets, as `spec/vas.toml` declares them.
#[derive(wallet_macros::WalletApi, Debug, Clone, Copy)]
#[wallet(spec = "spec/vas.toml", rules = "spec/rules.toml")]
pub struct Vas;

impl From<Profile> for Wallet {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Vas => Self::Vas,
            Profile::Lafi => Self::Lafi,
        }
    }
}

impl From<Wallet> for Profile {
    fn from(wallet: Wallet) -> Self {
        match wallet {
            Wallet::Vas => Self::Vas,
            Wallet::Lafi => Self::Lafi,
        }
    }
}
