//! TLS by rustls for the accept loop, with a certificate that can be replaced while it runs.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
    },
};

/// What is spoken inside (RFC 7301), the best first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The TLS side of a [`Server`](crate::Server). Clones share one configuration: keep one to [`reload`](Self::reload) it.
///
/// The provider is aws-lc-rs, which token signatures use already; versions 1.3 and 1.2 are spoken, with rustls's own choice
/// of ciphers.
///
/// ```no_run
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = parlor_hyper::Tls::from_pem_files("/etc/parlor/fullchain.pem", "/etc/parlor/privkey.pem")?;
/// let for_renewals = tls.clone(); // after each renewal: for_renewals.reload()?;
/// # let _ = for_renewals; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    files: Option<(PathBuf, PathBuf)>,
    current: RwLock<Arc<ServerConfig>>,
}

/// Why a certificate or its key cannot be used. Its `Debug` is its sentence, for a `main` that returns it.
///
/// ```
/// use parlor_hyper::{Tls, TlsError};
///
/// let error = Tls::from_pem_files("/no/such/chain.pem", "/no/such/key.pem").unwrap_err();
/// let TlsError::File { path, .. } = &error else { panic!("{error}") };
/// assert_eq!(path, "/no/such/chain.pem");
/// assert!(error.to_string().starts_with("/no/such/chain.pem holds no PEM that can be used: "));
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read as PEM, or holds nothing of the kind.
    #[error("{path} holds no PEM that can be used: {error}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        error: pem::Error,
    },
    /// This TLS was not made from files.
    #[error("there are no files to reload; use replace()")]
    NoFiles,
    /// Certificate and key do not fit each other, or rustls takes one of them for malformed.
    #[error("certificate and key cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
}

impl Tls {
    /// The certificate chain (the server's own first) and its private key (PKCS #8, PKCS #1 or SEC 1), each from a PEM file.
    ///
    /// # Errors
    /// When a file cannot be read, or the two cannot be used together.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (chain, key) = (chain.as_ref().to_owned(), key.as_ref().to_owned());
        let current = RwLock::new(Arc::new(read(&chain, &key)?));
        Ok(Self { shared: Arc::new(Shared { files: Some((chain, key)), current }) })
    }

    /// A configuration of your own: client certificates, several names, another provider. Where it names no ALPN
    /// protocols, `h2` and `http/1.1` are offered.
    #[must_use]
    pub fn from_config(config: ServerConfig) -> Self {
        Self { shared: Arc::new(Shared { files: None, current: RwLock::new(with_alpn(config)) }) }
    }

    /// Reads the files again. New connections get the new certificate; open ones go on. Call it after a renewal.
    ///
    /// # Errors
    /// When there are no files, or they cannot be used: then the certificate before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let (chain, key) = self.shared.files.as_ref().ok_or(TlsError::NoFiles)?;
        let new = Arc::new(read(chain, key)?);
        *self.shared.current.write() = new;
        Ok(())
    }

    /// Puts another configuration in the place of the current one, for new connections.
    pub fn replace(&self, config: ServerConfig) {
        *self.shared.current.write() = with_alpn(config);
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.shared.current.read()).into()
    }
}

fn read(chain_file: &Path, key_file: &Path) -> Result<ServerConfig, TlsError> {
    let wrong = |path: &Path| {
        let path = path.display().to_string();
        move |error| TlsError::File { path, error }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(chain_file)
        .and_then(Iterator::collect)
        .and_then(|chain: Vec<_>| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(wrong(chain_file))?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(wrong(key_file))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
    Ok(config)
}

fn with_alpn(mut config: ServerConfig) -> Arc<ServerConfig> {
    if config.alpn_protocols.is_empty() {
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
    }
    Arc::new(config)
}

/// Keys are not shown.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.shared.files).finish_non_exhaustive()
    }
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
