//! A connection: a runtime of its own on the caller's thread, prepared statements, and flights with a deadline.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::types::Parameter;
use crate::error::OpenError;

/// The longest time to connect to one address of the URL, and to fly.
const CONNECT: Duration = Duration::from_secs(3);
const FLIGHT: Duration = Duration::from_secs(15);
const MIGRATION: Duration = Duration::from_secs(24 * 3600);
/// Planning takes longer than a small batch, so each statement is planned once; and by indexes whatever the tables' sizes, since
/// a plan that was made for an empty table would read the whole of it later. A query without an index then has an estimated cost
/// for which PostgreSQL would compile its plan, which takes longer than to run it.
const PLANS: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";
/// The number of prepared statements of a connection. Lists differ in their conditions, so their number has no bound of its own.
const PREPARED: usize = 512;

/// What follows from a failure.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The connection is gone, or is of no use.
    Lost(String),
    /// Another process was in the way.
    Collided(String),
    /// The database refused a statement.
    Rejected(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Lost(why) | Self::Collided(why) | Self::Rejected(why)) = self;
        f.write_str(why)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let Some(database) = error.as_db_error() else {
            // Without a code of the server: the connection broke, or the driver could not read or write a value.
            let source =
                std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            let why = format!("{error}{source}");
            return if error.is_closed() || source.is_empty() {
                Self::Lost(why)
            } else {
                Self::of_source(&error, why)
            };
        };
        let why = format!("{} ({})", database.message(), database.code().code());
        if matches!(database.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
            return Self::Lost(why); // the server has ended the session
        }
        match database.code() {
            code if *code == SqlState::T_R_SERIALIZATION_FAILURE
                || *code == SqlState::T_R_DEADLOCK_DETECTED
                || *code == SqlState::LOCK_NOT_AVAILABLE
                || *code == SqlState::QUERY_CANCELED =>
            {
                Self::Collided(why)
            }
            code if code.code().starts_with("08")
                || code.code().starts_with("57P")
                // The last four: the session, or what is prepared in it, is of no use any more.
                || ["25006", "53300", "25P02", "26000", "42P05", "0A000"].contains(&code.code()) =>
            {
                Self::Lost(why)
            }
            _ => Self::Rejected(why),
        }
    }
}

impl Failed {
    fn of_source(error: &Error, why: String) -> Self {
        let io = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
        if io { Self::Lost(why) } else { Self::Rejected(why) }
    }
}

/// The address of a database, and how to connect to it.
#[derive(Clone)]
pub(crate) struct Link {
    config: Config,
    /// `None`: in clear.
    tls: Option<MakeRustlsConnect>,
}

impl fmt::Debug for Link {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, name) = (self.config.get_user().unwrap_or(""), self.config.get_dbname().unwrap_or(""));
        let hosts: Vec<&str> = self.config.get_hosts().iter().map(shown).collect();
        write!(f, "{user}@{}/{name}", hosts.join(","))
    }
}

/// A host for display. An `@` in a password that was not escaped makes the password's end a part of the host.
fn shown(host: &Host) -> &str {
    match host {
        Host::Tcp(name) => name.rsplit('@').next().unwrap_or(name),
        Host::Unix(path) => path.to_str().unwrap_or("a socket"),
    }
}

/// Whether what is sent to a host stays on this machine.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

/// Whether every address of a database is on this machine. What is dialled is a `hostaddr`, where the URL has one.
fn is_here(config: &Config) -> bool {
    match config.get_hostaddrs() {
        [] => !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local),
        addresses => addresses.iter().all(IpAddr::is_loopback),
    }
}

/// Takes a parameter out of a URL, or out of `name=value name=value`: the driver does not know every one of libpq's.
fn take(url: &str, name: &str) -> (String, Option<String>) {
    let (head, parameters, between) = match url.split_once('?') {
        Some((head, query)) => (format!("{head}?"), query, '&'),
        None if url.contains("://") => return (url.to_owned(), None),
        None => (String::new(), url, ' '),
    };
    let is_it = |part: &&str| part.split_once('=').is_some_and(|(known, _)| known == name);
    let value = parameters.split(between).find(is_it).and_then(|part| part.split_once('='));
    let value = value.map(|(_, value)| value.replace("%2F", "/").replace("%2f", "/"));
    let rest: Vec<&str> = parameters.split(between).filter(|part| !is_it(part)).collect();
    (head + &rest.join(&between.to_string()), value)
}

