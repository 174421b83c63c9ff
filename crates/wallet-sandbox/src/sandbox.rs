//! Starting and stopping a sandbox.

use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wallet_api::vas::{Profile, limits};
use wallet_core::crypto::{Entropy as _, from_hex, hex_text};
use wallet_core::{Lang, Secret};
use wallet_crypto::{PasswordCost, Passwords, Portable};
use wallet_platform::{CreateUser, EnrolOperator, Failure, FindUser};
use wallet_server::pages::PageSettings;
use wallet_server::store::{self, Options, Store};
use wallet_server::{Addresses, EmbeddedChain, Server, Settings, serve};
use wallet_store::Clock as _;

use crate::clock::SandboxClock;
use crate::data::{Described, DescribedVas, describe, seed, seed_shop};
use crate::demo::{HyperTokio, transport};
use crate::merchant::{FomoAccess, Merchant, VasAccess};
use crate::pages::{HINTS, NAV, Pages, assets, callbacks};
use crate::recorder::{Recorder, record};
use crate::routes::{Codes, Shared, loopback_only, router};

/// How a sandbox is started.
#[derive(Debug, Clone, Default)]
pub struct SandboxOptions {
    /// Where its data is kept; without it a temporary directory that goes away with it.
    pub data: Option<PathBuf>,
    /// The loopback port; 0 takes any.
    pub port: u16,
    /// The work of one password hash.
    pub password_cost: PasswordCost,
}

