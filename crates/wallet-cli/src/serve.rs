//! `wallop serve`: the platform in production. `wallop config` shows and checks its configuration, `wallop key` makes its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::sync::watch;
use wallet_core::Secret;
use wallet_core::crypto::{Crypto, Entropy as _, from_hex, hex_text};
use wallet_crypto::Portable;
use wallet_server::administration::{Task, administer};
use wallet_server::pages::{Cookies, NavItem, PageSettings};
use wallet_server::store::{self, Location, Options};
use wallet_server::{
    AddressLimit, Addresses, Chain, ChainError, Connections, Credentials, EdgeSettings, NoChain, PROTOCOLS,
    Server, Settings, Store, Tls, node_chain, serve_with, with_edge,
};
use wallet_store::SystemClock;

use crate::config::{ChainNode, Config, Fault, Sources};
use crate::dev::stop_signal;
use crate::notify::notifier;
use crate::output::{Output, Stop};
use crate::secrets::read_secret;
use crate::socket;

pub(crate) const EXAMPLES: &str = "Examples:\n  wallop serve --config /etc/wallop.toml\n  \
    WALLOP_DATABASE_URL=postgres://wallop@db/wallop wallop serve --config /etc/wallop.toml --set store.readers=8";
pub(crate) const CONFIG_EXAMPLES: &str = "Examples:\n  wallop config check --config /etc/wallop.toml\n  wallop config show --config /etc/wallop.toml --json";
pub(crate) const KEY_EXAMPLES: &str =
    "Examples:\n  wallop key new /etc/wallop/master.key\n  wallop key check /etc/wallop/master.key";

