//! The configuration of `wallop serve`: a TOML file, then environment variables, then flags; the later one holds.
//!
//! The settings are data: [`SETTINGS`] names each once. A value keeps where it came from, and every fault is reported at once,
//! with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use wallet_crypto::PasswordCost;
use wallet_server::{Connections, Hashes, Networks, NodeKind, Places, Retention};

use crate::output::Output;

/// What the text of a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The path of a file.
    Path,
    /// An IP address with a port.
    Address,
    /// `https://…` or `http://…`, without a path.
    Origin,
    /// `sqlite:PATH`, or `postgres://…`. It may have a password.
    Database,
    /// `true` or `false`.
    Switch,
    /// A number in a range.
    Number(u64, u64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// IP addresses and networks, separated by commas.
    Networks,
    /// `https://…` with any path, or `http://…` to this machine.
    Node,
    /// `smtps://…`, or `smtp://…` to this machine or with `?tls=required`.
    Smtp,
}

/// One setting.
#[derive(Debug)]
struct Setting {
    /// `table.key` in the file; `WALLOP_TABLE_KEY` in the environment.
    name: &'static str,
    kind: Kind,
    /// The value without any; `None`: it must be given; empty: it need not be.
    default: Option<&'static str>,
    zh: &'static str,
    en: &'static str,
}

const DATABASE: &str = "database.url";
const KEY: &str = "key.file";
const NEXT_KEY: &str = "key.next";
const PREVIOUS_KEY: &str = "key.previous";
const ADDRESS: &str = "listen.address";
const INTERNAL: &str = "listen.internal";
const PUBLIC: &str = "listen.public_url";
const BEHIND_PROXY: &str = "listen.behind_proxy";
const TLS_CERTIFICATE: &str = "listen.tls_certificate";
const TLS_KEY: &str = "listen.tls_key";
const PROXIES: &str = "listen.trusted_proxies";
const DRAIN: &str = "listen.drain_seconds";
const PER_SECOND: &str = "limits.requests_per_second";
const BURST: &str = "limits.requests_at_once";
const PRE_PAYS: &str = "limits.payments_per_second";
const CHAIN: &str = "chain.node";
const CHAIN_URL: &str = "chain.url";
const CHAIN_USER: &str = "chain.user";
const CHAIN_PASSWORD: &str = "chain.password_file";
const CHAIN_ASSET: &str = "chain.asset";
const CONFIRMATIONS: &str = "chain.confirmations";
const AT_ONCE: &str = "callbacks.at_once";
const PER_APP: &str = "callbacks.per_app";
const PER_OWNER: &str = "callbacks.per_owner";
const PER_HOST: &str = "callbacks.per_host";
const ATTEMPTS_KEPT: &str = "retention.callback_attempts_days";
const UNPAID_KEPT: &str = "retention.unpaid_payments_days";
const CONNECTIONS: &str = "listen.connections";
const PER_ADDRESS: &str = "listen.connections_per_address";
const GRACE: &str = "listen.grace_seconds";
const HASH_MEMORY: &str = "passwords.memory_kib";
const HASH_PASSES: &str = "passwords.passes";
const HASHES: &str = "passwords.at_once";
const HASHES_WAITING: &str = "passwords.waiting";
const QUEUE: &str = "store.queue";
const READERS: &str = "store.readers";
const NOTIFY: &str = "notify.by";
const NOTIFY_COMMAND: &str = "notify.command";
const SMTP: &str = "notify.smtp_url";
const SMTP_PASSWORD: &str = "notify.smtp_password_file";
const SMTP_FROM: &str = "notify.from";