/// Why a sandbox does not start. The text says what happened and what to do.
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
    _temporary: Option<TempDir>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.described.url).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts a sandbox and its demo data.
    ///
    /// # Errors
    /// [`SandboxError`], in words.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let temporary = match &options.data {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("wallop-").tempdir().map_err(|error| {
                SandboxError(format!("cannot make a temporary directory: {error}; give one by --data"))
            })?),
        };
        let directory = match (&options.data, &temporary) {
            (Some(given), _) => given.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => PathBuf::from("."),
        };
        let address = SocketAddr::from(([127, 0, 0, 1], options.port));
        let listener = TcpListener::bind(address).await.map_err(|error| {
            SandboxError(format!(
                "cannot listen on {address}: {error}. Choose another port by --port, or 0 for any"
            ))
        })?;
        let bound = listener.local_addr().map_err(|error| SandboxError(format!("cannot listen: {error}")))?;
        let url = format!("http://{bound}");

        let (store, clock) = open_store(&directory)?;
        let failed = |failure: Failure| SandboxError(format!("cannot make the demo data: {failure}"));
        seed(&store, &Passwords::new(options.password_cost)).await.map_err(failed)?;
        seed_shop(&store, &url).await.map_err(failed)?;
        let described = describe(&store, &url).await.map_err(failed)?;

        let codes = Arc::new(Codes::default());
        let recorder = Recorder::new(clock.clone(), bound.port());
        let server = Server::new(
            store.clone(),
            Settings {
                callback_addresses: Addresses::PublicAndLoopback,
                password_cost: options.password_cost,
                notifier: codes.clone(),
                observer: Some(Arc::new(recorder.clone())),
                chain: Arc::new(EmbeddedChain(store.clone())),
                confirmations: limits::CONFIRMATIONS,
                pages: PageSettings { nav: NAV, hints: HINTS, https: false },
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
        };
        let pages = Pages {
            merchant: Arc::new(open_shop(&shared, &described, bound.port())?),
            shared: shared.clone(),
            recorder: recorder.clone(),
            transport: transport(),
            outcomes: Arc::default(),
            looking: Arc::new(tokio::sync::Semaphore::new(1)),
        };
        let (stop, stopped) = watch::channel(false);
        let until_stopped = || {
            let mut stopped = stopped.clone();
            async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            }
        };
        let routes = router(shared, pages.clone()).merge(server.router()).layer(from_fn(loopback_only));
        // The platforms call the shop by its safe domain.
        let routes = routes.merge(callbacks(pages)).merge(assets());
        let routes = routes.layer(from_fn_with_state(recorder, record));
        let serving = {
            let stop = until_stopped();
            tokio::spawn(async move {
                if let Err(error) = serve(listener, routes, stop).await {
                    tracing::error!(%error, "the server has stopped");
                }
            })
        };
        let delivering = tokio::spawn(server.clone().work(until_stopped()));
        Ok(Self { described, server, stop, tasks: vec![serving, delivering], clock, _temporary: temporary })
    }

    /// What is there, as it was at the start.
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

    /// Resolves when the store has stopped by itself, with the reason: then the process should stop too.
    pub async fn broken(&self) -> wallet_engine::StoreError {
        loop {
            if let Some(error) = self.server.store().broken() {
                return error;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    /// Takes no more connections, finishes what is in flight, closes the database.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// The database of a data directory.
const DATABASE: &str = "wallop.db";
/// How far ahead its clock is, in milliseconds.
const OFFSET: &str = "clock.offset";

fn open_store(directory: &Path) -> Result<(Store, Arc<SandboxClock>), SandboxError> {
    let crypto = Arc::new(Portable::new());
    let master = master_key(directory, &crypto)?;
    let offset = std::fs::read_to_string(directory.join(OFFSET)).ok();
    let offset = offset.and_then(|text| text.trim().parse().ok());
    let clock = Arc::new(SandboxClock::ahead_by(offset.unwrap_or(0)));
    let store = store::open(&directory.join(DATABASE), Options::new(clock.clone(), crypto, master));
    Ok((store.map_err(|error| SandboxError(error.to_string()))?, clock))
}

/// Makes somebody an operator in a data directory that no server has open. A user who is not there yet is made, with the
/// password that is returned.
///
/// # Errors
/// [`SandboxError`], in words.
pub async fn add_operator(data: &Path, login_name: &str) -> Result<Option<Secret<String>>, SandboxError> {
    if !data.join(DATABASE).exists() {
        return Err(SandboxError(format!(
            "there is no {DATABASE} in {}: give the directory that the server was started with",
            data.display()
        )));
    }
    let (store, _) = open_store(data)?;
    let failed = |failure: Failure| {
        SandboxError(format!(
            "{login_name} cannot be made an operator: {}",
            wallet_server::pages::in_words(Lang::En, &failure)
        ))
    };
    let (user, pwd) = match store.view(FindUser(login_name.to_owned())).await.map_err(failed)? {
        Some(known) => (known.id, None),
        None => {
            let mut random = [0; 12];
            store.vault().crypto().fill(&mut random);
            let pwd = Secret::new(hex_text(&random));
            let hash = Passwords::new(PasswordCost::default()).hash(store.vault().crypto(), pwd.expose());
            let user = CreateUser {
                login_name: login_name.to_owned(),
                name: login_name.to_owned(),
                pwd: Secret::new(hash),
                wallet_pwd: None,
                developer: false,
            };
            (store.submit(user).await.map_err(failed)?, Some(pwd))
        }
    };
    store.submit(EnrolOperator(user)).await.map_err(failed)?;
    Ok(pwd)
}

/// The demo shop with its access to each platform: a FOMO app of its own, whose address is wherever this sandbox runs now.
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

/// The key that everything secret hangs on: made once, in a file that only its owner reads.
fn master_key(directory: &Path, crypto: &Portable) -> Result<Secret<[u8; 32]>, SandboxError> {
    let failed = |what: &str, error: &dyn fmt::Display| {
        SandboxError(format!(
            "cannot {what} in {}: {error}. Does it exist, and may this user write to it?",
            directory.display()
        ))
    };
    std::fs::create_dir_all(directory).map_err(|error| failed("make the directory", &error))?;
    let path = directory.join("master.key");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let bytes = from_hex(text.trim()).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
                SandboxError(format!(
                    "{} is not 64 hexadecimal characters: restore it, or use an empty directory",
                    path.display()
                ))
            })?;
            Ok(Secret::new(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if directory.join(DATABASE).exists() {
                return Err(SandboxError(format!(
                    "{} is missing, and the database beside it cannot be read without it: restore it, or use an empty directory",
                    path.display()
                )));
            }
            let mut key = [0; 32];
            crypto.fill(&mut key);
            // Written beside and renamed: a start that is cut off leaves no half of a key.
            let unfinished = directory.join("master.key.new");
            let mut options = std::fs::File::options();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file =
                options.open(&unfinished).map_err(|error| failed("make the master key", &error))?;
            let written = file.write_all(hex_text(&key).as_bytes()).and_then(|()| file.sync_all());
            let written = written.and_then(|()| std::fs::rename(&unfinished, &path));
            written.map_err(|error| failed("write the master key", &error))?;
            Ok(Secret::new(key))
        }
        Err(error) => Err(failed("read the master key", &error)),
    }
}
