//! Runs each example.

macro_rules! examples {
    ($($name:ident: $file:literal,)+) => { $(
        #[path = $file]
        mod $name;
    )+ };
}

examples! {
    custom_backend: "custom_backend.rs",
    delivery_machine: "delivery_machine.rs",
    embed_platform: "embed_platform.rs",
    std_client: "std_client.rs",
    verify_callback: "verify_callback.rs",
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
fn std_client_runs() {
    std_client::main().unwrap();
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
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 120, "{} has {lines} lines", path.display());
        }
    }
}