const SETTINGS: &[Setting] = &[
    Setting {
        name: DATABASE,
        kind: Kind::Database,
        default: None,
        zh: "数据库：sqlite:路径，或 postgres://用户@主机/库名",
        en: "the database: sqlite:PATH, or postgres://user@host/name",
    },
    Setting {
        name: KEY,
        kind: Kind::Path,
        default: None,
        zh: "主密钥文件，只有运行用户可读；用 wallop key new 生成",
        en: "the file of the master key, readable by its user only; wallop key new makes one",
    },
    Setting {
        name: NEXT_KEY,
        kind: Kind::Path,
        default: Some(""),
        zh: "更换主密钥的第一步：新主密钥的文件，先只用来读",
        en: "the first step of a change of the master key: the file of the next one, only read with",
    },
    Setting {
        name: PREVIOUS_KEY,
        kind: Kind::Path,
        default: Some(""),
        zh: "更换主密钥的第二步：原主密钥的文件，直到所有秘密都已重新加密",
        en: "the second step of a change of the master key: the file of the one before, until everything is sealed again",
    },
    Setting {
        name: PUBLIC,
        kind: Kind::Origin,
        default: None,
        zh: "用户和应用看到的地址",
        en: "the address that users and apps see",
    },
    Setting {
        name: ADDRESS,
        kind: Kind::Address,
        default: Some("127.0.0.1:8080"),
        zh: "监听地址",
        en: "where to listen",
    },
    Setting {
        name: INTERNAL,
        kind: Kind::Address,
        default: Some("127.0.0.1:8081"),
        zh: "/healthz、/readyz 与 /metrics 的监听地址",
        en: "where to listen for /healthz, /readyz and /metrics",
    },
    Setting {
        name: BEHIND_PROXY,
        kind: Kind::Switch,
        default: Some("false"),
        zh: "TLS 是否由前面的代理终结",
        en: "whether a proxy before this program terminates TLS",
    },
    Setting {
        name: PROXIES,
        kind: Kind::Networks,
        default: Some(""),
        zh: "可信代理的地址或网段，以逗号分隔；只采信它们的 Forwarded 与 X-Forwarded-For",
        en: "the addresses or networks of trusted proxies, separated by commas: only their Forwarded and X-Forwarded-For are believed",
    },
    Setting {
        name: TLS_CERTIFICATE,
        kind: Kind::Path,
        default: Some(""),
        zh: "TLS 证书链文件（PEM）；更新后自动重新读取",
        en: "the file of the TLS certificate chain, PEM; it is read again when it changes",
    },
    Setting {
        name: TLS_KEY,
        kind: Kind::Path,
        default: Some(""),
        zh: "TLS 私钥文件（PEM），只有运行用户可读",
        en: "the file of its private key, PEM, readable by its user only",
    },
    Setting {
        name: DRAIN,
        kind: Kind::Number(0, 300),
        default: Some("5"),
        zh: "停止时 /readyz 先报告未就绪的秒数，然后才不再接受连接",
        en: "how many seconds /readyz says not ready before a stopping server refuses connections",
    },
    Setting {
        name: GRACE,
        kind: Kind::Number(1, 600),
        default: Some("15"),
        zh: "停止后留给在途请求完成的秒数",
        en: "how many seconds the requests in flight have to finish after a stop",
    },
    Setting {
        name: CONNECTIONS,
        kind: Kind::Number(16, 1_000_000),
        default: Some("4096"),
        zh: "同时打开的连接数",
        en: "how many connections may be open at once",
    },
    Setting {
        name: PER_ADDRESS,
        kind: Kind::Number(1, 1_000_000),
        default: Some("1024"),
        zh: "其中同一客户端地址的连接数；可信代理不受此限",
        en: "how many of them one client address may have; trusted proxies may have all",
    },
    Setting {
        name: HASH_MEMORY,
        kind: Kind::Number(8_192, 4_194_304),
        default: Some("19456"),
        zh: "一次密码散列（Argon2id）占用的内存，KiB；只影响新设的密码",
        en: "the memory of one password hash (Argon2id), in KiB; of passwords that are set from then on",
    },
    Setting {
        name: HASH_PASSES,
        kind: Kind::Number(1, 100),
        default: Some("2"),
        zh: "一次密码散列的遍数；只影响新设的密码",
        en: "the passes of one password hash; of passwords that are set from then on",
    },
    Setting {
        name: HASHES,
        kind: Kind::Number(1, 1_024),
        default: Some("2"),
        zh: "同时进行的密码散列数；每个占用一个核和上述内存",
        en: "how many password hashes are made at once; each takes a core and that memory",
    },
    Setting {
        name: HASHES_WAITING,
        kind: Kind::Number(1, 100_000),
        default: Some("128"),
        zh: "最多等待散列的请求数；超过则应答繁忙",
        en: "how many requests may wait for a password hash; more are answered as an overload",
    },
    Setting {
        name: PER_SECOND,
        kind: Kind::Number(0, 1_000_000),
        default: Some("100"),
        zh: "每个客户端地址每秒的请求数；0 不限制",
        en: "how many requests a second one client address may make; 0: no limit",
    },
    Setting {
        name: BURST,
        kind: Kind::Number(1, 1_000_000),
        default: Some("400"),
        zh: "每个客户端地址一次可连续发出的请求数",
        en: "how many requests one client address may make at once",
    },
    Setting {
        name: PRE_PAYS,
        kind: Kind::Number(0, 1_000_000),
        default: Some("1000"),
        zh: "每个应用每秒可发起的支付（pre_pay）数，每个节点各自计算；`0`：不限",
        en: "the payments (pre_pay) that one app may ask for in a second, at each node; `0`: no limit",
    },
    Setting {
        name: CHAIN,
        kind: Kind::Choice(&["none", "vas", "core"]),
        default: Some("none"),
        zh: "支付订单的链的节点：none 没有（不提供 VAS 与 Lafi）、vas 如其文档、core 如 Bitcoin Core（须以 -txindex 运行）",
        en: "the node of the chain that orders are paid on: none (VAS and Lafi are not offered), vas (as their document says), core (like Bitcoin Core; it must run with -txindex)",
    },
    Setting {
        name: CHAIN_URL,
        kind: Kind::Node,
        default: Some(""),
        zh: "节点 JSON-RPC 的地址，例如 http://127.0.0.1:9332/",
        en: "the address of the node's JSON-RPC, such as http://127.0.0.1:9332/",
    },
    Setting {
        name: CHAIN_USER,
        kind: Kind::Text,
        default: Some(""),
        zh: "节点的用户名；不填则密码文件里是 用户名:密码，如节点自己的 .cookie",
        en: "the node's user name; without it the password file has user:password, as a node's own .cookie",
    },
    Setting {
        name: CHAIN_PASSWORD,
        kind: Kind::Path,
        default: Some(""),
        zh: "节点密码的文件，只有运行用户可读",
        en: "the file with the node's password, readable by its user only",
    },
    Setting {
        name: CHAIN_ASSET,
        kind: Kind::Choice(&["VAS", "L-F"]),
        default: Some("VAS"),
        zh: "链自己的资产在支付链接里的名称",
        en: "the name that the chain's own asset has in payment links",
    },
    Setting {
        name: CONFIRMATIONS,
        kind: Kind::Number(1, 1_000),
        default: Some("1"),
        zh: "订单算作已付所需的确认数（R53）",
        en: "how many confirmations make an order paid (R53)",
    },
    Setting {
        name: AT_ONCE,
        kind: Kind::Number(2, 10_000),
        default: Some("256"),
        zh: "同时进行的回调请求数；慢的和失败的接收方合计最多占一半",
        en: "how many callback attempts may be under way; slow and failing receivers share half of them",
    },
    Setting {
        name: PER_APP,
        kind: Kind::Number(1, 1_000),
        default: Some("32"),
        zh: "一个应用同时进行的回调请求数",
        en: "how many of them for one app",
    },
    Setting {
        name: PER_OWNER,
        kind: Kind::Number(1, 1_000),
        default: Some("64"),
        zh: "其中同一所有者的各应用合计",
        en: "how many of them for the apps of one owner",
    },
    Setting {
        name: PER_HOST,
        kind: Kind::Number(1, 1_000),
        default: Some("32"),
        zh: "一个主机的一个端口同时进行的回调请求数，不论几个应用共用它；同一所有者最多占四分之三",
        en: "how many of them to one port of a host, whichever apps share it; one owner takes three quarters of them at most",
    },
    Setting {
        name: ATTEMPTS_KEPT,
        kind: Kind::Number(1, 36_500),
        default: Some("400"),
        zh: "回调的每次尝试与接收方的应答保留的天数；之后只留最后一次尝试的结果",
        en: "for how many days all attempts of a callback are kept, with what the receiver answered; then only the last one's outcome",
    },
    Setting {
        name: UNPAID_KEPT,
        kind: Kind::Number(1, 36_500),
        default: Some("90"),
        zh: "未确认的支付过期之后保留的天数；之后删除，其 trade_id 仍不可再用",
        en: "for how many days payments that nobody confirmed are kept after their expiry; then they are deleted, and their trade_ids stay taken",
    },
    Setting {
        name: QUEUE,
        kind: Kind::Number(1, 1_000_000),
        default: Some("4096"),
        zh: "最多等待的命令数；超过则应答繁忙",
        en: "how many commands may wait; more are answered as an overload",
    },
    Setting {
        name: READERS,
        kind: Kind::Number(1, 256),
        default: Some("2"),
        zh: "读连接数",
        en: "the number of connections that read",
    },
    Setting {
        name: NOTIFY,
        kind: Kind::Choice(&["none", "command", "smtp", "log"]),
        default: Some("none"),
        zh: "验证码如何送达：none 不送、command 运行程序、smtp 发邮件、log 写入日志（仅供开发）",
        en: "how verification codes are sent: none, command (a program), smtp (mail), log (for development only)",
    },
    Setting {
        name: NOTIFY_COMMAND,
        kind: Kind::Path,
        default: Some(""),
        zh: "notify.by = command 时运行的程序；从标准输入得到一个 JSON 对象，退出码 0 表示已送达",
        en: "the program of notify.by = command; it gets a JSON object on stdin, and exits with 0 when the code was sent",
    },
    Setting {
        name: SMTP,
        kind: Kind::Smtp,
        default: Some(""),
        zh: "邮件服务器，例如 smtps://用户@mail.example",
        en: "the mail server, such as smtps://user@mail.example",
    },
    Setting {
        name: SMTP_PASSWORD,
        kind: Kind::Path,
        default: Some(""),
        zh: "邮件服务器密码的文件，只有运行用户可读",
        en: "the file with the mail server's password, readable by its user only",
    },
    Setting {
        name: SMTP_FROM,
        kind: Kind::Text,
        default: Some(""),
        zh: "邮件的发件人，例如 Wallet <codes@wallet.example>",
        en: "the sender of mails, such as Wallet <codes@wallet.example>",
    },
];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File { path: PathBuf, line: usize, column: usize },
    Variable(String),
    Flag,
    Default,
    Nowhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag => f.write_str("--set"),
            Self::Default => f.write_str("default"),
            Self::Nowhere => f.write_str("wallop"),
        }
    }
}

