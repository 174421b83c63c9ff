//! Chores of the workspace. `cargo xtask` without more says what there is.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod circles;
mod codegen;
mod dist;
mod guides;
mod public;
mod report;
mod signatures;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

type Outcome = Result<(), String>;

const USAGE: &str = "\
cargo xtask codegen [--check]   write the reference and OpenAPI from the spec; --check fails when one is stale
cargo xtask dist DIR [PROGRAM]  make the release package in DIR, with PROGRAM; without it, build the program first
cargo xtask public [--check]    write docs/public-items.txt from what `cargo doc` has made; --check fails when it differs
cargo xtask tidy                check what the compiler does not: arrows, import circles, words, floats, docs, unsafe
cargo xtask report [--build]    turn the JSON of `cargo bench` into docs/performance.md; --build times a clean release build
cargo xtask screenshots DIR     pictures of every page, light and dark, for a desk and a phone
cargo xtask test [--long]       everything, installing what is missing; --long for many more trials";

/// The workspace's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["codegen"] => codegen::run(false),
        ["codegen", "--check"] => codegen::run(true),
        ["dist", directory] => dist::run(directory, None),
        ["dist", directory, program] => dist::run(directory, Some(program)),
        ["public"] => public::run(false),
        ["public", "--check"] => public::run(true),
        ["report"] => report::run(false),
        ["report", "--build"] => report::run(true),
        ["tidy"] => tidy::run(),
        ["screenshots", directory] => test::screenshots(directory),
        ["test"] => test::run(false),
        ["test", "--long"] => test::run(true),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
