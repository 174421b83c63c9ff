//! What the compiler does not check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Outcome, circles, root, signatures};

/// Which crates a crate of this workspace may depend on: the architecture, as data.
const ARROWS: &[(&str, &[&str])] = &[
    ("wallet-spec", &[]),
    ("wallet-macros", &["wallet-spec"]),
    ("wallet-core", &["wallet-spec"]),
    ("wallet-api", &["wallet-core", "wallet-macros"]),
    ("wallet-rsa8", &[]),
    ("wallet-crypto", &["wallet-core", "wallet-rsa8"]),
    ("wallet-engine", &["wallet-core"]),
    ("wallet-chain", &["wallet-engine", "wallet-core"]),
    ("wallet-platform", &["wallet-engine", "wallet-chain", "wallet-api", "wallet-core"]),
    ("wallet-store", &["wallet-engine", "wallet-core"]),
    ("wallet-client", &["wallet-chain", "wallet-api", "wallet-core"]),
    ("wallet-explain", &["wallet-core"]),
    ("wallet-hyper", &["wallet-core"]),
    (
        "wallet-server",
        &[
            "wallet-store",
            "wallet-engine",
            "wallet-chain",
            "wallet-platform",
            "wallet-hyper",
            "wallet-crypto",
            "wallet-api",
            "wallet-core",
        ],
    ),
    (
        "wallet-sandbox",
        &[
            "wallet-server",
            "wallet-client",
            "wallet-explain",
            "wallet-store",
            "wallet-engine",
            "wallet-chain",
            "wallet-platform",
            "wallet-hyper",
            "wallet-crypto",
            "wallet-api",
            "wallet-core",
        ],
    ),
    (
        "wallet-cli",
        &[
            "wallet-sandbox",
            "wallet-server",
            "wallet-store",
            "wallet-client",
            "wallet-explain",
            "wallet-crypto",
            "wallet-api",
            "wallet-core",
        ],
    ),
];

/// These never see a runtime, a database or a crypto library, at any depth.
const SANS_IO: &[&str] =
    &["wallet-core", "wallet-api", "wallet-chain", "wallet-engine", "wallet-platform", "wallet-explain"];
const IO: &[&str] = &[
    "hyper",
    "hyper-util",
    "tokio",
    "axum",
    "rusqlite",
    "tokio-postgres",
    "ring",
    "rsa",
    "sha1",
    "sha2",
    "aws-lc-rs",
    "argon2",
    "getrandom",
    "rand",
];

/// The modules that may have `unsafe` code: one calls a C library, one calls functions for instructions that a machine may lack.
const UNSAFE: &[&str] = &["wallet-crypto/src/aws_lc.rs", "wallet-rsa8/src/operations.rs"];
/// No float in these.
const MONEY: &[&str] =
    &["wallet-core", "wallet-api", "wallet-chain", "wallet-engine", "wallet-platform", "wallet-store"];

/// The platform and the server: outside the directories `fomo` and `vas`, only these of their files name a protocol. They
/// list what each protocol brings (its tables, its expired rows, its callbacks, its watcher), or use what FOMO's document
/// defines for every account (`accounts`, the sign-in) and for every refusal's text (`pages`).
const SHARED: &[(&str, &[&str])] = &[
    (
        "wallet-platform",
        &[
            "lib.rs",
            "accounts.rs",
            "check.rs",
            "deliveries.rs",
            "purge.rs",
            "reseal.rs",
            "schema.rs",
            "sheets.rs",
        ],
    ),
    (
        "wallet-server",
        &[
            "lib.rs",
            "administration.rs",
            "context.rs",
            "protocols.rs",
            "server.rs",
            "pages/mod.rs",
            "pages/sign_in.rs",
        ],
    ),
];

/// Names that say less than the field's own terms.
const NO_NAMES: &[&str] =
    &["Unheard", "Troubled", "News", "Told", "Posted", "Asked", "Held", "Way", "glance"];

/// Words for which the field has a term, and which have to be read twice.
const NO_WORDS: &[&str] =
    &["told", "heard", "unheard", "whoever", "whom", "anew", "news", "stands", "of now", "is none"];

