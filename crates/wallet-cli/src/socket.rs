//! The socket through which `wallop admin` reaches a running server whose database only it can open: one line of JSON each way.
//! It is beside the database file, and only its user and root may use it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use wallet_core::Lang;
use wallet_server::Store;
use wallet_server::administration::{Done, Task, administer};

use crate::config::Config;
use crate::output::{Output, Stop};

#[derive(Serialize, Deserialize)]
struct Request {
    zh: bool,
    task: Task,
}

/// The socket of a server on SQLite; `None` for a database that this process can open, too.
fn path(config: &Config) -> Option<PathBuf> {
    let database = config.database().strip_prefix("sqlite:")?;
    Some(PathBuf::from(format!("{database}.admin")))
}

/// Asks the running server to do a task; `None` if none is running.
pub(crate) async fn ask(
    config: &Config,
    lang: Lang,
    task: &Task,
) -> Option<Result<Result<Done, String>, Stop>> {
    let stream = UnixStream::connect(path(config)?).await.ok()?;
    Some(exchange(stream, lang, task).await.map_err(|error| {
        Stop::environment(format!("the running server did not answer: {error}; look whether it was done before you repeat it (wallop admin audit)"))
    }))
}

async fn exchange(mut stream: UnixStream, lang: Lang, task: &Task) -> std::io::Result<Result<Done, String>> {
    let asked = Request { zh: lang == Lang::Zh, task: task.clone() };
    stream.write_all(format!("{}\n", serde_json::to_string(&asked)?).as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

/// The listener of a server on SQLite; `None` on PostgreSQL. A socket that a dead server left is replaced: the database's lock
/// shows that it is dead.
pub(crate) fn listen(output: &Output, config: &Config) -> Result<Option<(UnixListener, Bound)>, Stop> {
    let Some(path) = path(config) else { return Ok(None) };
    let failed = |error: std::io::Error| {
        let path = path.display();
        Stop::environment(
            output.say(&format!("无法监听 {path}：{error}"), &format!("cannot listen on {path}: {error}")),
        )
    };
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).map_err(failed)?;
    restrict(&path).map_err(failed)?;
    Ok(Some((listener, Bound(path))))
}

fn restrict(path: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

/// Removes the socket when the server ends.
pub(crate) struct Bound(PathBuf);

impl Bound {
    /// The user whose server this is.
    fn owner(&self) -> Option<u32> {
        std::fs::metadata(&self.0).ok().map(|file| std::os::unix::fs::MetadataExt::uid(&file))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Does the tasks that callers send, one at a time, forever.
pub(crate) async fn answer(listener: UnixListener, bound: Bound, store: Store) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await; // no file descriptors, say
            continue;
        };
        // Beside the file's permissions: they were set a moment after the socket was made.
        let peer = stream.peer_cred().ok().map(|peer| peer.uid());
        if peer.is_none() || (peer != Some(0) && peer != bound.owner()) {
            tracing::warn!(?peer, "refused another user at the admin socket");
            continue;
        }
        if let Err(error) = one(stream, &store).await {
            tracing::warn!(%error, "cannot answer at the admin socket");
        }
    }
}

async fn one(stream: UnixStream, store: &Store) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    // What was read whole is done, however long it takes: its caller must not take it for undone.
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_line(&mut line)).await;
    read.map_err(std::io::Error::other)??;
    let Request { zh, task } = serde_json::from_str(&line)?;
    let done = administer(store, task, if zh { Lang::Zh } else { Lang::En }).await;
    stream.write_all(format!("{}\n", serde_json::to_string(&done)?).as_bytes()).await
}
