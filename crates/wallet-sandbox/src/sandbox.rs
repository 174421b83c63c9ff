//! Starting and stopping a sandbox.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use wallet_api::vas::{Profile, limits};
use wallet_core::Lang;
use wallet_crypto::{PasswordCost, Passwords, Portable};
use wallet_platform::Failure;
use wallet_server::pages::{Cookies, PageSettings};
use wallet_server::{
    Addresses, DataDirectory, EmbeddedChain, PRE_PAYS_PER_SECOND, Server, Settings, Store, serve,
};
use wallet_store::{Clock as _, OpenError};

use crate::clock::{CallbackClock, SandboxClock};
use crate::data::{Described, DescribedVas, describe, seed, seed_shop};
use crate::demo::{HyperTokio, transport};
use crate::merchant::{FomoAccess, Merchant, VasAccess};
use crate::pages::inspect::Row;
use crate::pages::{FOLLOWERS, HINTS, NAV, Pages, assets, callbacks};
use crate::recorder::{Exchange, Recorder, record};
use crate::routes::{loopback_only, router};
use crate::state::{Codes, Shared};

/// The options of [`Sandbox::start`].
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// The data directory; `None`: a temporary one, which is removed with the sandbox.
    pub data: Option<PathBuf>,
    /// The URL of a PostgreSQL database for this sandbox alone; `None`: SQLite in the data directory.
    pub database: Option<String>,
    /// The loopback port; 0 takes any.
    pub port: u16,
    /// The cost of one password hash.
    pub password_cost: PasswordCost,
    /// The calls of `pre_pay` that an app may make in a second; `None`: no bound.
    pub pre_pays_per_second: Option<NonZeroU32>,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            data: None,
            database: None,
            port: 0,
            password_cost: PasswordCost::default(),
            pre_pays_per_second: Some(PRE_PAYS_PER_SECOND),
        }
    }
}

/// Why a sandbox does not start. The text has the cause and the next step.
#[derive(Debug)]
pub struct SandboxError(String);

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SandboxError {}

/// A running sandbox.
pub struct Sandbox {
    described: Described,
    server: Server,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    clock: Arc<SandboxClock>,
    recorder: Recorder,
    _temporary: Option<TempDir>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.described.url).finish_non_exhaustive()
    }
}

