//! Where a request came from, for throttling.

use std::{convert::Infallible, net::Ipv4Addr};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use parlor::{Realtime, hyper::PeerAddr, limits::Network};

/// The network of the client: the peer of the TCP connection, or whoever a trusted proxy says is behind it.
pub(crate) struct ClientAddr(pub(crate) Network);

impl<S: Sync> FromRequestParts<S> for ClientAddr
where
    Realtime: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        // Without an address all share one bucket, which is the safe side.
        let peer = parts.extensions.get::<PeerAddr>().map_or_else(|| Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        let realtime = Realtime::from_ref(state);
        Ok(Self(Network::of(realtime.config().trusted_proxies.client_addr(peer, &parts.headers))))
    }
}