/// Something wrong with the configuration.
#[derive(Debug)]
pub(crate) struct Fault {
    place: Place,
    zh: String,
    en: String,
}

impl Fault {
    fn new(place: Place, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { place, zh: zh.into(), en: en.into() }
    }

    pub(crate) fn in_words(&self, output: &Output) -> String {
        format!("{}: {}", self.place, output.say(&self.zh, &self.en))
    }
}

/// A value, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    text: String,
    pub(crate) place: Place,
}

/// Every setting with its value.
#[derive(Debug, Default)]
pub(crate) struct Config(BTreeMap<&'static str, Value>);

/// The node of a chain.
#[derive(Debug)]
pub(crate) struct ChainNode<'a> {
    pub(crate) kind: NodeKind,
    pub(crate) url: &'a str,
    /// `None`: the file has the user, too.
    pub(crate) user: Option<&'a str>,
    pub(crate) password_file: &'a Path,
    pub(crate) asset: &'a str,
}

/// Where a configuration is read from.
pub(crate) struct Sources<'a> {
    /// The file and its text.
    pub(crate) file: Option<(&'a Path, &'a str)>,
    pub(crate) variables: &'a [(String, String)],
    /// `name=value` of each `--set`.
    pub(crate) flags: &'a [String],
}

/// The line and column of a byte, from 1; columns count characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

fn variable(setting: &Setting) -> String {
    format!("WALLOP_{}", setting.name.to_ascii_uppercase().replace('.', "_"))
}

/// The known name that is most like another.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let distance = |a: &str, b: &str| {
        let b: Vec<char> = b.chars().collect();
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.chars().enumerate() {
            let mut left_above = i;
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let here = (left_above + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
                left_above = std::mem::replace(&mut row[j + 1], here);
            }
        }
        row[b.len()]
    };
    known
        .map(|other| (distance(name, other), other))
        .min()
        .filter(|(far, _)| *far <= 3)
        .map(|(_, other)| other)
}

fn unknown(place: Place, name: &str, known: impl Iterator<Item = &'static str>) -> Fault {
    let (zh, en) = match nearest(name, known) {
        Some(other) => (
            format!("没有 {name} 这个设置；是 {other} 吗？"),
            format!("there is no setting {name}; did you mean {other}?"),
        ),
        None => (format!("没有 {name} 这个设置"), format!("there is no setting {name}")),
    };
    Fault::new(place, zh, en)
}