/// Where the configuration is.
#[derive(clap::Args)]
pub(crate) struct From {
    /// The configuration, a TOML file.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// One setting, such as `listen.address=127.0.0.1:8080`; it holds over the file and the environment.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print each setting with its value and where it came from.
    Show {
        #[command(flatten)]
        from: From,
        /// Print one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Report every fault at once, each with its place.
    Check {
        #[command(flatten)]
        from: From,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new master key in a new file that only its user can read.
    New {
        /// The file; it must not exist.
        file: PathBuf,
    },
    /// Seal every secret of the database under `key.file`, as a running server with `key.previous` does by itself.
    Rotate {
        #[command(flatten)]
        from: From,
        /// Print one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check that a file has a master key, and that only its user can read it.
    Check {
        /// The file.
        file: PathBuf,
    },
}

fn read(output: &Output, from: &From) -> Result<(Config, Vec<Fault>), Stop> {
    let text = match &from.config {
        Some(path) => Some(String::from_utf8(output.read(path)?).map_err(|_| {
            let path = path.display();
            Stop::usage(
                output.say(&format!("{path} 不是 UTF-8 文本"), &format!("{path} is not text in UTF-8")),
            )
        })?),
        None => None,
    };
    let variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("WALLOP_"))
        .collect();
    let file = from.config.as_deref().zip(text.as_deref());
    Ok(Config::read(&Sources { file, variables: &variables, flags: &from.set }))
}

fn all(output: &Output, faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.in_words(output)).collect::<Vec<_>>().join("\n")
}

pub(crate) fn config(output: &Output, command: ConfigCommand) -> Result<(), Stop> {
    let (from, json, shows) = match command {
        ConfigCommand::Show { from, json } => (from, json, true),
        ConfigCommand::Check { from } => (from, false, false),
    };
    let (config, faults) = read(output, &from)?;
    if shows && json {
        let rows = config.shown(output).into_iter();
        let rows = rows.map(|(name, value, from, about)| {
            serde_json::json!({ "name": name, "value": value, "from": from, "about": about })
        });
        output.line(&serde_json::Value::from_iter(rows).to_string())?;
    } else if shows {
        for (name, value, place, about) in config.shown(output) {
            output.line(&format!("{name} = {value}\n    {place}: {about}"))?;
        }
    }
    if !faults.is_empty() {
        return Err(Stop::finding(all(output, &faults)));
    }
    if shows { Ok(()) } else { output.line(output.say("配置无误。", "The configuration is valid.")) }
}

/// The master key of a file.
pub(crate) fn master_key(output: &Output, path: &Path) -> Result<Secret<[u8; 32]>, Stop> {
    let text = read_secret(output, path)?;
    let key = from_hex(text.expose().trim()).and_then(|bytes| bytes.try_into().ok());
    key.map(Secret::new).ok_or_else(|| {
        let path = path.display();
        Stop::environment(output.say(
            &format!("{path} 里没有主密钥（64 个十六进制字符）；请从备份恢复，或用 wallop key new 新建"),
            &format!("{path} has no master key (64 hexadecimal characters); restore it, or make one with wallop key new"),
        ))
    })
}

pub(crate) async fn key(output: &Output, command: KeyCommand) -> Result<(), Stop> {
    match command {
        KeyCommand::Rotate { from, json } => {
            let config = valid(output, &from)?;
            let done = match socket::ask(&config, output.lang, &Task::RotateKey).await {
                Some(done) => done?,
                None => administer(&open(output, &config)?, Task::RotateKey, output.lang).await,
            };
            let done = done.map_err(Stop::finding)?;
            output.line(if json { &done.json } else { &done.text })
        }
        KeyCommand::Check { file } => {
            master_key(output, &file)?;
            output.line(output.say("主密钥可用。", "The master key can be used."))
        }
        KeyCommand::New { file } => {
            let mut key = [0; 32];
            Portable::new().fill(&mut key);
            write_new(&file, hex_text(&key).as_bytes()).map_err(|error| {
                let path = file.display();
                Stop::environment(output.say(
                    &format!("无法写入 {path}：{error}；请换一个不存在的文件名"),
                    &format!("cannot write {path}: {error}; give a file that does not exist"),
                ))
            })?;
            output.line(output.say(
                "已生成。请与数据库分开备份：没有它，数据库里的密钥无法解开。",
                "Made. Keep a copy apart from the database: without it, nothing opens the database's secrets.",
            ))
        }
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The store of a configuration.
pub(crate) fn open(output: &Output, config: &Config) -> Result<Store, Stop> {
    let crypto: Arc<dyn Crypto> = Arc::new(Portable::new());
    let master = master_key(output, config.key())?;
    let mut options = Options::new(Arc::new(SystemClock), crypto, master);
    let [next, previous] = config.other_keys();
    options.master.next = next.map(|path| master_key(output, path)).transpose()?;
    options.master.previous = previous.map(|path| master_key(output, path)).transpose()?;
    (options.queue, options.readers) = (config.queue(), config.readers());
    location(config.database())?.open(options).map_err(|error| Stop::environment(error.to_string()))
}

/// Where the database of a text is.
pub(crate) fn location(text: &str) -> Result<Location, Stop> {
    Location::parse(text).ok_or_else(|| Stop::usage("this program is built without PostgreSQL"))
}

/// The configuration, without a fault.
pub(crate) fn valid(output: &Output, from: &From) -> Result<Config, Stop> {
    let (config, faults) = read(output, from)?;
    if faults.is_empty() { Ok(config) } else { Err(Stop::usage(all(output, &faults))) }
}

const NAV: &[NavItem] =
    &[NavItem { href: "/apps", zh: "应用", en: "Apps" }, NavItem { href: "/docs", zh: "文档", en: "Docs" }];

async fn refuse_a_sandbox(output: &Output, store: &Store) -> Result<(), Stop> {
    let is_of_a_sandbox = store::is_of_a_sandbox(store).await;
    if !is_of_a_sandbox.map_err(|failure| Stop::environment(failure.to_string()))? {
        return Ok(());
    }
    Err(Stop::environment(output.say(
        "这是沙箱的数据库：其中的密码和密钥人人可见。请换一个新的数据库。",
        "this is the database of a sandbox, whose passwords and secrets everybody knows; use a new database",
    )))
}

/// The chain of a configuration. A node that does not report every transaction is refused; one that does not answer now is
/// asked again later.
async fn chain(output: &Output, config: &Config) -> Result<Option<Arc<dyn Chain>>, Stop> {
    let Some(ChainNode { kind, url, user, password_file, asset }) = config.chain() else { return Ok(None) };
    let secret = read_secret(output, password_file)?;
    let (user, password) = match (user, secret.expose().trim()) {
        (Some(user), password) => (user, password),
        (None, both) => both.split_once(':').unwrap_or(("", both)),
    };
    let credentials = Credentials { user: user.to_owned(), password: Secret::new(password.to_owned()) };
    let chain = node_chain(url, credentials, asset, kind);
    match chain.transaction_index().await {
        Ok(Some(true)) => {}
        Ok(Some(false)) => tracing::warn!(url, "the node still builds its index: payments are found late"),
        Ok(None) => {
            return Err(Stop::environment(output.say(
                &format!("{url} 的节点没有交易索引，查不到用户的支付：请以 -txindex 启动节点"),
                &format!("the node at {url} has no index of transactions, and cannot find users' payments: start it with -txindex"),
            )));
        }
        Err(ChainError::Unauthorized(why)) => {
            return Err(Stop::environment(output.say(
                &format!("{url}：{why}；请检查 chain.user 与 chain.password_file"),
                &format!("{url}: {why}; check chain.user and chain.password_file"),
            )));
        }
        Err(error) => tracing::warn!(url, %error, "the node does not answer; it is asked again"),
    }
    Ok(Some(chain))
}

pub(crate) async fn run(output: &Output, from: From) -> Result<(), Stop> {
    let config = valid(output, &from)?;
    let stop = stop_signal().map_err(|error| Stop::environment(error.to_string()))?;
    let store = open(output, &config)?;
    refuse_a_sandbox(output, &store).await?;
    let tls = match config.tls() {
        None => None,
        Some((certificate, key)) => {
            read_secret(output, key)?;
            let tls = Tls::load(certificate, key);
            Some(tls.map_err(|error| Stop::environment(error.to_string()))?)
        }
    };
    let mut activated = ListenFd::from_env();
    let listener = match activated.take_tcp_listener(0).ok().flatten() {
        Some(listener) => adopt(output, listener)?,
        None => listen(output, config.address()).await?,
    };
    let internal = listen(output, config.internal()).await?;
    let chain = chain(output, &config).await?;
    let offered = |protocol: &str| chain.is_some() || protocol != "vas";
    let https = config.public_url().starts_with("https://");
    let settings = Settings {
        callback_addresses: Addresses::Public,
        password_cost: config.password_cost(),
        hashes: config.hashes(),
        notifier: notifier(output, &config)?,
        observer: None,
        callback_clock: None,
        callback_places: config.callback_places(),
        pre_pays_per_second: config.pre_pays_per_second(),
        retention: config.retention(),
        // Without a node, VAS and Lafi are not offered.
        chain: chain.clone().unwrap_or_else(|| Arc::new(NoChain)),
        confirmations: config.confirmations(),
        pages: PageSettings {
            nav: NAV,
            cookies: if https { Cookies::Host } else { Cookies::Plain },
            ..PageSettings::default()
        },
        public_url: config.public_url().to_owned(),
        protocols: PROTOCOLS.iter().copied().filter(|protocol| offered(protocol.meta().id)).collect(),
    };
    let server = Server::new(store.clone(), settings);
    let (stopping, stopped) = watch::channel(false);
    let until_stopped = || {
        let mut stopped = stopped.clone();
        async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
    };
    if config.address_limit().is_none() {
        tracing::warn!(
            "no client address has a limit: set listen.trusted_proxies, and limits.requests_per_second"
        );
    }
    let edge = EdgeSettings {
        trusted: config.trusted_proxies(),
        limit: config.address_limit().map(|(per_second, burst)| AddressLimit { per_second, burst }),
        https,
    };
    let public = with_edge(server.public_router(), edge);
    if let Some(tls) = &tls {
        tokio::spawn(tls.clone().watch());
    }
    let connections = config.connections();
    let tasks = [
        tokio::spawn(serving(listener, tls, connections.clone(), public, until_stopped())),
        tokio::spawn(serving(internal, None, connections, server.internal_router(), until_stopped())),
        tokio::spawn(server.clone().work(until_stopped())),
    ];
    let admin = socket::listen(output, &config)?;
    let admin = admin.map(|(listener, bound)| tokio::spawn(socket::answer(listener, bound, store.clone())));
    output.line(&format!("{} {}", output.say("正在提供服务：", "serving"), config.public_url()))?;
    systemd(&[NotifyState::Ready]);
    let watchdog = tokio::spawn(watchdog(server.clone()));
    let broken = tokio::select! {
        () = stop => None,
        error = server.broken() => Some(error),
    };
    systemd(&[NotifyState::Stopping]);
    watchdog.abort();
    if broken.is_none() && !config.drain().is_zero() {
        // A load balancer sees that this node is not ready, and sends no more to it.
        server.announce_stop();
        tracing::info!(seconds = config.drain().as_secs(), "stopping: not ready from now on");
        tokio::time::sleep(config.drain()).await;
    }
    tracing::info!("stopping: finishing the requests in flight");
    let _ = stopping.send(true);
    for task in tasks {
        let _ = task.await;
    }
    // Last: a task that it has begun has had as much time as the requests in flight.
    if let Some(admin) = admin {
        admin.abort();
    }
    broken.map_or(Ok(()), |error| Err(Stop::environment(error.to_string())))
}

/// Says something to systemd, if that started this program.
fn systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not notified");
    }
}

/// Tells systemd's watchdog that this program works, twice in each of its intervals, for as long as it does.
async fn watchdog(server: Server) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    loop {
        if server.is_ready().await.is_ok() {
            systemd(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(interval / 2).await;
    }
}

/// A socket that systemd has opened.
fn adopt(output: &Output, listener: std::net::TcpListener) -> Result<TcpListener, Stop> {
    let adopted = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
    adopted.map_err(|error| {
        Stop::environment(output.say(
            &format!("无法使用 systemd 打开的套接字：{error}"),
            &format!("cannot use the socket that systemd opened: {error}"),
        ))
    })
}

async fn serving(
    listener: TcpListener,
    tls: Option<Tls>,
    connections: Connections,
    routes: axum::Router,
    stop: impl Future<Output = ()>,
) {
    if let Err(error) = serve_with(listener, tls, connections, routes, stop).await {
        tracing::error!(%error, "the server has stopped");
    }
}

async fn listen(output: &Output, address: Option<std::net::SocketAddr>) -> Result<TcpListener, Stop> {
    let address = address.ok_or_else(|| Stop::usage("no address"))?;
    TcpListener::bind(address).await.map_err(|error| {
        Stop::environment(output.say(
            &format!("无法监听 {address}：{error}"),
            &format!("cannot listen on {address}: {error}; another process may have the port"),
        ))
    })
}
