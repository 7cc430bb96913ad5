//! Where a request comes from.

use std::net::SocketAddr;

use http::{Extensions, HeaderMap};
use parlor_core::Realtime;

/// A request extension that accept loops set, for authenticators, limits and logs. Behind a proxy it is the proxy; who
/// stands behind that is told by [`TrustedProxies`](parlor_core::limits::TrustedProxies).
///
/// ```
/// use parlor_core::{Config, Realtime, app::Router, auth::Anonymous, limits::ConnectionLimits};
/// use parlor_hyper::{PeerAddr, WebSocketService};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::default().connections(ConnectionLimits::default().max_per_address(0));
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).config(config).build()?;
/// // An accept loop of your own says where a request comes from, or limits by address cannot hold.
/// let handshake = http::Request::get("/ws").header("upgrade", "websocket").header("connection", "upgrade");
/// let handshake = handshake.header("sec-websocket-version", "13").header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
/// let mut request = handshake.body(())?;
/// request.extensions_mut().insert(PeerAddr("192.0.2.7:50000".parse()?));
/// let refused = WebSocketService::new(&realtime).oneshot(request).await?;
/// assert_eq!(refused.status(), 429);
/// # Ok(()) }
/// ```
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
