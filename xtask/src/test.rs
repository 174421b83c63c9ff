//! Everything that must hold, in one command.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::{Outcome, root};

/// Programs that the tests use, and the Debian packages that have them.
const NEEDED: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("curl", "curl"),
    ("ps", "procps"),
    ("kill", "procps"),
    ("sh", "dash"),
    ("openssl", "openssl"),
    ("python3", "python3"),
    ("php", "php-cli"),
    ("javac", "default-jdk-headless"),
    ("go", "golang-go"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("litecoind", "litecoind"),
    ("tar", "tar"),
];

/// The same for the tests that only `--long` runs.
const NEEDED_LONG: &[(&str, &str)] = &[
    ("patroni", "patroni"),
    ("etcd", "etcd-server"),
    ("/usr/lib/python3/dist-packages/etcd/__init__.py", "python3-etcd"),
];

/// What a package includes is in its reach. That each builds by itself takes minutes: `--long` leaves the last word away.
const PACKAGES: &[&str] = &["package", "--quiet", "--workspace", "--offline", "--allow-dirty", "--no-verify"];

/// Tests of the HTTP interface, once more on PostgreSQL. One test blocks the writer from within a decision, which there runs
/// before its turn too: it stays on SQLite.
const ON_POSTGRES: &[&str] = &[
    "test",
    "--quiet",
    "--package",
    "wallet-tests",
    "--test",
    "it",
    "--",
    "--skip",
    "r29_overload",
    "chain::",
    "edits::",
    "onboarding::",
    "rules::",
    "vas_http::",
];
/// More of them, which take minutes.
const MORE_ON_POSTGRES: &[&str] = &[
    "bad_input::",
    "callbacks::",
    "clients::",
    "clock_page::",
    "endpoints::",
    "pages::",
    "races::over",
    "returns::",
    "story::",
    "wallet::",
];

pub(crate) fn run(long: bool) -> Outcome {
    install(long)?;
    let began = Instant::now();
    let on_postgres = [ON_POSTGRES, if long { MORE_ON_POSTGRES } else { &[] }].concat();
    let mut steps: Vec<(&str, &[&str])> = vec![
        ("format", &["fmt", "--all", "--check"]),
        // Licences, sources and bans of deny.toml. Advisories need the network at each run: they are for a person to ask.
        ("dependencies", &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]),
        (
            "lints",
            &[
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--features",
                "wallet-cli/otlp",
                "--",
                "-D",
                "warnings",
            ],
        ),
        ("tests", &["test", "--quiet", "--workspace"]),
        ("tests on PostgreSQL", &on_postgres),
        // Without AWS-LC: signs, pays and verifies a callback with the portable RSA.
        (
            "the portable program",
            &["run", "--quiet", "--package", "wallet-cli", "--no-default-features", "--", "demo", "vas"],
        ),
        ("documentation", &["doc", "--quiet", "--workspace", "--no-deps"]),
        ("packages", if long { &PACKAGES[..PACKAGES.len() - 1] } else { PACKAGES }),
    ];
    if long {
        steps.push((
            "traces",
            &["test", "--quiet", "--package", "wallet-cli", "--features", "otlp", "traces"],
        ));
    }
    for (number, (name, arguments)) in steps.iter().enumerate() {
        println!("[{}/{}] {name}: cargo {}", number + 3, steps.len() + 2, arguments.join(" "));
        if number == 0 {
            println!("[1/{}] tidy", steps.len() + 2);
            crate::tidy::run()?;
            println!("[2/{}] codegen --check", steps.len() + 2);
            crate::codegen::run(true)?;
        }
        let step = Instant::now();
        let mut command = Command::new("cargo");
        command.args(*arguments).current_dir(root()).env("RUSTDOCFLAGS", "-D warnings");
        if long {
            command.env("WALLOP_LONG", "1");
        }
        if *name == "tests on PostgreSQL" {
            command.env("WALLOP_TEST_STORE", "postgres");
        }
        let done = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !done.success() {
            return Err(format!("{name} failed; the output above says where"));
        }
        if *name == "documentation" {
            crate::public::run(true)?; // of what it has just made
        }
        println!("      {} s", step.elapsed().as_secs());
    }
    println!("all is well, after {} s", began.elapsed().as_secs());
    Ok(())
}

