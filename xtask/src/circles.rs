//! Import circles between the files of a crate: files that cannot be read one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{Outcome, root};

/// Circles that have a reason; docs/architecture.md says it. A crate, and a file of the circle.
const WITH_A_REASON: &[(&str, &str)] = &[
    // A schema lists its row types, and each row type names its schema.
    ("wallet-engine", "schema"),
    ("wallet-platform", "schema"),
];

/// The files of a crate by their module's path, with the code that is not a test's.
fn modules(directory: &Path, path: &str, found: &mut BTreeMap<String, String>) -> Outcome {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", directory.display());
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") };
        if file.is_dir() {
            modules(&file, &below(&stem), found)?;
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&file).map_err(unreadable)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = code.lines().map(|line| line.split("//").next().unwrap_or_default());
            let name = if ["mod", "lib", "main"].contains(&&*stem) { path.to_owned() } else { below(&stem) };
            found.insert(name, code.collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(())
}

/// The modules of the same crate that a file's code names.
fn imports(code: &str, own: &str, modules: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |path: &str| {
        // The longest beginning that is a file: the rest are its items.
        let mut path = path.trim();
        while !path.is_empty() && !modules.contains_key(path) {
            path = path.rsplit_once("::").map_or("", |(before, _)| before);
        }
        if !path.is_empty() && path != own && !own.starts_with(&format!("{path}::")) {
            found.insert(path.to_owned());
        }
    };
    for part in code.split("crate::").skip(1) {
        match part.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').for_each(&mut add),
            None => {
                let end = part.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                add(part[..end.unwrap_or(part.len())].trim_end_matches(':'));
            }
        }
    }
    found
}

/// Everything that a module reaches.
fn reached<'g>(from: &'g str, graph: &'g BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&'g str> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        for import in graph.get(module).into_iter().flatten() {
            if seen.insert(import.as_str()) {
                next.push(import);
            }
        }
    }
    seen
}

/// Prints the circles, and finds fault with those that have no reason.
pub(crate) fn check(faults: &mut Vec<String>) -> Outcome {
    let crates = root().join("crates");
    let unreadable = |error: std::io::Error| format!("cannot read crates/: {error}");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(&crates).map_err(unreadable)? {
        names.insert(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    for name in names {
        let mut files = BTreeMap::new();
        modules(&crates.join(&name).join("src"), "", &mut files)?;
        let graph: BTreeMap<String, BTreeSet<String>> = files
            .iter()
            .filter(|(module, _)| !module.is_empty())
            .map(|(module, code)| (module.clone(), imports(code, module, &files)))
            .collect();
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            graph.keys().map(|module| (module.as_str(), reached(module, &graph))).collect();
        let mut shown = BTreeSet::new();
        for (module, reaches) in &reach {
            let circle: BTreeSet<&str> =
                reaches.iter().copied().filter(|other| reach[other].contains(module)).collect();
            if circle.is_empty() || !shown.insert(circle.clone()) {
                continue;
            }
            let files = circle.iter().copied().collect::<Vec<_>>().join(", ");
            let reason = WITH_A_REASON.iter().any(|(of, file)| *of == name && circle.contains(file));
            match reason {
                true => println!("import circle in {name}, as docs/architecture.md says: {files}"),
                false => faults.push(format!("import circle in {name}: {files}")),
            }
        }
    }
    Ok(())
}
