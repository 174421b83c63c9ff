//! The program itself, as a process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wallet_sandbox::Described;

/// The program, built in the profile of these tests.
pub fn wallop_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let directory = test.parent().and_then(Path::parent).unwrap().to_owned();
        let mut build = Command::new(env!("CARGO"));
        // With the tests beside it, so that it has their dependencies' features: `cargo test --workspace` has built all
        // but the program then, and nothing is built twice.
        build.args(["build", "--quiet", "--workspace", "--tests", "--bin", "wallop"]);
        if directory.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the program does not build");
        directory.join("wallop")
    })
}

/// A running `wallop dev --json`.
pub struct Wallop {
    /// The description that it printed.
    pub described: Described,
    /// The time until it was printed.
    pub ready_after: Duration,
    child: Child,
}

impl Wallop {
    /// Starts one on a directory.
    pub fn start(data: &Path) -> Self {
        Self::start_as(Command::new(wallop_path()), data)
    }

    /// Starts one that may have so many descriptors and no more.
    pub fn start_with_descriptors(data: &Path, descriptors: usize) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")]).arg(wallop_path());
        Self::start_as(command, data)
    }

    /// Starts one with a variable of its environment.
    pub fn start_with_variable(data: &Path, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(wallop_path());
        command.env(name, value);
        Self::start_as(command, data)
    }

    fn start_as(mut command: Command, data: &Path) -> Self {
        let began = Instant::now();
        let mut child = command
            .args(["dev", "--json", "--port", "0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready_after = began.elapsed();
        let described = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { described, ready_after, child }
    }

    /// Has the app's owner pay a user and tell the payment to an address. Returns the reply, with its head.
    pub async fn pay_user(&self, trade_id: &str, server_uri: &str) -> String {
        let fomo = &self.described.fomo;
        let user = &self.described.users[0];
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
        let sign = crate::sign(&fomo.client_secret, &timestamp);
        let body = wallet_core::form::query(&[
            ("direction", "2"),
            ("trade_id", trade_id),
            ("amount", "0.25"),
            ("coin_id", "5"),
            ("user_id", &user.user_id),
            ("client_id", &fomo.client_id),
            ("timestamp", &timestamp),
            ("sign", &sign),
            ("server_uri", server_uri),
            ("state", "s"),
            ("scope", "paytoken"),
            ("response_type", "code"),
            ("wallet_pwd", &fomo.owner_wallet_pwd),
        ]);
        let address = self.described.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "POST /fomo/oauth2/authorize/pay_user HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits; the exit status and what it still printed on stdout.
    pub fn stop(mut self) -> (std::process::ExitStatus, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut rest = String::new();
        std::io::Read::read_to_string(self.child.stdout.as_mut().unwrap(), &mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Wallop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
