//! A PostgreSQL of the tests' own: a cluster in a new directory, on a port of its own on loopback, for this process alone.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// A running cluster.
#[derive(Debug)]
pub struct Postgres {
    directory: PathBuf,
    port: u16,
    settings: Vec<(&'static str, &'static str)>,
    server: Mutex<Option<Child>>,
    databases: AtomicU32,
}

/// Where Debian's packages put the programs of a server.
pub(crate) fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).max();
    newest.expect("PostgreSQL is not installed: `cargo xtask test` installs it, or says what to type")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A command as the user that may run a server: PostgreSQL refuses root.
pub(crate) fn as_server(name: &Path) -> Command {
    if !is_root() {
        return Command::new(name);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT"]).arg(name);
    command.current_dir("/").env("HOME", "/tmp");
    command
}

/// Starts a command of [`as_server`], on a thread that never ends: the program stops when the thread that started it ends.
pub(crate) fn spawn(mut command: Command) -> Child {
    let (send, started) = mpsc::channel();
    std::thread::spawn(move || {
        send.send(command.spawn().expect("the program runs")).unwrap();
        loop {
            std::thread::park();
        }
    });
    started.recv().unwrap()
}

pub(crate) fn new_directory() -> PathBuf {
    static CLUSTERS: AtomicU32 = AtomicU32::new(0);
    let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(format!("/tmp/wallop-postgres-{}-{number}", std::process::id()))
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs SQL at a port, and returns its output: a line a row.
pub(crate) fn sql_at(port: u16, database: &str, sql: &str) -> String {
    let output = Command::new(program("psql"))
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
        .args(["--host=127.0.0.1", "--username=postgres", "--port", &port.to_string()])
        .args(["--dbname", database, "--command", sql])
        .output()
        .expect("psql runs");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Postgres {
    /// The cluster that all tests of this process share, each with a database of its own. It does not sync to the disk: the
    /// machine does not fail.
    pub fn of_the_tests() -> &'static Self {
        static CLUSTER: OnceLock<Postgres> = OnceLock::new();
        CLUSTER.get_or_init(|| Self::start(&[("fsync", "off"), ("full_page_writes", "off")]))
    }

    /// A cluster with these settings.
    pub fn start(settings: &[(&'static str, &'static str)]) -> Self {
        let directory = new_directory();
        remove_stale();
        run(as_server(&program("initdb")).arg("--pgdata").arg(&directory).args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]));
        Self::run(directory, settings.to_vec())
    }

    /// A copy of this cluster on a port of its own, which follows it until it is promoted.
    pub fn standby(&self) -> Self {
        let directory = new_directory();
        run(as_server(&program("pg_basebackup")).arg("--pgdata").arg(&directory).args([
            "--host=127.0.0.1",
            "--username=postgres",
            &format!("--port={}", self.port),
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        ]));
        Self::run(directory, self.settings.clone())
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        assert_eq!(self.sql("postgres", "SELECT pg_promote()").trim(), "t");
    }

    fn run(directory: PathBuf, settings: Vec<(&'static str, &'static str)>) -> Self {
        let (port, server) = (crate::free_port(), Mutex::default());
        let cluster = Self { directory, port, settings, server, databases: AtomicU32::new(0) };
        cluster.run_server();
        cluster
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the server, and waits until it answers.
    pub fn run_server(&self) {
        let mut command = as_server(&program("postgres"));
        command.arg("-D").arg(&self.directory).args(["-p", &self.port.to_string()]);
        let always = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("max_connections", "200"),
            ("logging_collector", "off"),
        ];
        for (name, value) in always.iter().chain(&self.settings) {
            command.args(["-c", &format!("{name}={value}")]);
        }
        let log = std::fs::File::create(self.directory.with_extension("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        *self.server() = Some(spawn(command));
        let since = Instant::now();
        while !self.answers() {
            assert!(
                since.elapsed() < Duration::from_secs(30),
                "PostgreSQL does not answer: see {:?}",
                self.directory
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        let ready = Command::new(program("pg_isready"))
            .args(["--host=127.0.0.1", "--quiet", "--port", &self.port.to_string()])
            .status();
        ready.is_ok_and(|status| status.success())
    }

    /// Stops the server as a crash does: sessions end in the middle, and the next start recovers from the log.
    pub fn crash(&self) {
        if let Some(mut server) = self.server().take() {
            run(Command::new("kill").args(["-QUIT", &server.id().to_string()]));
            server.wait().unwrap();
        }
    }

    /// Lets the server take connections under TLS, too, with a certificate and its key in PEM.
    pub fn use_tls(&self, certificate: &str, key: &str) {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
        let owner = std::fs::metadata(&self.directory).unwrap();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.directory.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on");
        self.sql("postgres", "SELECT pg_reload_conf()");
    }

    /// The name of a new, empty database.
    pub fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        Self::url_at(self.port, database)
    }

    /// The URL of a database at a port, a proxy's say.
    pub fn url_at(port: u16, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/{database}")
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs pgbench on a database, and returns its output.
    pub fn pgbench(&self, database: &str, arguments: &[&str]) -> String {
        let output = Command::new(program("pgbench"))
            .args(["--host=127.0.0.1", "--username=postgres", "--port", &self.port.to_string()])
            .args(arguments)
            .arg(database)
            .output()
            .expect("pgbench runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Opens a transaction that reads a database as it is now, and stays open until it is dropped.
    pub fn open_transaction(&self, database: &str) -> OpenTransaction {
        let mut psql = Command::new(program("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--set=ON_ERROR_STOP=1"])
            .args(["--host=127.0.0.1", "--username=postgres", "--port", &self.port.to_string()])
            .args(["--dbname", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql runs");
        // Its snapshot is of its first statement, which has run once it has printed something.
        let begin = b"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM coin;\n";
        psql.stdin.as_mut().unwrap().write_all(begin).unwrap();
        psql.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        OpenTransaction(psql)
    }

    /// Runs SQL in a database, and returns its output: a line a row.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        sql_at(self.port, database, sql)
    }
}

/// A transaction that stays open.
#[derive(Debug)]
pub struct OpenTransaction(Child);

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.crash();
        let _ = std::fs::remove_dir_all(&self.directory);
        let _ = std::fs::remove_file(self.directory.with_extension("log"));
    }
}

/// Removes the clusters of test processes that are gone.
fn remove_stale() {
    for entry in std::fs::read_dir("/tmp").into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = name.strip_prefix("wallop-postgres-").and_then(|rest| rest.split(['-', '.']).next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = std::fs::remove_dir_all(entry.path()).or_else(|_| std::fs::remove_file(entry.path()));
        }
    }
}
