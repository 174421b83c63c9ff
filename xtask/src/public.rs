//! The public items of the library crates: a list that is checked in, so that a change of it is seen and meant.
//!
//! rustdoc makes it: `all.html` of a crate has a link to each item that its users can name, whatever macro made it.

use std::fmt::Write as _;

use crate::{Outcome, root};

/// The crates that others embed.
const LIBRARIES: &[&str] = &[
    "wallet-spec",
    "wallet-core",
    "wallet-api",
    "wallet-rsa8",
    "wallet-crypto",
    "wallet-engine",
    "wallet-chain",
    "wallet-platform",
    "wallet-store",
    "wallet-explain",
    "wallet-client",
    "wallet-hyper",
    "wallet-server",
    "wallet-sandbox",
];

const FILE: &str = "docs/public-items.txt";

/// `struct.Amount.html` is `struct Amount`, `fomo/enum.Refusal.html` is `enum fomo::Refusal`.
fn item(link: &str) -> Option<String> {
    let (path, file) = link.rsplit_once('/').map_or(("", link), |(path, file)| (path, file));
    let (kind, name) = file.strip_suffix(".html")?.split_once('.')?;
    let path = if path.is_empty() { String::new() } else { path.replace('/', "::") + "::" };
    Some(format!("{kind} {path}{name}"))
}

/// Reads what `cargo doc` has made; writes the list, or compares it.
pub(crate) fn run(check: bool) -> Outcome {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let mut list =
        String::from("# Made by `cargo doc --workspace --no-deps` and `cargo xtask public`. Do not edit.\n");
    for library in LIBRARIES {
        let page = target.join("doc").join(library.replace('-', "_")).join("all.html");
        let text = std::fs::read_to_string(&page).map_err(|error| {
            format!("{}: {error}; run `cargo doc --workspace --no-deps` first", page.display())
        })?;
        let items = text.split("class=\"all-items\"").skip(1).flat_map(|part| {
            let part = part.split("</ul>").next().unwrap_or_default();
            part.split("<a href=\"").skip(1).filter_map(|link| item(link.split('"').next()?))
        });
        let mut items: Vec<String> = items.collect();
        items.sort();
        if items.is_empty() {
            return Err(format!("{} lists no item: has rustdoc changed its page?", page.display()));
        }
        let _ = writeln!(list, "\n{library}");
        for item in items {
            let _ = writeln!(list, "  {item}");
        }
    }
    let file = root().join(FILE);
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    if known == list {
        return Ok(());
    }
    if check {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        let (before, after) = (lines(&known), lines(&list));
        let gone = before.difference(&after).map(|line| format!("-{line}"));
        let new = after.difference(&before).map(|line| format!("+{line}"));
        let changed = gone.chain(new).collect::<Vec<_>>().join("\n");
        return Err(format!("public items have changed:\n{changed}\nIf it is meant: `cargo xtask public`"));
    }
    std::fs::write(&file, list).map_err(|error| format!("cannot write {FILE}: {error}"))?;
    println!("wrote {FILE}");
    Ok(())
}
