//! `wallop check`, `backup`, `restore`, `copy` and `migrate`: keeping a database safe.

#![allow(clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use wallet_crypto::Portable;
use wallet_server::keeping::MasterKey;
use wallet_server::store::Location;
use wallet_store::OpenError;

use crate::output::{Output, Stop};
use crate::serve::{From, location, master_key, valid};

pub(crate) const CHECK_EXAMPLES: &str =
    "Examples:\n  wallop check --config /etc/wallop.toml\n  wallop check --config /etc/wallop.toml --json";
pub(crate) const BACKUP_EXAMPLES: &str =
    "Examples:\n  wallop backup /var/backups/wallop.db --config /etc/wallop.toml";
pub(crate) const RESTORE_EXAMPLES: &str =
    "Examples:\n  wallop restore /var/backups/wallop.db --config /etc/wallop.toml";
pub(crate) const COPY_EXAMPLES: &str = "Examples:\n  wallop copy --from sqlite:/var/lib/wallop/wallop.db --to postgres://wallop@127.0.0.1/wallop";
pub(crate) const MIGRATE_EXAMPLES: &str = "Examples:\n  wallop migrate --plan --config /etc/wallop.toml\n  wallop migrate --config /etc/wallop.toml";

/// Checks a whole database.
#[derive(clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    from: From,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Backup {
    /// The new file; it must not exist.
    file: PathBuf,
    #[command(flatten)]
    from: From,
}

#[derive(clap::Args)]
pub(crate) struct Restore {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    from: From,
}

#[derive(clap::Args)]
pub(crate) struct Copy {
    /// The database to copy, `sqlite:PATH`; its server must be stopped.
    #[arg(long)]
    from: String,
    /// The empty database, `postgres://user@host/name`.
    #[arg(long)]
    to: String,
}

#[derive(clap::Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    from: From,
    /// Only print what would be done.
    #[arg(long)]
    plan: bool,
}

fn failed(error: OpenError) -> Stop {
    Stop::environment(error.to_string())
}

/// Says on stderr which table is done.
fn progress(table: &'static str, rows: u64) {
    if rows > 0 {
        eprintln!("{table}: {rows}");
    }
}

/// The largest memory of this process so far, in MiB.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// The database and the master key of a configuration.
fn of_config(output: &Output, from: &From) -> Result<(Location, MasterKey), Stop> {
    let config = valid(output, from)?;
    let key = master_key(output, config.key())?;
    Ok((location(config.database())?, MasterKey { crypto: Arc::new(Portable::new()), key }))
}

pub(crate) fn check(output: &Output, Check { from, json }: Check) -> Result<(), Stop> {
    let (at, master) = of_config(output, &from)?;
    let started = Instant::now();
    let checked = at.check(&master, &progress).map_err(failed)?;
    let seconds = started.elapsed().as_secs_f64();
    if json {
        let damaged = checked.damaged.iter().map(|one| {
            serde_json::json!({ "table": one.table, "key": one.key, "damage": one.damage.in_words(output.lang) })
        });
        let report = serde_json::json!({
            "rows": checked.rows, "count": checked.count, "seconds": seconds, "memory_mib": peak_memory(),
            "damaged": damaged.collect::<Vec<_>>(),
        });
        output.line(&report.to_string())?;
    } else {
        for one in &checked.damaged {
            output.line(&format!("{} {}: {}", one.table, one.key, one.damage.in_words(output.lang)))?;
        }
        let memory = peak_memory().map(|mib| format!(", {mib} MiB")).unwrap_or_default();
        output.line(&format!("{} {}, {seconds:.1} s{memory}", checked.rows, output.say("行", "rows")))?;
    }
    match checked.count {
        0 if json => Ok(()),
        0 => output.line(output.say("没有发现损坏。", "No damage was found.")),
        count => Err(Stop::finding(output.say(
            &format!("发现 {count} 处损坏。请停止服务，保留数据库文件，从备份恢复到另一处再比较。"),
            &format!("{count} damages. Stop the servers, keep this database as it is, and restore a backup elsewhere to compare."),
        ))),
    }
}

pub(crate) fn backup(output: &Output, Backup { file, from }: Backup) -> Result<(), Stop> {
    location(valid(output, &from)?.database())?.back_up(&file).map_err(failed)?;
    let bytes = std::fs::metadata(&file).map_or(0, |file| file.len());
    output.line(&format!(
        "{}: {bytes} {}",
        file.display(),
        output.say(
            "字节。其中没有主密钥：请另外保管主密钥。",
            "bytes. The master key is not in it: keep that in another place."
        )
    ))
}

pub(crate) fn restore(output: &Output, Restore { file, from }: Restore) -> Result<(), Stop> {
    let (at, master) = of_config(output, &from)?;
    at.restore(Path::new(&file), &master).map_err(failed)?;
    output.line(output.say(
        "已恢复。启动之前请运行 wallop check。",
        "Restored. Run wallop check before you start the server.",
    ))
}

pub(crate) fn copy(output: &Output, Copy { from, to }: Copy) -> Result<(), Stop> {
    let rows = location(&from)?.copy_to(&location(&to)?, &progress).map_err(failed)?;
    output.line(output.say(
        &format!("已复制 {rows} 行，两个数据库逐行相同。"),
        &format!("{rows} rows were copied; both databases are equal row by row."),
    ))
}

pub(crate) fn migrate(output: &Output, Migrate { from, plan }: Migrate) -> Result<(), Stop> {
    let at = location(valid(output, &from)?.database())?;
    let missing = at.missing_migrations().map_err(failed)?;
    if missing.is_empty() {
        return output.line(output.say("数据库已是最新。", "The database is up to date."));
    }
    for name in &missing {
        output.line(name)?;
    }
    if plan {
        return output.line(output.say("以上迁移尚未执行。", "These migrations have not run."));
    }
    at.migrate().map_err(failed)?;
    output.line(output.say("以上迁移已执行。", "These migrations have run."))
}
