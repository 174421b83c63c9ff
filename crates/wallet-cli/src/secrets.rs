//! Files with a secret: only their user may read them.

use std::path::Path;

use wallet_core::Secret;

use crate::output::{Output, Stop};

/// The text of a file with a secret. A file that others can read is refused.
pub(crate) fn read_secret(output: &Output, path: &Path) -> Result<Secret<String>, Stop> {
    let bytes = output.read(path)?;
    check_mode(output, path)?;
    Ok(Secret::new(String::from_utf8(bytes).unwrap_or_default()))
}

/// Refuses a file that others can read.
#[cfg(unix)]
fn check_mode(output: &Output, path: &Path) -> Result<(), Stop> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = std::fs::metadata(path).map_or(0, |file| file.mode()) & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Stop::environment(output.say(
        &format!("{path} 的权限是 {mode:o}：其他用户也能读到这个秘密。请执行 chmod 600 {path}"),
        &format!("{path} has mode {mode:o}: other users can read this secret. Type chmod 600 {path}"),
    )))
}

#[cfg(not(unix))]
fn check_mode(_: &Output, _: &Path) -> Result<(), Stop> {
    Ok(())
}