/// Where prose is: the crates with their pages, the documents, the spec.
const PROSE: &[&str] = &[
    "crates",
    "docs",
    "spec",
    "examples",
    "tests",
    "benches",
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
];

pub(crate) fn run() -> Outcome {
    let mut faults = Vec::new();
    arrows(&mut faults)?;
    sans_io(&mut faults)?;
    reach(&mut faults)?;
    circles::check(&mut faults)?;
    sources(&mut faults)?;
    prose(&mut faults)?;
    if faults.is_empty() {
        println!("tidy");
        return Ok(());
    }
    Err(faults.join("\n"))
}

/// Whether code, outside its texts, names a protocol or the types of one.
fn names_protocol(code: &str) -> bool {
    let outside = code.split('"').step_by(2);
    let mut words = outside.flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|word| {
        let is_type = |name: &str| {
            word.match_indices(name).any(|(at, _)| {
                let after = word[at + name.len()..].chars().next();
                after.is_none_or(|c| !c.is_lowercase())
            })
        };
        ["wallet_api", "fomo", "vas"].contains(&word) || is_type("Fomo") || is_type("Vas")
    })
}

#[test]
fn a_protocol_is_found_however_it_is_imported() {
    for code in ["use crate::{fomo, vas};", "use wallet_platform::fomo::answer;", "    ReviewVas, SendAgain,"]
    {
        assert!(names_protocol(code), "{code}");
    }
    for code in ["use crate::vault::Vault;", "get(\"/apps/new/fomo\")", "let canvas = openfomo();"] {
        assert!(!names_protocol(code), "{code}");
    }
}

fn output(command: &mut Command) -> Result<String, String> {
    let done =
        command.current_dir(root()).output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !done.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&done.stderr)));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn metadata() -> Result<Value, String> {
    let metadata = output(Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&metadata).map_err(|error| error.to_string())
}

/// The libraries that each crate of the workspace depends on, as its code names them.
fn libraries() -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut found = BTreeMap::new();
    for package in metadata()?["packages"].as_array().into_iter().flatten() {
        let names = package["dependencies"].as_array().into_iter().flatten();
        let names = names.filter_map(|dependency| dependency["name"].as_str());
        let names = names.filter(|name| !name.starts_with("wallet-")).map(|name| name.replace('-', "_"));
        found.insert(package["name"].as_str().unwrap_or_default().to_owned(), names.collect());
    }
    Ok(found)
}

fn arrows(faults: &mut Vec<String>) -> Outcome {
    let metadata = metadata()?;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let ours = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["kind"].is_null());
        let ours = ours
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|name| name.starts_with("wallet-"));
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        found.insert(name, ours.map(str::to_owned).collect());
    }
    for (name, allowed) in ARROWS {
        match found.get(*name) {
            None => faults.push(format!("the crate {name} is not there")),
            Some(dependencies) => {
                for dependency in
                    dependencies.iter().filter(|dependency| !allowed.contains(&dependency.as_str()))
                {
                    faults.push(format!(
                        "{name} depends on {dependency}: that arrow is not in the architecture"
                    ));
                }
            }
        }
    }
    for name in found.keys().filter(|name| {
        name.starts_with("wallet-")
            && !name.contains("test")
            && !["wallet-benches", "wallet-examples"].contains(&name.as_str())
    }) {
        if !ARROWS.iter().any(|(known, _)| known == name) {
            faults.push(format!(
                "the crate {name} has no place in the architecture: give it one in xtask/src/tidy.rs"
            ));
        }
    }
    Ok(())
}