/// Pictures need what the tests need, and Chinese letters.
pub(crate) fn screenshots(directory: &str) -> Outcome {
    install(false)?;
    let directory = std::path::absolute(directory).map_err(|error| error.to_string())?;
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--package", "wallet-tests", "--example", "screenshots", "--"]);
    let done = command.arg(directory).current_dir(root()).status().map_err(|error| error.to_string())?;
    if done.success() {
        Ok(())
    } else {
        Err("not every page has its picture; the output above says why".to_owned())
    }
}

fn there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// cargo-deny, by cargo. Without optimisation: it runs for a second.
fn install_deny() -> Outcome {
    if Command::new("cargo").args(["deny", "--version"]).output().is_ok_and(|done| done.status.success()) {
        return Ok(());
    }
    println!("installing cargo-deny");
    let install = ["install", "cargo-deny", "--version", "0.20.2", "--locked", "--debug", "--quiet"];
    let done = Command::new("cargo").args(install).status().map_err(|error| error.to_string())?;
    if done.success() { Ok(()) } else { Err(format!("`cargo {}` failed", install.join(" "))) }
}

/// Libraries that the tests call, in `target/tools`: of Python in a virtual environment, of Node beside it.
const OF_PYTHON: &[&str] = &[
    "cryptography==48.0.0",
    "openapi-spec-validator==0.9.0",
    "schemathesis==4.32.5",
    "standardwebhooks==1.1.0",
    "svix==2.9.1",
];
const OF_NODE: &[&str] = &[
    "@redocly/cli@2.77.0",
    "@stoplight/spectral-cli@6.16.3",
    "axe-core@4.14.1",
    "standardwebhooks@1.1.1",
    "svix@1.99.1",
];

/// Installs the libraries, unless these versions are there.
fn install_libraries() -> Outcome {
    let tools = root().join("target/tools");
    let (venv, list) = (tools.join("venv"), tools.join("installed.txt"));
    let wanted = [OF_PYTHON, OF_NODE].concat().join("\n");
    if std::fs::read_to_string(&list).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing {}", wanted.replace('\n', " "));
    std::fs::create_dir_all(&tools).map_err(|error| format!("cannot create {}: {error}", tools.display()))?;
    let run = |program: &Path, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).current_dir(&tools).status();
        let done = done.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let line = format!("{} {}", program.display(), arguments.join(" "));
        if done.success() { Ok(()) } else { Err(format!("`{line}` failed in {}", tools.display())) }
    };
    run(Path::new("python3"), &["-m", "venv", "--clear", "venv"])?;
    run(&venv.join("bin/python3"), &[&["-m", "pip", "install", "--quiet"], OF_PYTHON].concat())?;
    run(Path::new("npm"), &[&["install", "--silent", "--no-save", "--prefix", "."], OF_NODE].concat())?;
    std::fs::write(&list, wanted).map_err(|error| format!("cannot write {}: {error}", list.display()))
}

fn install(long: bool) -> Outcome {
    install_deny()?;
    install_packages(long)?;
    install_libraries()
}

fn install_packages(long: bool) -> Outcome {
    let needed = NEEDED.iter().chain(if long { NEEDED_LONG } else { &[] });
    let mut missing: Vec<&str> =
        needed.filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect();
    // Debian keeps a part of the standard library in a package of its own.
    let venv = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    if !venv.is_ok_and(|done| done.status.success()) {
        missing.push("python3-venv");
    }
    // Debian keeps the programs of the server out of the PATH.
    let mut versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    if !versions.any(|version| version.path().join("bin/postgres").is_file()) {
        missing.push("postgresql");
    }
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let line =
        format!("apt-get update && apt-get install --yes --no-install-recommends {}", missing.join(" "));
    let root_user = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !root_user || !Path::new("/usr/bin/apt-get").is_file() {
        return Err(format!(
            "the tests need programs that are not there. Type this, then try again:\n  sudo sh -c '{line}'"
        ));
    }
    println!("installing {}", missing.join(" "));
    let done = Command::new("sh").args(["-c", &line]).status().map_err(|error| error.to_string())?;
    if done.success() { Ok(()) } else { Err(format!("`{line}` failed")) }
}
