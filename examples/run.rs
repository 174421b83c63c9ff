//! Runs each example.

macro_rules! examples {
    ($($name:ident: $file:literal,)+) => { $(
        #[path = $file]
        mod $name;
    )+ };
}

examples! {
    axum_merchant: "axum_merchant.rs",
    custom_backend: "custom_backend.rs",
    delivery_machine: "delivery_machine.rs",
    embed_platform: "embed_platform.rs",
    own_protocol: "own_protocol.rs",
    std_client: "std_client.rs",
    vas_merchant: "vas_merchant.rs",
    verify_callback: "verify_callback.rs",
}

#[test]
fn axum_merchant_runs() {
    axum_merchant::main();
}

#[test]
fn only_a_payment_of_an_open_order_hands_over_goods() {
    use wallet_core::Callback as _;

    let merchant = axum_merchant::Merchant {
        receiver: wallet_client::FomoReceiver::new(
            std::sync::Arc::new(wallet_crypto::Portable::new()),
            "".into(),
        ),
        open: std::sync::Mutex::new([("coffee-1".to_owned(), "3.20".parse().unwrap())].into()),
        handed_over: tokio::sync::mpsc::unbounded_channel().0,
    };
    let paid =
        "transfer_id=1&user_id=2&trade_id=coffee-1&coin_id=5&amount=3.2&cut_amount=0&direction=1&status=1";
    let order = |body: &str| {
        let payload = wallet_api::fomo::payment_result::Callback::decode(body.as_bytes()).unwrap();
        merchant.paid_order(&payload)
    };
    for (field, other) in [
        ("direction=1", "direction=2"), // the merchant's own payout
        ("status=1", "status=0"),
        ("amount=3.2&", "amount=3.1&"),
        ("coin_id=5", "coin_id=6"),
        ("trade_id=coffee-1", "trade_id=coffee-2"),
    ] {
        assert!(paid.contains(field));
        assert_eq!(order(&paid.replace(field, other)), None, "{other}");
    }
    assert_eq!(order(paid).as_deref(), Some("coffee-1"));
    assert_eq!(order(paid), None, "the callback came again");
}

#[test]
fn custom_backend_runs() {
    custom_backend::main();
}

#[test]
fn delivery_machine_runs() {
    delivery_machine::main();
}

#[test]
fn embed_platform_runs() {
    embed_platform::main();
}

#[test]
fn own_protocol_runs() {
    own_protocol::main();
}

#[test]
fn std_client_runs() {
    std_client::main().unwrap();
}

#[test]
fn vas_merchant_runs() {
    vas_merchant::main();
}

#[test]
fn verify_callback_runs() {
    verify_callback::main();
}

/// An example is read in one go.
#[test]
fn each_example_has_at_most_120_lines() {
    for entry in std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
            // With its spec, a whole protocol has 250.
            let (lines, most) = match path.file_stem() == Some("own_protocol".as_ref()) {
                true => (lines(path.clone()) + lines(path.with_extension("toml")), 250),
                false => (lines(path.clone()), 120),
            };
            assert!(lines <= most, "{} has {lines} lines", path.display());
        }
    }
}