/// The names of the packages that a crate is built with, at any depth.
fn packages(name: &str, features: &[&str]) -> Result<Vec<String>, String> {
    let tree = ["tree", "-p", name, "-e", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"];
    let tree = output(Command::new("cargo").args(tree).args(features))?;
    Ok(tree.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect())
}

fn sans_io(faults: &mut Vec<String>) -> Outcome {
    for name in SANS_IO {
        for dependency in packages(name, &[])? {
            if IO.contains(&&*dependency) {
                faults.push(format!("{name} depends on {dependency}, but must do no input or output"));
            }
        }
    }
    Ok(())
}

/// The store and the engine know no platform. The program has AWS-LC unless it is built without its default features.
fn reach(faults: &mut Vec<String>) -> Outcome {
    for name in ["wallet-store", "wallet-engine"] {
        for dependency in packages(name, &[])? {
            if ["wallet-platform", "wallet-api"].contains(&&*dependency) {
                faults.push(format!("{name} depends on {dependency}, but must know no platform"));
            }
        }
    }
    for (features, wanted) in [(&[][..], true), (&["--no-default-features"][..], false)] {
        let packages = packages("wallet-cli", features)?;
        if packages.iter().any(|package| package == "aws-lc-sys") != wanted {
            let must = if wanted { "must" } else { "must not" };
            faults.push(format!("wallet-cli {} {must} depend on aws-lc-sys", features.join(" ")));
        }
    }
    Ok(())
}

fn sources(faults: &mut Vec<String>) -> Outcome {
    let libraries = libraries()?;
    for (name, _) in ARROWS {
        for path in rust_files(&root().join("crates").join(name).join("src"))? {
            let text =
                std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
            if !text.starts_with("//!") {
                faults.push(format!("{shown}:1: say what this file is, in `//!`"));
            }
            let (shown_path, depends) =
                (Path::new(&shown), libraries.get(*name).map_or(&[][..], Vec::as_slice));
            if !["wallet-macros", "wallet-cli"].contains(name) {
                signatures::check(name, depends, shown_path, &text, faults)?;
            }
            let protocols = ["fomo", "vas"].map(|own| format!("crates/{name}/src/{own}/"));
            let is_shared = SHARED.iter().any(|(of, lists)| {
                let may_name = lists.iter().any(|list| shown == format!("crates/{name}/src/{list}"));
                of == name && !may_name && !protocols.iter().any(|own| shown.starts_with(own))
            });
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let has = |word: &str| has_word(code, word);
                let mut fault = |what: &str| faults.push(format!("{shown}:{}: {what}", number + 1));
                if MONEY.contains(name) && (has("f32") || has("f64")) {
                    fault("a float near money");
                }
                if has("unsafe") && !UNSAFE.iter().any(|module| shown.ends_with(module)) {
                    fault("unsafe code in a shipped crate");
                }
                if is_shared && names_protocol(code) {
                    fault(
                        "shared code names a protocol: what differs between protocols belongs to their directories",
                    );
                }
                if let Some(word) = NO_NAMES.iter().find(|word| has(word)) {
                    fault(&format!("`{word}` is no name: the field has a term for it"));
                }
                if SANS_IO.contains(name) && (has("SystemTime") || has("Instant") || has("thread")) {
                    fault("a clock or a thread in a crate that has none");
                }
            }
        }
    }
    for required in [
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
    ] {
        if !root().join(required).is_file() {
            faults.push(format!("{required} is missing"));
        }
    }
    Ok(())
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let around = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        around(text[..at].chars().next_back()) && around(text[at + word.len()..].chars().next())
    })
}

fn prose(faults: &mut Vec<String>) -> Outcome {
    let mut files = Vec::new();
    for place in PROSE {
        let path = root().join(place);
        match path.is_dir() {
            true => files.extend(files_of(&path, &["rs", "html", "md", "toml"])?),
            false => files.push(path),
        }
    }
    for path in files {
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{shown}: {error}"))?;
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            if let Some(word) = NO_WORDS.iter().find(|word| has_word(&line, word)) {
                faults.push(format!("{shown}:{}: `{word}` (NO_WORDS in xtask/src/tidy.rs): say it with the field's term, or plainly", number + 1));
            }
        }
    }
    Ok(())
}

fn rust_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    files_of(directory, &["rs"])
}

fn files_of(directory: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue; // what it leads to is looked at where it is
        }
        if path.is_dir() {
            files.extend(files_of(&path, extensions)?);
        } else if path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|e| extensions.contains(&e))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
