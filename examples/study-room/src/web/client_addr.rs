//! The address that a request came from, for throttling.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use axum::{extract::FromRequestParts, http::request::Parts};
use parlor::hyper::PeerAddr;

/// The peer of the TCP connection, an IPv6 one by its /64 network; behind a proxy that is the proxy.
pub(crate) struct ClientAddr(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddr {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Without an address all share one bucket, which is the safe side.
        let peer = parts.extensions.get::<PeerAddr>().map(|peer| peer.0.ip());
        Ok(Self(network(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))))
    }
}

/// A household has a whole /64 of IPv6 and could come from another address each time.
fn network(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V6(addr) => IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() & !u128::from(u64::MAX))),
        addr => addr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_counts_with_its_network() {
        for (addr, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ] {
            assert_eq!(network(addr.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        }
    }
}
