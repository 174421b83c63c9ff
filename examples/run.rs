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