/// TLS that verifies the server's certificate and name, by the certificates of a file, or else by the machine's.
fn tls(roots: Option<&str>) -> Result<MakeRustlsConnect, String> {
    let mut store = RootCertStore::empty();
    match roots.filter(|roots| *roots != "system") {
        Some(path) => {
            let failed =
                |error: rustls_pki_types::pem::Error| format!("cannot read sslrootcert {path}: {error}");
            for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
                let certificate = certificate.map_err(failed)?;
                store.add(certificate).map_err(|error| format!("cannot use sslrootcert {path}: {error}"))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(
            "there is no root certificate to verify the server with: give sslrootcert=FILE".to_owned()
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

impl Link {
    /// The link of a URL. A connection that leaves this machine is under TLS, with the server's certificate and name verified,
    /// unless the URL has `sslmode=disable`.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let malformed = |why: &dyn fmt::Display| {
            OpenError::new(format!(
                "cannot read the URL of the database: {why}. Write postgres://user@host/name"
            ))
        };
        let (plain, mode) = take(url, "sslmode");
        let (plain, roots) = take(&plain, "sslrootcert");
        let mut config: Config = plain.trim_end_matches('?').parse().map_err(|error: Error| {
            let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            malformed(&format!("{error}: {why}"))
        })?;
        let is_encrypted = match mode.as_deref() {
            Some("disable") => false,
            // Without TLS if the server is this machine's own: so does libpq.
            None | Some("prefer" | "allow") => !is_here(&config),
            Some("require" | "verify-ca" | "verify-full") => true,
            Some(other) => return Err(malformed(&format!("there is no sslmode {other}"))),
        };
        config.ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable });
        let tls = is_encrypted.then(|| tls(roots.as_deref())).transpose().map_err(OpenError::new)?;
        if config.get_application_name().is_none() {
            config.application_name("wallop");
        }
        let options = config.get_options().map(|options| format!("{options} ")).unwrap_or_default();
        config.options(format!("{options}{PLANS}"));
        config.connect_timeout(CONNECT).tcp_user_timeout(FLIGHT);
        config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        Ok(Self { config, tls })
    }

    async fn connect(&self) -> Result<(Client, Running), Error> {
        Ok(match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                (client, Box::pin(connection))
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                (client, Box::pin(connection))
            }
        })
    }
}

/// A connection at work.
type Running = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A statement of a flight.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Statement<'a> {
    /// Statements without parameters or answer.
    Simple(&'a str),
    /// A query.
    Query { sql: &'a str, parameters: &'a [Parameter] },
    /// A change of so many rows; another number is an error.
    Change { sql: &'a str, parameters: &'a [Parameter], rows: u64 },
}

/// A connection.
pub(crate) struct Connection {
    // Dropped in this order: the task ends the connection, and with it what the server runs for it.
    task: JoinHandle<()>,
    client: Client,
    prepared: HashMap<String, tokio_postgres::Statement>,
    runtime: Runtime,
    /// The longest flight.
    limit: Duration,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Without this, statements that were sent run on, a COMMIT too, and nobody reads their answers.
        self.task.abort();
    }
}

type Flying<'f> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Failed>> + 'f>>;

