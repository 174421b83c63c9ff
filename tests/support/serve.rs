//! `wallop serve` and the other commands, as processes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::wallop_path;

/// Runs a command of the program, without the caller's own settings.
pub fn wallop(arguments: &[&str]) -> Output {
    let mut command = Command::new(wallop_path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WALLOP_")) {
        command.env_remove(name);
    }
    command.args(arguments).output().unwrap()
}

/// The exit code, and both outputs.
pub fn said(output: &Output) -> (Option<i32>, String) {
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &*String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

/// A port that is free now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Writes a configuration, and returns its path.
pub fn configure(directory: &Path, database: &str) -> String {
    let (path, key) = (directory.join("wallop.toml"), directory.join("key"));
    let text = format!(
        "[database]\nurl = \"{database}\"\n[key]\nfile = \"{}\"\n[listen]\npublic_url = \"https://wallet.example\"\n",
        key.display()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Writes a new file that only its user can read.
pub fn write_secret(path: &str, text: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A node, with the ports that it has.
pub struct Node {
    /// The process.
    pub child: Child,
    /// The port of the documents' addresses.
    pub port: u16,
    /// The port of `/readyz` and `/metrics`.
    pub internal: u16,
}

impl Node {
    /// Starts one on free ports, and waits until it serves.
    pub fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    /// The same with more arguments.
    pub fn start_with(config: &str, more: &[&str]) -> Self {
        Self::start_in(config, more, &[])
    }

    /// The same with environment variables.
    pub fn start_in(config: &str, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let (port, internal) = (free_port(), free_port());
        let mut child = Command::new(wallop_path())
            .args(["serve", "--config", config])
            .args(["--set", &format!("listen.address=127.0.0.1:{port}")])
            .args(["--set", &format!("listen.internal=127.0.0.1:{internal}")])
            .args(more)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("serving http"), "{line}");
        Self { child, port, internal }
    }

    /// What curl prints for a path.
    pub fn curl(port: u16, arguments: &[&str], path: &str) -> String {
        let url = format!("http://127.0.0.1:{port}{path}");
        let output =
            Command::new("curl").args(["-s", "-S", "-m", "20"]).args(arguments).arg(url).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON that a call of the documents answers.
    pub fn call(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let arguments: Vec<&str> = fields.iter().flat_map(|field| ["--data-urlencode", field]).collect();
        let text = Self::curl(self.port, &arguments, path);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
