//! TLS of a listener, from PEM files that may be renewed while it runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wallet_store::OpenError;

/// The time that a client has for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The time between two looks at the files.
const LOOK: Duration = Duration::from_secs(10);

/// The certificate chain and the key of a listener. Clones share them.
#[derive(Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, OpenError> {
    let failed = |path: &Path, why: &dyn fmt::Display| {
        OpenError::new(format!("cannot use {} for TLS: {why}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| failed(certificate, &error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| failed(certificate, &error))?;
    if chain.is_empty() {
        return Err(failed(certificate, &"it has no certificate in PEM"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(certificate, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| failed(key, &error))?;
    let mut config = config;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

impl Tls {
    /// Reads a certificate chain and its key, both in PEM.
    ///
    /// # Errors
    /// [`OpenError`]: a file cannot be read, or the key is not the certificate's.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, OpenError> {
        let config = Arc::new(RwLock::new(read(certificate, key)?));
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), config })
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key]
            .map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
    }

    /// Reads the files again whenever they change, forever. Files that do not fit together, half-way through a renewal, leave
    /// the listener as it is.
    pub async fn watch(self) {
        let mut known = self.changed_at();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.changed_at();
            if now == known {
                continue;
            }
            match read(&self.certificate, &self.key) {
                Ok(config) => {
                    *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
                    known = now;
                    tracing::info!(certificate = %self.certificate.display(), "the TLS certificate was renewed");
                }
                Err(error) => tracing::warn!(%error, "the TLS certificate is not renewed"),
            }
        }
    }

    /// A client's handshake.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> std::io::Result<TlsStream<S>> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner).clone();
        let handshake = TlsAcceptor::from(config).accept(stream);
        tokio::time::timeout(HANDSHAKE, handshake).await.map_err(std::io::Error::other)?
    }
}
