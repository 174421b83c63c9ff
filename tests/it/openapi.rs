//! The API's description, read by programs of others: linters, and one that makes requests from it.

use std::process::Command;

use wallet_tests::World;

use crate::callback_programs::tool;

const FILES: [&str; 2] = ["fomo", "vas"];

fn file(name: &str) -> String {
    format!("{}/../docs/openapi/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

fn beside(name: &str) -> String {
    format!("{}/openapi/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program that has to succeed; returns what it printed.
fn passes(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let printed =
        format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {}\n{printed}", done.status);
    printed
}

#[test]
fn three_linters_find_no_error_in_the_description() {
    for name in FILES {
        let file = file(name);
        let valid = passes(Command::new(tool("venv/bin/openapi-spec-validator")).arg(&file));
        assert!(valid.contains("OK"), "{valid}");
        let linted = passes(
            Command::new(tool("node_modules/.bin/spectral"))
                .args(["lint", "--fail-severity", "error", "--ruleset"])
                .arg(beside("spectral.yaml"))
                .arg(&file),
        );
        assert!(linted.contains("0 errors") || linted.contains("No results"), "{linted}");
        let linted = passes(Command::new(tool("node_modules/.bin/redocly")).args(["lint", &file]));
        assert!(linted.contains("Your API description is valid"), "{linted}");
    }
}

/// schemathesis makes requests that fit the description and requests that do not: no 5xx, no status and no reply that is not described.
///
/// Two of its checks do not fit these platforms. `negative_data_rejection` wants 4xx for bad data, and the documents refuse with HTTP 200:
/// `tests/openapi/checks.py` has the check for that. `positive_data_acceptance` wants success for made-up ids, codes and passwords.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_no_reply_that_is_not_described() {
    let world = World::start().await;
    let (access, _) = world.tokens("alice").await;
    for (name, url) in FILES.iter().zip([&world.described().fomo.base_url, &world.described().vas.base_url]) {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(tool("venv/bin/schemathesis"));
        command
            .args(["run", &file(name), "--url", url.trim_end_matches('/'), "--checks", "all"])
            .args(["--exclude-checks", "negative_data_rejection,positive_data_acceptance"])
            .args(["--max-examples", "60", "--seed", "1", "--no-color"])
            .env("SCHEMATHESIS_HOOKS", beside("checks.py"))
            .env("ACCESS_TOKEN", &access)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(&directory);
        let printed = tokio::task::spawn_blocking(move || passes(&mut command)).await.unwrap();
        let summary = printed.lines().find_map(|line| line.trim().split_once(" generated, "));
        let cases = summary.and_then(|(cases, _)| cases.parse::<u32>().ok());
        let cases = cases.unwrap_or_else(|| panic!("{printed}"));
        println!("{name}: {cases} requests");
        assert!(cases > 100, "{printed}");
    }
}
