//! Where a request comes from.

use std::net::SocketAddr;

use http::{Extensions, HeaderMap};
use parlor_core::Realtime;

/// A request extension that accept loops set, for authenticators, limits and logs. Behind a proxy it is the proxy; who
/// stands behind that is told by [`TrustedProxies`](parlor_core::limits::TrustedProxies).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address is all there is to it")]
pub struct PeerAddr(pub SocketAddr);

/// The client's address by the endpoint's trusted proxies; none where no accept loop has left a [`PeerAddr`]. The port is
/// known, and not 0, only where no proxy stands between.
pub(crate) fn client_addr(realtime: &Realtime, extensions: &Extensions, headers: &HeaderMap) -> Option<SocketAddr> {
    let &PeerAddr(peer) = extensions.get()?;
    let client = realtime.config().trusted_proxies.client_addr(peer.ip(), headers);
    Some(if client == peer.ip().to_canonical() { peer } else { SocketAddr::new(client, 0) })
}
