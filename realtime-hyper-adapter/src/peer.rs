//! The other end of a request's TCP connection.

use std::net::SocketAddr;

/// A request extension that accept loops set, for authenticators and logs. Behind a proxy it is the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address is all there is to it")]
pub struct PeerAddr(pub SocketAddr);