/// What a text lacks to be of a kind, in both languages.
fn misfit(kind: Kind, text: &str) -> Option<(String, String)> {
    let fits = match kind {
        Kind::Choice(words) => words.contains(&text),
        Kind::Text => true,
        Kind::Networks => Networks::parse(text).is_some(),
        Kind::Smtp => is_safe_smtp(text),
        Kind::Node => {
            text.starts_with("https://") || (text.starts_with("http://") && is_on_this_machine(text))
        }
        Kind::Path => !text.is_empty(),
        Kind::Address => text.parse::<SocketAddr>().is_ok(),
        Kind::Origin => origin(text),
        Kind::Database => {
            text.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty())
                || text.starts_with("postgres://")
                || text.starts_with("postgresql://")
        }
        Kind::Switch => matches!(text, "true" | "false"),
        Kind::Number(least, most) => text.parse().is_ok_and(|number| (least..=most).contains(&number)),
    };
    let (zh, en) = match kind {
        Kind::Choice(words) => {
            (format!("应为 {} 之一", words.join("、")), format!("must be one of {}", words.join(", ")))
        }
        Kind::Text => ("应为文本".to_owned(), "must be a text".to_owned()),
        Kind::Networks => (
            "应为以逗号分隔的 IP 地址或网段，例如 10.0.0.0/8,::1".to_owned(),
            "must be IP addresses or networks separated by commas, such as 10.0.0.0/8,::1".to_owned(),
        ),
        Kind::Node => (
            "应为 https://…，或本机的 http://127.0.0.1:端口/：密码会随每个请求发送".to_owned(),
            "must be https://…, or http://127.0.0.1:PORT/ on this machine: the password travels with each request".to_owned(),
        ),
        Kind::Smtp => (
            "应为 smtps://用户@主机、smtp://用户@主机?tls=required，或本机的 smtp://127.0.0.1:端口".to_owned(),
            "must be smtps://user@host, smtp://user@host?tls=required, or smtp://127.0.0.1:PORT on this machine".to_owned(),
        ),
        Kind::Path => ("应为文件路径".to_owned(), "must be the path of a file".to_owned()),
        Kind::Address => (
            "应为 IP 地址加端口，例如 127.0.0.1:8080".to_owned(),
            "must be an IP address with a port, such as 127.0.0.1:8080".to_owned(),
        ),
        Kind::Origin => (
            "应为不带路径的地址，例如 https://wallet.example".to_owned(),
            "must be an address without a path, such as https://wallet.example".to_owned(),
        ),
        Kind::Database => (
            "应为 sqlite:路径 或 postgres://用户@主机/库名".to_owned(),
            "must be sqlite:PATH or postgres://user@host/name".to_owned(),
        ),
        Kind::Switch => ("应为 true 或 false".to_owned(), "must be true or false".to_owned()),
        Kind::Number(least, most) => (
            format!("应为 {least} 到 {most} 的整数"),
            format!("must be a whole number from {least} to {most}"),
        ),
    };
    (!fits).then_some((zh, en))
}

/// Whether a mail server is reached under TLS, or is on this machine.
fn is_safe_smtp(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    match uri.scheme_str() {
        Some("smtps") => uri.host().is_some_and(|host| !host.is_empty()),
        Some("smtp") => {
            is_on_this_machine(text)
                || uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "tls=required"))
        }
        _ => false,
    }
}

/// Whether an origin's host is this machine.
fn is_on_this_machine(origin: &str) -> bool {
    let uri: Option<http::Uri> = origin.parse().ok();
    uri.as_ref().and_then(http::Uri::host).is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    })
}

fn origin(text: &str) -> bool {
    let Some(host) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let uri: Option<http::Uri> = text.parse().ok();
    !host.contains(['/', '?', '#', '@'])
        && uri.is_some_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
}

/// A database's URL without its password, wherever it has one.
fn without_password(text: &str) -> String {
    let masked = match text.split_once("://") {
        // The last `@`: an unescaped one may be in the password.
        Some((scheme, rest)) => match rest.rsplit_once('@').map(|(who, host)| (who.split_once(':'), host)) {
            Some((Some((user, _)), host)) => format!("{scheme}://{user}:••••@{host}"),
            _ => text.to_owned(),
        },
        None => text.to_owned(),
    };
    match masked.split_once("password=") {
        Some((before, after)) => {
            let rest = after.find(['&', ' ']).and_then(|at| after.get(at..)).unwrap_or_default();
            format!("{before}password=••••{rest}")
        }
        None => masked,
    }
}

impl Config {
    /// Reads every source. The configuration is complete only if there are no faults.
    pub(crate) fn read(sources: &Sources<'_>) -> (Self, Vec<Fault>) {
        let (mut config, mut faults) = (Self::default(), Vec::new());
        for setting in SETTINGS {
            if let Some(default) = setting.default {
                config.0.insert(setting.name, Value { text: default.to_owned(), place: Place::Default });
            }
        }
        if let Some((path, text)) = sources.file {
            config.read_file(path, text, &mut faults);
        }
        config.read_variables(sources.variables, &mut faults);
        for flag in sources.flags {
            match flag.split_once('=').map(|(name, value)| (setting(name.trim()), name.trim(), value)) {
                Some((Some(setting), _, value)) => {
                    config.put(setting, value.to_owned(), Place::Flag, &mut faults)
                }
                Some((None, name, _)) => {
                    faults.push(unknown(Place::Flag, name, SETTINGS.iter().map(|setting| setting.name)));
                }
                None => faults.push(Fault::new(
                    Place::Flag,
                    format!("{flag}：应写成 名称=值"),
                    format!("{flag}: write NAME=VALUE"),
                )),
            }
        }
        for Setting { name, zh, en, .. } in SETTINGS {
            if !config.0.contains_key(name)
                && !faults.iter().any(|fault| fault.en.starts_with(&format!("{name}: ")))
            {
                faults.push(Fault::new(
                    Place::Nowhere,
                    format!("缺少 {name}：{zh}"),
                    format!("{name} is missing: {en}"),
                ));
            }
        }
        if faults.is_empty() {
            config.check(&mut faults);
        }
        (config, faults)
    }

