//! Generated code names everything by absolute paths: it builds where not even the prelude is in scope, and where
//! `wallet-core` is a module of another crate. `keys.rs` puts the spec in.

#[allow(dead_code)]
#[no_implicit_prelude]
mod bare {
    #[derive(::wallet_macros::WalletApi)]
    #[wallet(spec_text = r##"SPEC"##)]
    pub struct Toy;
}

/// What a crate would offer that has the core through another.
mod facade {
    pub mod parts {
        pub use ::wallet_core as core;
    }
}

#[allow(dead_code)]
mod through_a_facade {
    // Hides the crate: a path that does not begin at the facade's would not resolve.
    #[allow(unused_imports)]
    mod wallet_core {}

    #[derive(wallet_macros::WalletApi)]
    #[wallet(crate = "crate::facade::parts::core", spec_text = r##"SPEC"##)]
    pub struct Toy;
}

fn main() {
    assert_eq!(bare::limits::VISITS, through_a_facade::limits::VISITS);
    let thing = through_a_facade::Thing { name: "n".to_owned() };
    let text = facade::parts::core::success_body::<through_a_facade::see::Endpoint>(
        facade::parts::core::Lang::En,
        &thing,
    );
    assert_eq!(text, br#"{"done":true,"code":"0007","text":"Fine","result":{"name":"n"}}"#);
}
