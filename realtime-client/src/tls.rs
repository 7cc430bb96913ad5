//! TLS by rustls, with the provider (aws-lc-rs) named here: a process-wide choice would fail where two are compiled in.

use std::{io, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};

use crate::Socket;

/// Speaks TLS over `stream`, by the caller's configuration or with the authorities that features bring.
pub(crate) async fn secure(
    config: Option<Arc<ClientConfig>>,
    host: &str,
    stream: TcpStream,
) -> io::Result<Box<dyn Socket>> {
    let config = config.map_or_else(with_known_authorities, Ok)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
}

fn with_known_authorities() -> io::Result<Arc<ClientConfig>> {
    let roots = authorities();
    if roots.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "no certificate authority is known: switch on tls-webpki-roots or tls-native-roots, or give a configuration",
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg_attr(
    not(any(feature = "tls-webpki-roots", feature = "tls-native-roots")),
    expect(unused_mut, reason = "the authorities of the features are added here")
)]
fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    #[cfg(feature = "tls-webpki-roots")]
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    #[cfg(feature = "tls-native-roots")]
    {
        // Single files that cannot be read are common; none at all is told by the caller.
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
    }
    roots
}