    fn put(&mut self, setting: &'static Setting, text: String, place: Place, faults: &mut Vec<Fault>) {
        let name = setting.name;
        let may_be_empty = setting.default == Some("") && text.is_empty();
        match misfit(setting.kind, &text).filter(|_| !may_be_empty) {
            Some((zh, en)) => {
                let shown = without_password(&text);
                faults.push(Fault::new(
                    place,
                    format!("{name}：{zh}，而不是 {shown:?}"),
                    format!("{name}: {en}, not {shown:?}"),
                ));
            }
            None => drop(self.0.insert(name, Value { text, place })),
        }
    }

    fn read_file(&mut self, path: &Path, text: &str, faults: &mut Vec<Fault>) {
        let place = |span: Range<usize>| {
            let (line, column) = position(text, span.start);
            Place::File { path: path.to_owned(), line, column }
        };
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let why = error.message();
            let place = place(error.span().unwrap_or(0..0));
            faults.push(Fault::new(place, format!("不是 TOML：{why}"), format!("this is not TOML: {why}")));
        }
        for (table, value) in root.get_ref() {
            let table_name = table.get_ref().as_ref();
            let prefix = format!("{table_name}.");
            let known = || SETTINGS.iter().filter(|setting| setting.name.starts_with(&prefix));
            let DeValue::Table(entries) = value.get_ref() else {
                faults.push(unknown(
                    place(table.span()),
                    table_name,
                    SETTINGS.iter().map(|setting| setting.name),
                ));
                continue;
            };
            if known().next().is_none() {
                let tables = SETTINGS.iter().filter_map(|setting| Some(setting.name.split_once('.')?.0));
                faults.push(unknown(place(table.span()), table_name, tables));
                continue;
            }
            for (key, value) in entries {
                let name = format!("{prefix}{}", key.get_ref());
                match (setting(&name), written(value)) {
                    (None, _) => {
                        faults.push(unknown(place(key.span()), &name, known().map(|setting| setting.name)))
                    }
                    (Some(setting), Some(text)) => self.put(setting, text, place(value.span()), faults),
                    (Some(Setting { name, kind, .. }), None) => {
                        let (zh, en) = misfit(*kind, "").unwrap_or_default();
                        faults.push(Fault::new(
                            place(value.span()),
                            format!("{name}：{zh}"),
                            format!("{name}: {en}"),
                        ));
                    }
                }
            }
        }
    }

    fn read_variables(&mut self, variables: &[(String, String)], faults: &mut Vec<Fault>) {
        for (name, value) in variables {
            if let Some(setting) = SETTINGS.iter().find(|setting| variable(setting) == *name) {
                self.put(setting, value.clone(), Place::Variable(name.clone()), faults);
                continue;
            }
            // Others may use the prefix too; but a variable of a table of settings is meant for this program.
            let is_meant = SETTINGS.iter().any(|setting| {
                let table = variable(setting);
                table.rsplit_once('_').is_some_and(|(table, _)| name.starts_with(&format!("{table}_")))
            });
            if is_meant {
                let names: Vec<String> = SETTINGS.iter().map(variable).collect();
                let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
                let (zh, en) = match near {
                    Some(near) => (
                        format!("没有这个设置；是 {near} 吗？"),
                        format!("there is no such setting; did you mean {near}?"),
                    ),
                    None => ("没有这个设置".to_owned(), "there is no such setting".to_owned()),
                };
                faults.push(Fault::new(Place::Variable(name.clone()), zh, en));
            }
        }
    }

    /// What no value shows by itself.
    fn check(&self, faults: &mut Vec<Fault>) {
        let (Some(public), Some(address)) = (self.0.get(PUBLIC), self.0.get(ADDRESS)) else { return };
        if public.text.starts_with("http://") && !self.behind_proxy() {
            faults.push(Fault::new(
                public.place.clone(),
                format!("{PUBLIC} 是 http：密码和令牌会以明文传输。请改用 https；若由代理终结 TLS，设置 {BEHIND_PROXY} = true"),
                format!("{PUBLIC} is plain http: passwords and tokens would travel in clear. Use https, and if a proxy terminates TLS, set {BEHIND_PROXY} = true"),
            ));
        }
        let is_local = self.address().is_some_and(|address| address.ip().is_loopback());
        if public.text.starts_with("https://") && self.tls().is_none() && !self.behind_proxy() && !is_local {
            faults.push(Fault::new(
                address.place.clone(),
                format!("{ADDRESS} 对外监听明文 http：请给出 {TLS_CERTIFICATE} 与 {TLS_KEY}；若由代理终结 TLS，设置 {BEHIND_PROXY} = true"),
                format!("{ADDRESS} would serve plain http to the network: give {TLS_CERTIFICATE} and {TLS_KEY}, or, if a proxy terminates TLS, set {BEHIND_PROXY} = true"),
            ));
        }
        for (one, other) in [(TLS_CERTIFICATE, TLS_KEY), (TLS_KEY, TLS_CERTIFICATE)] {
            if let Some(value) = self.0.get(one).filter(|value| !value.text.is_empty())
                && self.text(other).is_empty()
            {
                faults.push(Fault::new(
                    value.place.clone(),
                    format!("{one} 需要 {other}"),
                    format!("{one} needs {other}"),
                ));
            }
        }
        let needs: &[(&str, &str, &[&str])] = &[
            (NOTIFY, "command", &[NOTIFY_COMMAND]),
            (NOTIFY, "smtp", &[SMTP, SMTP_FROM]),
            (CHAIN, "vas", &[CHAIN_URL, CHAIN_PASSWORD]),
            (CHAIN, "core", &[CHAIN_URL, CHAIN_PASSWORD]),
        ];
        for (setting, value, needed) in needs.iter().filter(|(name, value, _)| self.text(name) == *value) {
            let place = self.0.get(setting).map_or(Place::Nowhere, |value| value.place.clone());
            for name in needed.iter().filter(|name| self.text(name).is_empty()) {
                faults.push(Fault::new(
                    place.clone(),
                    format!("{setting} = {value} 需要 {name}"),
                    format!("{setting} = {value} needs {name}"),
                ));
            }
        }
        if let Some(notify) = self.0.get(NOTIFY).filter(|notify| notify.text == "log")
            && !is_on_this_machine(self.text(PUBLIC))
        {
            faults.push(Fault::new(
                notify.place.clone(),
                format!("{NOTIFY} = log 会把验证码写进日志：只能在 {PUBLIC} 是本机时用于开发"),
                format!("{NOTIFY} = log writes verification codes into the log: it is for development, with a {PUBLIC} on this machine"),
            ));
        }
        if let Some(internal) = self.0.get(INTERNAL).filter(|internal| internal.text == address.text) {
            faults.push(Fault::new(
                internal.place.clone(),
                format!("{INTERNAL} 与 {ADDRESS} 相同；/metrics 不应公开"),
                format!("{INTERNAL} is the same as {ADDRESS}; /metrics must not be public"),
            ));
        }
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| &value.text)
    }

    pub(crate) fn database(&self) -> &str {
        self.text(DATABASE)
    }

    pub(crate) fn key(&self) -> &Path {
        Path::new(self.text(KEY))
    }

    /// The files of the next and of the previous master key, during a change of it.
    pub(crate) fn other_keys(&self) -> [Option<&Path>; 2] {
        [NEXT_KEY, PREVIOUS_KEY]
            .map(|name| Some(self.text(name)).filter(|path| !path.is_empty()).map(Path::new))
    }

    pub(crate) fn public_url(&self) -> &str {
        self.text(PUBLIC)
    }

    pub(crate) fn behind_proxy(&self) -> bool {
        self.text(BEHIND_PROXY) == "true"
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.text(ADDRESS).parse().ok()
    }

    pub(crate) fn internal(&self) -> Option<SocketAddr> {
        self.text(INTERNAL).parse().ok()
    }

    pub(crate) fn queue(&self) -> usize {
        self.text(QUEUE).parse().unwrap_or(1)
    }

    pub(crate) fn readers(&self) -> usize {
        self.text(READERS).parse().unwrap_or(1)
    }

    /// The files of the certificate chain and of its key; `None` without TLS.
    pub(crate) fn tls(&self) -> Option<(&Path, &Path)> {
        let (certificate, key) = (self.text(TLS_CERTIFICATE), self.text(TLS_KEY));
        (!certificate.is_empty()).then_some((Path::new(certificate), Path::new(key)))
    }

    pub(crate) fn trusted_proxies(&self) -> Networks {
        Networks::parse(self.text(PROXIES)).unwrap_or_default()
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.text(DRAIN).parse().unwrap_or(0))
    }

    /// The requests of one client address: in each second, and at once; `None`: no limit. Behind a proxy that is not trusted, every
    /// client has the proxy's address.
    pub(crate) fn address_limit(&self) -> Option<(NonZeroU32, NonZeroU32)> {
        if self.behind_proxy() && self.text(PROXIES).is_empty() {
            return None;
        }
        Some((self.text(PER_SECOND).parse().ok()?, self.text(BURST).parse().ok()?))
    }

    /// The node of the chain; `None` without one.
    pub(crate) fn chain(&self) -> Option<ChainNode<'_>> {
        let kind = match self.text(CHAIN) {
            "vas" => NodeKind::Vas,
            "core" => NodeKind::Core,
            _ => return None,
        };
        Some(ChainNode {
            kind,
            url: self.text(CHAIN_URL),
            user: Some(self.text(CHAIN_USER)).filter(|user| !user.is_empty()),
            password_file: Path::new(self.text(CHAIN_PASSWORD)),
            asset: self.text(CHAIN_ASSET),
        })
    }

    pub(crate) fn confirmations(&self) -> u64 {
        self.text(CONFIRMATIONS).parse().unwrap_or(1)
    }

    /// How many callback attempts may be under way.
    pub(crate) fn callback_places(&self) -> Places {
        let number = |name| self.text(name).parse().unwrap_or(1);
        Places {
            at_once: number(AT_ONCE),
            per_owner: number(PER_OWNER),
            per_app: number(PER_APP),
            per_host: number(PER_HOST),
        }
    }

    /// The calls of `pre_pay` that one app may make in a second; `None`: no bound.
    pub(crate) fn pre_pays_per_second(&self) -> Option<NonZeroU32> {
        self.text(PRE_PAYS).parse().ok().and_then(NonZeroU32::new)
    }

    /// How long rows are kept that are needed no more.
    pub(crate) fn retention(&self) -> Retention {
        let default = Retention::default();
        let days = |name, default| {
            self.text(name).parse().map_or(default, |days: u64| Duration::from_secs(days * 86_400))
        };
        Retention {
            callback_attempts: days(ATTEMPTS_KEPT, default.callback_attempts),
            unpaid_payments: days(UNPAID_KEPT, default.unpaid_payments),
        }
    }

    /// The bounds of the connections.
    pub(crate) fn connections(&self) -> Connections {
        let grace = Duration::from_secs(self.text(GRACE).parse().unwrap_or(15));
        Connections {
            most: self.text(CONNECTIONS).parse().unwrap_or(4096),
            per_address: self.text(PER_ADDRESS).parse().unwrap_or(1024),
            trusted: self.trusted_proxies(),
            grace,
        }
    }

    /// The cost of a password hash.
    pub(crate) fn password_cost(&self) -> PasswordCost {
        let cost = PasswordCost::default();
        PasswordCost {
            memory_kib: self.text(HASH_MEMORY).parse().unwrap_or(cost.memory_kib),
            passes: self.text(HASH_PASSES).parse().unwrap_or(cost.passes),
        }
    }

    /// How many password hashes are made.
    pub(crate) fn hashes(&self) -> Hashes {
        let hashes = Hashes::default();
        Hashes {
            at_once: self.text(HASHES).parse().unwrap_or(hashes.at_once),
            waiting: self.text(HASHES_WAITING).parse().unwrap_or(hashes.waiting),
        }
    }

    /// How notices are sent.
    pub(crate) fn notify(&self) -> &str {
        self.text(NOTIFY)
    }

    pub(crate) fn notify_command(&self) -> &Path {
        Path::new(self.text(NOTIFY_COMMAND))
    }

    /// The mail server, the file of its password if it has one, and the sender.
    pub(crate) fn smtp(&self) -> (&str, Option<&Path>, &str) {
        let password = Some(self.text(SMTP_PASSWORD)).filter(|path| !path.is_empty());
        (self.text(SMTP), password.map(Path::new), self.text(SMTP_FROM))
    }

    /// Each setting: its name, its value without a password, where it came from, and what it is.
    pub(crate) fn shown(&self, output: &Output) -> Vec<(&'static str, String, String, String)> {
        let row = |setting: &Setting| {
            let value = self.0.get(setting.name)?;
            let about = output.say(setting.zh, setting.en).to_owned();
            Some((setting.name, without_password(&value.text), value.place.to_string(), about))
        };
        SETTINGS.iter().filter_map(row).collect()
    }
}

