//! Two PostgreSQL servers under Patroni, with etcd: of the tests' own, on ports of their own on loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::free_port;
use crate::postgres::{as_server, new_directory, program, spawn, sql_at};

/// A cluster whose standby is synchronous, and takes over when the primary is lost.
#[derive(Debug)]
pub struct Patroni {
    directory: PathBuf,
    etcd: Mutex<Option<Child>>,
    members: Vec<Member>,
}

/// A server, and the Patroni that runs it.
#[derive(Debug)]
struct Member {
    name: String,
    port: u16,
    rest: u16,
    data: PathBuf,
    process: Mutex<Option<Child>>,
}

fn kill(process: &Mutex<Option<Child>>) {
    if let Some(mut child) = process.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = (child.kill(), child.wait());
    }
}

/// Starts a program as the user of the server, with its output in a file.
fn start(mut command: Command, log: &Path) -> Mutex<Option<Child>> {
    let log = std::fs::File::create(log).unwrap();
    let (out, errors) = (log.try_clone().unwrap(), log);
    command.stdin(Stdio::null()).stdout(out).stderr(errors);
    Mutex::new(Some(spawn(command)))
}

impl Member {
    /// Ends both programs at once, as a machine that fails.
    fn lose(&self) {
        kill(&self.process);
        let pid = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            let _ = Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
        }
    }

    fn configuration(&self, etcd: u16) -> String {
        let Self { name, port, rest, data, .. } = self;
        let programs = program("postgres");
        let programs = programs.parent().unwrap().display();
        format!(
            "scope: wallop\nname: {name}\n\
             restapi: {{listen: '127.0.0.1:{rest}', connect_address: '127.0.0.1:{rest}'}}\n\
             etcd3: {{hosts: '127.0.0.1:{etcd}'}}\n\
             bootstrap:\n  dcs:\n    ttl: 20\n    loop_wait: 2\n    retry_timeout: 4\n    synchronous_mode: true\n\
             \x20   postgresql: {{parameters: {{max_connections: 100}}}}\n\
             \x20 initdb: [{{encoding: UTF8}}, {{locale: C}}, no-sync]\n\
             postgresql:\n  listen: '127.0.0.1:{port}'\n  connect_address: '127.0.0.1:{port}'\n\
             \x20 data_dir: {data}\n  bin_dir: {programs}\n\
             \x20 authentication: {{superuser: {{username: postgres}}, replication: {{username: postgres}}}}\n\
             \x20 pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']\n\
             \x20 parameters: {{unix_socket_directories: ''}}\n",
            data = data.display(),
        )
    }
}

impl Patroni {
    /// Starts it, and waits until one server leads and the other follows it synchronously.
    pub fn start() -> Self {
        let directory = new_directory();
        std::fs::create_dir(&directory).unwrap();
        let owned = Command::new("chown").arg("postgres").arg(&directory).status();
        assert!(owned.is_ok_and(|done| done.success()), "Patroni runs only where the tests run as root");
        let (client, peer) = (free_port(), free_port());
        let [client_url, peer_url] = [client, peer].map(|port| format!("http://127.0.0.1:{port}"));
        let mut etcd = as_server(Path::new("etcd"));
        etcd.args(["--data-dir", directory.join("etcd").to_str().unwrap()])
            .args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
            .args(["--initial-cluster", &format!("default={peer_url}")]);
        let etcd = start(etcd, &directory.join("etcd.log"));
        let members = ["one", "two"].map(|name| {
            let (port, rest, data) = (free_port(), free_port(), directory.join(name));
            Member { name: name.to_owned(), port, rest, data, process: Mutex::default() }
        });
        let members = members.map(|member| {
            let file = directory.join(format!("{}.yml", member.name));
            std::fs::write(&file, member.configuration(client)).unwrap();
            let mut patroni = as_server(Path::new("patroni"));
            patroni.arg(&file);
            let process = start(patroni, &directory.join(format!("{}.log", member.name)));
            Member { process, ..member }
        });
        let cluster = Self { directory, etcd, members: members.into() };
        cluster.wait_until("a primary and a synchronous standby", |roles| {
            roles.contains(&"leader".to_owned()) && roles.contains(&"sync_standby".to_owned())
        });
        cluster
    }

    /// The state of the cluster, as a member that answers sees it.
    fn seen(&self) -> Option<Value> {
        self.members.iter().find_map(|member| {
            let url = format!("http://127.0.0.1:{}/cluster", member.rest);
            let asked = Command::new("curl").args(["--silent", "--max-time", "2", &url]).output().ok()?;
            serde_json::from_slice(&asked.stdout).ok()
        })
    }

    /// The roles of the members, in their order; empty if unknown.
    fn roles(&self) -> Vec<String> {
        let seen = self.seen().unwrap_or_default();
        let of = |member: &Member| {
            let all = seen["members"].as_array()?;
            let this = all.iter().find(|one| one["name"] == member.name.as_str())?;
            let is_up = ["running", "streaming"].contains(&this["state"].as_str()?);
            is_up.then(|| this["role"].as_str().unwrap_or_default().to_owned())
        };
        self.members.iter().map(|member| of(member).unwrap_or_default()).collect()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        let since = Instant::now();
        loop {
            let roles = self.roles();
            if is_so(&roles) {
                return;
            }
            let late = since.elapsed() > Duration::from_secs(90);
            assert!(!late, "{what}: {roles:?} after 90 s; see {:?}", self.directory);
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn leader(&self) -> usize {
        self.roles().iter().position(|role| role == "leader").expect("one leads")
    }

    /// Runs SQL on the server that leads.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        sql_at(self.members[self.leader()].port, database, sql)
    }

    /// The URL of a database on whichever server leads.
    pub fn url(&self, database: &str) -> String {
        let hosts: Vec<_> = self.members.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect();
        format!("postgres://postgres@{}/{database}?target_session_attrs=read-write", hosts.join(","))
    }

    /// Lets the standby take over, as before maintenance, and waits until the other follows it.
    pub fn switch_over(&self) {
        let from = self.leader();
        let (leader, candidate) = (&self.members[from], &self.members[1 - from]);
        let body = format!("{{\"leader\": \"{}\", \"candidate\": \"{}\"}}", leader.name, candidate.name);
        let url = format!("http://127.0.0.1:{}/switchover", leader.rest);
        let asked = Command::new("curl").args(["--silent", "--fail", "--data", &body, &url]).output();
        let asked = asked.expect("curl runs");
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stdout));
        self.wait_until("the other leads, and this one follows", |roles| {
            roles[1 - from] == "leader" && roles[from] == "sync_standby"
        });
    }

    /// Ends the server that leads, and its Patroni, without a word.
    pub fn lose_leader(&self) {
        self.members[self.leader()].lose();
    }
}

impl Drop for Patroni {
    fn drop(&mut self) {
        self.members.iter().for_each(Member::lose);
        kill(&self.etcd);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
