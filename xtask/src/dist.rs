//! The release package: an archive of the program, an example of its settings, its systemd unit, and documents for operators.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, root};

/// The other files of the package: the path in this repository, and the path in the archive.
const FILES: &[(&str, &str)] = &[
    ("docs/packaging/wallop.toml", "etc/wallop.toml"),
    ("docs/packaging/wallop.service", "lib/systemd/system/wallop.service"),
    ("docs/operations.md", "share/doc/wallop/operations.md"),
    ("docs/scaling.md", "share/doc/wallop/scaling.md"),
    ("docs/personal-data.md", "share/doc/wallop/personal-data.md"),
    ("docs/monitoring/dashboard.json", "share/doc/wallop/monitoring/dashboard.json"),
    ("docs/monitoring/alerts.yml", "share/doc/wallop/monitoring/alerts.yml"),
    ("CHANGELOG.md", "share/doc/wallop/CHANGELOG.md"),
    ("LICENSE-APACHE", "share/doc/wallop/LICENSE-APACHE"),
    ("LICENSE-MIT", "share/doc/wallop/LICENSE-MIT"),
];

fn run_command(command: &mut Command) -> Outcome {
    let done = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if done.success() { Ok(()) } else { Err(format!("{command:?} failed")) }
}

/// Builds the program without names and lines, a fifth of the size of a plain release.
fn build() -> Result<PathBuf, String> {
    run_command(
        Command::new("cargo")
            .args(["build", "--locked", "--profile", "dist", "--package", "wallet-cli"])
            .current_dir(root()),
    )?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into());
    Ok(root().join(target).join("dist/wallop"))
}

/// Makes the archive in a directory and prints its path. Without a `program`, builds it first.
pub(crate) fn run(directory: &str, program: Option<&str>) -> Outcome {
    let directory = std::path::absolute(directory).map_err(|error| error.to_string())?;
    let program = program.map_or_else(build, |program| Ok(PathBuf::from(program)))?;
    let name = format!("wallop-{}-linux-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let stage = directory.join(&name);
    if stage.exists() {
        return Err(format!("{} is there already: remove it, or name another directory", stage.display()));
    }
    let copy = |from: &Path, to: &str| {
        let to = stage.join(to);
        let parent = to.parent().unwrap_or(&stage);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::copy(from, &to))
            .map(drop)
            .map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))
    };
    copy(&program, "bin/wallop")?;
    FILES.iter().try_for_each(|(from, to)| copy(&root().join(from), to))?;
    let archive = directory.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--gzip", "--owner=0", "--group=0", "--mode=u=rwX,go=rX", "--file"]).arg(&archive);
    run_command(tar.arg("--directory").arg(&directory).arg(&name))?;
    std::fs::remove_dir_all(&stage).map_err(|error| format!("cannot remove {}: {error}", stage.display()))?;
    let size = std::fs::metadata(&archive).map_or(0, |archive| archive.len());
    println!("{} ({:.1} MB)", archive.display(), size as f64 / 1e6);
    Ok(())
}