/// The data directory: the given one, or a temporary one, which is removed when it is dropped.
fn data_directory(given: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), SandboxError> {
    if let Some(given) = given {
        return Ok((given, None));
    }
    let temporary = tempfile::Builder::new().prefix("wallop-").tempdir().map_err(|error| {
        SandboxError(format!("cannot make a temporary directory: {error}; give one with --data DIR"))
    })?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

impl Sandbox {
    /// Starts a sandbox and its demo data.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let (directory, temporary) = data_directory(options.data)?;
        let address = SocketAddr::from(([127, 0, 0, 1], options.port));
        let listener = TcpListener::bind(address).await.map_err(|error| {
            SandboxError(format!(
                "cannot listen on {address}: {error}; choose another port with --port, or 0 for any"
            ))
        })?;
        let bound = listener.local_addr().map_err(|error| SandboxError(format!("cannot listen: {error}")))?;
        let url = format!("http://{bound}");

        let (store, clock) = open_store(&directory, options.database.as_deref())
            .map_err(|error| SandboxError(error.to_string()))?;
        let failed = |failure: Failure| SandboxError(format!("cannot create the demo data: {failure}"));
        seed(&store, &Passwords::new(options.password_cost)).await.map_err(failed)?;
        seed_shop(&store, &url).await.map_err(failed)?;
        let described = describe(&store, &url).await.map_err(failed)?;

        let codes = Arc::new(Codes::default());
        let recorder = Recorder::new(clock.clone(), bound.port());
        let callback_clock = Arc::new(CallbackClock::new(clock.clone()));
        let server = Server::new(
            store.clone(),
            Settings {
                callback_addresses: Addresses::PublicAndLoopback,
                password_cost: options.password_cost,
                notifier: codes.clone(),
                callback_places: Default::default(),
                pre_pays_per_second: options.pre_pays_per_second,
                retention: wallet_server::Retention::default(),
                hashes: Default::default(),
                callback_clock: Some(callback_clock.clone()),
                observer: Some(Arc::new(recorder.clone())),
                chain: Arc::new(EmbeddedChain(store.clone())),
                confirmations: limits::CONFIRMATIONS,
                pages: PageSettings {
                    nav: NAV,
                    hints: HINTS,
                    sandbox: true,
                    cookies: Cookies::Port(bound.port()),
                },
                protocols: wallet_server::PROTOCOLS.to_vec(),
                public_url: url.clone(),
            },
        );
        let shared = Shared {
            url: url.as_str().into(),
            store,
            clock: clock.clone(),
            server: server.clone(),
            codes,
            offset_file: directory.join(OFFSET).into(),
            moving: Arc::default(),
            callback_clock,
        };
        let (stop, stopped) = watch::channel(false);
        let pages = Pages {
            followers: Arc::new(tokio::sync::Semaphore::new(FOLLOWERS)),
            stopped: stopped.clone(),
            merchant: Arc::new(open_shop(&shared, &described, bound.port())?),
            shared: shared.clone(),
            recorder: recorder.clone(),
            transport: transport(),
            outcomes: Arc::default(),
            stories: Arc::default(),
            looking: Arc::new(tokio::sync::Semaphore::new(1)),
        };
        let until_stopped = || {
            let mut stopped = stopped.clone();
            async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            }
        };
        let routes = router(shared, pages.clone()).merge(server.router()).layer(from_fn(loopback_only));
        // The platforms call the shop by its safe domain.
        let routes = routes.merge(callbacks(pages)).merge(assets());
        let routes = routes.layer(from_fn_with_state(recorder.clone(), record));
        let serving = {
            let stop = until_stopped();
            tokio::spawn(async move {
                if let Err(error) = serve(listener, routes, stop).await {
                    tracing::error!(%error, "the server has stopped");
                }
            })
        };
        let delivering = tokio::spawn(server.clone().work(until_stopped()));
        Ok(Self {
            described,
            server,
            stop,
            tasks: vec![serving, delivering],
            clock,
            recorder,
            _temporary: temporary,
        })
    }

    /// The description of the sandbox at its start: users, apps, addresses.
    pub fn described(&self) -> &Described {
        &self.described
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The clock.
    pub fn clock(&self) -> &SandboxClock {
        &self.clock
    }

    /// A line for each call of an app (`-->`) and each callback (`<--`) from now on, with its result and duration.
    pub fn log(&self, lang: Lang) -> Log {
        Log { exchanges: self.recorder.listen(), lang }
    }

    /// Resolves with the error when the store has stopped by itself: the process should then stop too.
    pub async fn broken(&self) -> wallet_engine::StoreError {
        self.server.broken().await
    }

    /// Stops accepting connections, finishes the requests in flight, closes the database.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// The calls and callbacks of a sandbox, as they happen.
pub struct Log {
    exchanges: broadcast::Receiver<Arc<Exchange>>,
    lang: Lang,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// The next line; `None` once the sandbox has stopped. A reader that is too slow misses lines.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            match self.exchanges.recv().await {
                Ok(exchange) => match Row::of(self.lang, exchange).line() {
                    Some(line) => return Some(line),
                    None => continue, // a call of the sandbox's own pages
                },
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// The file in a data directory with the clock's offset in milliseconds.
const OFFSET: &str = "clock.offset";

/// The clock of a data directory: the system's, unless a sandbox has moved it.
pub fn clock_of(directory: &Path) -> Arc<SandboxClock> {
    let offset = std::fs::read_to_string(directory.join(OFFSET)).ok();
    let offset = offset.and_then(|text| text.trim().parse().ok());
    Arc::new(SandboxClock::ahead_by(offset.unwrap_or(0)))
}

fn open_store(directory: &Path, database: Option<&str>) -> Result<(Store, Arc<SandboxClock>), OpenError> {
    let (clock, data) = (clock_of(directory), DataDirectory::new(directory));
    let store = match database {
        None => data.open(clock.clone())?,
        Some(url) => data.open_postgres_at(url, clock.clone())?,
    };
    Ok((store, clock))
}

/// The demo shop with its credentials at each platform. Its FOMO app has the redirect_uri of this sandbox.
fn open_shop(
    shared: &Shared,
    described: &Described,
    port: u16,
) -> Result<Merchant<HyperTokio>, SandboxError> {
    let access = |profile: Profile, described: &DescribedVas| VasAccess {
        profile,
        base_url: described.base_url.clone(),
        uuid: described.uuid.clone(),
        access_token: described.access_token.clone(),
        rsa_private: described.rsa_private_pkcs8.clone(),
        to_addr: described.to_addr.clone(),
        origin: format!("http://{}:{port}", described.safe_domain),
    };
    let clock = shared.clock.clone();
    let fomo = FomoAccess {
        base_url: described.fomo.base_url.clone(),
        client_id: described.shop.client_id.clone(),
        client_secret: described.shop.client_secret.clone(),
        redirect_uri: described.shop.redirect_uri.clone(),
        owner_wallet_pwd: described.fomo.owner_wallet_pwd.clone(),
    };
    let vas = vec![access(Profile::Vas, &described.vas), access(Profile::Lafi, &described.lafi)];
    let now = Arc::new(move || clock.now());
    Merchant::new(&shared.url, &transport(), Arc::new(Portable::new()), fomo, vas, now)
        .map_err(|error| SandboxError(format!("cannot open the demo shop: {error}")))
}
