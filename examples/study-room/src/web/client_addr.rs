//! Where a request came from, for throttling.

use std::{convert::Infallible, net::Ipv4Addr};

use axum::{extract::FromRequestParts, http::request::Parts};
use parlor::{hyper::PeerAddr, limits::Network};

use crate::web::Web;

/// The network of the client: the peer of the TCP connection, or whoever a trusted proxy says is behind it.
pub(crate) struct ClientAddr(pub(crate) Network);

impl FromRequestParts<Web> for ClientAddr {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        // Without an address all share one bucket, which is the safe side.
        let peer = parts.extensions.get::<PeerAddr>().map_or_else(|| Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        Ok(Self(Network::of(web.realtime.config().trusted_proxies.client_addr(peer, &parts.headers))))
    }
}