impl Connection {
    pub(crate) fn open(link: &Link) -> Result<Self, Failed> {
        let lost = |why: String| Failed::Lost(why);
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| lost(error.to_string()))?;
        // The driver's own limit is for one address, and ends once TCP is connected.
        let limit = CONNECT * u32::try_from(link.config.get_hosts().len()).unwrap_or(1).max(1) + CONNECT;
        let (client, connection) = runtime
            .block_on(async { tokio::time::timeout(limit, link.connect()).await })
            .map_err(|_| lost(format!("no connection within {limit:?}")))??;
        let task = runtime.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        Ok(Self { task, client, prepared: HashMap::new(), runtime, limit: FLIGHT })
    }

    /// Lets flights last as long as a migration may take.
    pub(super) fn be_patient(&mut self) {
        self.limit = MIGRATION;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Sends statements at once, and waits for the answers of all. The first failure is the flight's.
    pub(crate) fn fly(&mut self, flight: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, Failed> {
        let Self { client, prepared, runtime, limit, .. } = self;
        let landed = runtime.block_on(async {
            let answers = async {
                prepare(client, prepared, flight).await?;
                let flying = flight.iter().map(|statement| send(client, prepared, *statement));
                // Polled in this order, so sent in this order.
                join_all(flying).await.into_iter().collect()
            };
            tokio::time::timeout(*limit, answers).await
        });
        landed.unwrap_or_else(|_| {
            self.task.abort();
            Err(Failed::Lost(format!("no answer within {:?}", self.limit)))
        })
    }

    /// Inserts a row in table `node` for this process start, and returns its number.
    pub(super) fn register(&mut self) -> Result<i64, Failed> {
        let register = "INSERT INTO node (id, epoch, attempt, name, started_at, seen_at) \
            SELECT coalesce(max(id), 0) + 1, 0, 0, $1::text, ms, ms \
            FROM node RIGHT JOIN (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms) AS clock ON true \
            GROUP BY ms RETURNING id";
        let name = [Parameter::one(wallet_engine::Cell::Text(&std::process::id().to_string()))];
        let mut answers = self.fly(&[
            // A process that stops here must not hold up the others.
            Statement::Simple(
                "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL lock_timeout = '10s'; \
                 LOCK TABLE node IN EXCLUSIVE MODE",
            ),
            Statement::Query { sql: register, parameters: &name },
        ])?;
        self.fly(&[Statement::Simple("COMMIT")])?;
        let id = answers.pop().and_then(|rows| rows.first().and_then(|row| row.try_get(0).ok()));
        id.ok_or_else(|| Failed::Rejected("table node gave no number".to_owned()))
    }
}

/// Prepares the statements of a flight that are new.
async fn prepare(
    client: &Client,
    prepared: &mut HashMap<String, tokio_postgres::Statement>,
    flight: &[Statement<'_>],
) -> Result<(), Failed> {
    let texts = flight.iter().filter_map(|statement| match statement {
        Statement::Simple(_) => None,
        Statement::Query { sql, .. } | Statement::Change { sql, .. } => Some(*sql),
    });
    let mut new: Vec<&str> = texts.filter(|sql| !prepared.contains_key(*sql)).collect();
    new.sort_unstable();
    new.dedup();
    if prepared.len() + new.len() > PREPARED {
        prepared.clear();
        return Box::pin(prepare(client, prepared, flight)).await;
    }
    for (sql, statement) in new.iter().zip(join_all(new.iter().map(|sql| client.prepare(sql))).await) {
        prepared.insert((*sql).to_owned(), statement?);
    }
    Ok(())
}

fn send<'f>(
    client: &'f Client,
    prepared: &'f HashMap<String, tokio_postgres::Statement>,
    statement: Statement<'f>,
) -> Flying<'f> {
    let bound = |parameters: &'f [Parameter]| -> Vec<&'f (dyn ToSql + Sync)> {
        parameters.iter().map(|parameter| parameter as &(dyn ToSql + Sync)).collect()
    };
    let known = |sql: &str| prepared.get(sql).ok_or_else(|| Failed::Rejected(format!("not prepared: {sql}")));
    Box::pin(async move {
        match statement {
            Statement::Simple(sql) => Ok(client.batch_execute(sql).await.map(|()| Vec::new())?),
            Statement::Query { sql, parameters } => Ok(client.query(known(sql)?, &bound(parameters)).await?),
            Statement::Change { sql, parameters, rows } => {
                let changed = client.execute(known(sql)?, &bound(parameters)).await?;
                if changed == rows {
                    return Ok(Vec::new());
                }
                Err(Failed::Rejected(format!("expected to write {rows} rows, wrote {changed}: {sql}")))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_here_only_if_what_is_dialled_is() {
        let here = |url: &str| is_here(&url.parse().unwrap());
        for local in ["postgres://u@127.0.0.1/x", "postgres://u@localhost/x", "host=/run/postgresql user=u"] {
            assert!(here(local), "{local}");
        }
        for far in [
            "postgres://u@db/x",
            "postgres://u@localhost,db/x",
            "hostaddr=203.0.113.5 user=u",
            "host=localhost hostaddr=203.0.113.5 user=u",
        ] {
            assert!(!here(far), "{far}");
        }
        assert_eq!(
            take("postgres://u@h/x?sslmode=require&a=1", "sslmode"),
            ("postgres://u@h/x?a=1".to_owned(), Some("require".to_owned()))
        );
        assert_eq!(
            take("host=h sslmode=disable", "sslmode"),
            ("host=h".to_owned(), Some("disable".to_owned()))
        );
    }
}
