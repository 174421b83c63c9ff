//! The platform over HTTP: a thin shell around `wallet-platform` and `wallet-store`.
//!
//! [`Server`] holds the shared state; [`Server::router`] has the documents' paths and `/healthz`, `/readyz`,
//! `/metrics`; [`serve`] accepts connections until `stop` resolves, then finishes the open requests;
//! [`Callbacks`] delivers callbacks; [`Watcher`] looks up payments on a [`Chain`]. A [`Protocol`] is a wire
//! protocol: [`PROTOCOLS`] by default, or those in [`Settings::protocols`]. All decisions are in `wallet-platform`.
//!
//! ```no_run
//! # async fn example(settings: wallet_server::Settings, store: wallet_server::Store) -> std::io::Result<()> {
//! let server = wallet_server::Server::new(store, settings);
//! tokio::spawn(server.clone().work(std::future::pending()));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:7070").await?;
//! wallet_server::serve(listener, server.router(), std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

pub mod administration;
pub mod body;
mod callbacks;
mod chain;
mod context;
mod data;
mod edge;
mod fomo;
mod forms;
mod guard;
pub mod keeping;
mod listen;
mod message;
mod metrics;
mod milestones;
mod notify;
mod own_app;
pub mod pages;
mod passwords;
mod protocols;
mod purge;
mod rate;
pub mod reply;
mod request_ids;
mod rotation;
mod routes;
mod second_factor;
mod server;
mod settings;
mod snippets;
pub mod store;
mod tls;
mod undelivered;
mod vas;
mod wire;
mod workers;

pub use callbacks::{Callbacks, Drained, Places};
pub use chain::{Answer, Chain, ChainError, EmbeddedChain, NoChain, NodeChain, node_chain};
pub use context::{Answered, Context, Documents, Protocol, Server};
pub use data::DataDirectory;
pub use edge::{AddressLimit, ClientAddress, EdgeSettings, Networks, PeerAddress, with_edge};
pub use fomo::consent::consent_page;
pub use forms::{Faults, FormMessage};
pub use guard::{Addresses, GuardedConnector, is_public};
pub use listen::{Connections, serve, serve_tls, serve_with};
pub use notify::{Attempted, Notifier, Observer, Silent};
pub use own_app::{
    AppSummary, FormPage, GrantedApp, Later, Mood, OwnApp, Part, RegistrationForm, ShownPayment, Stage,
};
pub use passwords::Hashes;
pub use protocols::{PROTOCOLS, platforms};
pub use purge::Retention;
pub use rate::PRE_PAYS_PER_SECOND;
pub use settings::Settings;
pub use store::Store;
pub use tls::Tls;
pub use vas::watch::Watcher;
pub use wallet_chain::rpc::{Credentials, NodeKind};
pub use wallet_platform::{ClaimedNotice, NoticeKind};