/// A value of the file as text; `None` for a list or a table.
fn written(value: &Spanned<DeValue<'_>>) -> Option<String> {
    Some(match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use wallet_core::Lang;

    use super::*;

    const GOOD: &str = "[database]\nurl = \"sqlite:/var/lib/wallop/wallop.db\"\n[key]\nfile = \"/etc/wallop/key\"\n[listen]\npublic_url = \"https://wallet.example\"\n";

    fn read(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> (Config, Vec<String>) {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let sources =
            Sources { file: Some((Path::new("w.toml"), file)), variables: &variables, flags: &flags };
        let (config, faults) = Config::read(&sources);
        let output = Output { lang: Lang::En };
        (config, faults.iter().map(|fault| fault.in_words(&output)).collect())
    }

    #[test]
    fn the_later_source_holds_and_each_value_names_its_own() {
        let (config, faults) = read(
            GOOD,
            &[("WALLOP_STORE_QUEUE", "9"), ("WALLOP_LOG", "debug")],
            &["store.readers=3", "listen.address=127.0.0.1:1"],
        );
        assert_eq!(faults, Vec::<String>::new());
        let shown = config.shown(&Output { lang: Lang::En });
        let of = |name: &str| {
            let row = shown.iter().find(|(known, ..)| *known == name).expect("shown");
            (row.1.clone(), row.2.clone())
        };
        assert_eq!(shown.len(), SETTINGS.len(), "every setting");
        assert_eq!(of("database.url"), ("sqlite:/var/lib/wallop/wallop.db".into(), "w.toml:2:7".into()));
        assert_eq!(of("store.queue"), ("9".into(), "WALLOP_STORE_QUEUE".into()));
        assert_eq!(of("store.readers"), ("3".into(), "--set".into()));
        assert_eq!(of("listen.internal"), ("127.0.0.1:8081".into(), "default".into()));
        let (config, _) = read(GOOD, &[], &["database.url=postgres://wallop:geheim@db/wallop"]);
        assert!(config.database().contains("geheim"));
        assert!(!format!("{:?}", config.shown(&Output { lang: Lang::En })).contains("geheim"));
        for url in [
            "postgres://u:ge@heim@db/x",
            "postgres://db/x?user=u&password=ge@heim&a=1",
            "host=db password=ge@heim",
        ] {
            let shown = without_password(url);
            assert!(!shown.contains("ge@") && !shown.contains("heim"), "{shown}");
        }
    }

    #[test]
    fn every_fault_is_reported_at_once_with_its_place() {
        let with = |line: &str| format!("{GOOD}{line}\n");
        let without = |text: &str| GOOD.replace(text, "");
        let cases: &[(String, &[&str])] = &[
            (
                String::new(),
                &[
                    "wallop: database.url is missing",
                    "wallop: key.file is missing",
                    "wallop: listen.public_url is missing",
                ],
            ),
            (
                without("file = \"/etc/wallop/key\"\n"),
                &["wallop: key.file is missing: the file of the master key"],
            ),
            (
                with("adress = \"127.0.0.1:1\""),
                &["w.toml:7:1: there is no setting listen.adress; did you mean listen.address?"],
            ),
            (
                with("address = \":80\""),
                &[
                    "w.toml:7:11: listen.address: must be an IP address with a port, such as 127.0.0.1:8080, not \":80\"",
                ],
            ),
            (with("address = \"localhost:80\""), &["w.toml:7:11: listen.address: must be an IP address"]),
            (with("address = \"127.0.0.1:99999\""), &["w.toml:7:11: listen.address: must be"]),
            (with("address = [1]"), &["w.toml:7:11: listen.address: must be an IP address"]),
            (
                with("behind_proxy = \"yes\""),
                &["w.toml:7:16: listen.behind_proxy: must be true or false, not \"yes\""],
            ),
            (with("behind_proxy = 1"), &["w.toml:7:16: listen.behind_proxy: must be true or false"]),
            (
                with("internal = \"127.0.0.1:8080\""),
                &["w.toml:7:12: listen.internal is the same as listen.address"],
            ),
            (
                with("[store]\nqueue = 0"),
                &["w.toml:8:9: store.queue: must be a whole number from 1 to 1000000, not \"0\""],
            ),
            (with("[store]\nqueue = -1"), &["w.toml:8:9: store.queue: must be"]),
            (with("[store]\nqueue = 1.5"), &["w.toml:8:9: store.queue: must be"]),
            (with("[store]\nqueue = \"many\""), &["w.toml:8:9: store.queue: must be"]),
            (with("[store]\nqueue = 99999999999999999999"), &["w.toml:8:9"]),
            (
                with("[store]\nreaders = 257"),
                &["w.toml:8:11: store.readers: must be a whole number from 1 to 256"],
            ),
            (
                with("[store]\nreadres = 2"),
                &["w.toml:8:1: there is no setting store.readres; did you mean store.readers?"],
            ),
            (with("[stor]\nqueue = 1"), &["w.toml:7:2: there is no setting stor; did you mean store?"]),
            (with("[wholly_else]\nx = 1"), &["w.toml:7:2: there is no setting wholly_else"]),
            (format!("queue = 1\n{GOOD}"), &["w.toml:1:1: there is no setting queue"]),
            (
                GOOD.replace("sqlite:/var/lib/wallop/wallop.db", "/var/lib/wallop.db"),
                &["w.toml:2:7: database.url: must be sqlite:PATH or postgres://user@host/name"],
            ),
            (
                GOOD.replace("sqlite:/var/lib/wallop/wallop.db", "sqlite:"),
                &["w.toml:2:7: database.url: must be"],
            ),
            (
                GOOD.replace("sqlite:/var/lib/wallop/wallop.db", "mysql://u:geheim@h/d"),
                &[
                    "w.toml:2:7: database.url: must be sqlite:PATH or postgres://user@host/name, not \"mysql://u:••••@h/d\"",
                ],
            ),
            (GOOD.replace("/etc/wallop/key", ""), &["w.toml:4:8: key.file: must be the path of a file"]),
            (
                GOOD.replace("https://wallet.example", "wallet.example"),
                &["w.toml:6:14: listen.public_url: must be an address without a path"],
            ),
            (
                GOOD.replace("https://wallet.example", "https://wallet.example/"),
                &["w.toml:6:14: listen.public_url: must be"],
            ),
            (
                GOOD.replace("https://wallet.example", "https://u@wallet.example"),
                &["w.toml:6:14: listen.public_url: must be"],
            ),
            (
                GOOD.replace("https://wallet.example", "https://"),
                &["w.toml:6:14: listen.public_url: must be"],
            ),
            (
                GOOD.replace("https://wallet.example", "http://wallet.example"),
                &["w.toml:6:14: listen.public_url is plain http"],
            ),
            (GOOD.replace("url = \"sqlite", "url = sqlite"), &["w.toml:2:"]),
            (
                with("address = \"127.0.0.1:1\"\naddress = \"127.0.0.1:2\""),
                &["w.toml:8:1: this is not TOML: duplicate key"],
            ),
            (
                with("address = \":80\"\n[store]\nqueue = 0\nreadres = 1"),
                &[
                    "w.toml:7:11: listen.address",
                    "w.toml:9:9: store.queue",
                    "w.toml:10:1: there is no setting store.readres",
                ],
            ),
        ];
        let more: &[(String, &[&str])] = &[
            (
                with("[notify]\nby = \"pigeon\""),
                &["w.toml:8:6: notify.by: must be one of none, command, smtp, log, not \"pigeon\""],
            ),
            (with("[notify]\nby = \"command\""), &["w.toml:8:6: notify.by = command needs notify.command"]),
            (
                with("[notify]\nby = \"smtp\""),
                &[
                    "w.toml:8:6: notify.by = smtp needs notify.smtp_url",
                    "w.toml:8:6: notify.by = smtp needs notify.from",
                ],
            ),
            (
                with("[notify]\nsmtp_url = \"smtp://mail.example\""),
                &["w.toml:8:12: notify.smtp_url: must be smtps://user@host"],
            ),
            (
                with("address = \"0.0.0.0:80\""),
                &["w.toml:7:11: listen.address would serve plain http to the network"],
            ),
            (with("tls_key = \"/k\""), &["w.toml:7:11: listen.tls_key needs listen.tls_certificate"]),
            (
                with("trusted_proxies = \"10.0.0.0/33\""),
                &["w.toml:7:19: listen.trusted_proxies: must be IP addresses or networks"],
            ),
            (
                with("[limits]\nrequests_at_once = 0"),
                &["w.toml:8:20: limits.requests_at_once: must be a whole number from 1"],
            ),
            (
                with("[chain]\nnode = \"core\""),
                &[
                    "w.toml:8:8: chain.node = core needs chain.url",
                    "w.toml:8:8: chain.node = core needs chain.password_file",
                ],
            ),
            (
                with("[chain]\nurl = \"http://node.example:9332/\""),
                &["w.toml:8:7: chain.url: must be https://…, or http://127.0.0.1:PORT/ on this machine"],
            ),
            (
                with("[notify]\nby = \"log\""),
                &["w.toml:8:6: notify.by = log writes verification codes into the log"],
            ),
        ];
        for (file, expected) in cases.iter().chain(more) {
            let (_, faults) = read(file, &[], &[]);
            let all_found =
                expected.iter().all(|beginning| faults.iter().any(|fault| fault.starts_with(beginning)));
            assert!(
                all_found && (faults.len() == expected.len() || file.contains("= sqlite")),
                "{file}\n{faults:#?}\n{expected:#?}"
            );
        }
        assert!(cases.len() > 30);
        let (_, faults) = read(
            GOOD,
            &[("WALLOP_STORE_QUEUES", "1"), ("WALLOP_LISTEN_ADDRESS", "x"), ("WALLOP_BIN", "/x")],
            &["store.queu=1", "nothing"],
        );
        assert_eq!(
            faults,
            [
                "WALLOP_STORE_QUEUES: there is no such setting; did you mean WALLOP_STORE_QUEUE?",
                "WALLOP_LISTEN_ADDRESS: listen.address: must be an IP address with a port, such as 127.0.0.1:8080, not \"x\"",
                "--set: there is no setting store.queu; did you mean store.queue?",
                "--set: nothing: write NAME=VALUE",
            ]
        );
    }
}
