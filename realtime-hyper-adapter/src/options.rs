//! Every limit of the accept loop, with its default.

use std::time::Duration;

use parlor_core::limits;

/// Connections that are open at a time where the system does not say how many files a process may open.
const FALLBACK_CONNECTIONS: usize = 819;

/// The limits of a [`Server`](crate::Server). Every field has a safe default; set what differs.
///
/// ```
/// use std::time::Duration;
/// use parlor_hyper::ServeOptions;
///
/// let options = ServeOptions::default().ready_pause(Duration::from_secs(5)).max_connections(20_000);
/// assert_eq!(options.head_timeout, Duration::from_secs(10));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// From the accept (or the end of the TLS handshake) to the first whole request head, and from the first octet of any
    /// later head to its end, in HTTP/1.1 and HTTP/2; default 10 s. Then the connection is closed.
    pub head_timeout: Duration,
    /// Octets of a request head, default 16 KiB and at least 8 KiB. More is refused with 431. HTTP/2 counts each header 32
    /// octets longer (RFC 9113 section 10.5.1).
    pub max_head_bytes: usize,
    /// Headers of a request, default 64. More are refused with 431.
    pub max_headers: usize,
    /// From the accept to the end of the TLS handshake, default 10 s. Then the connection is closed.
    pub tls_handshake_timeout: Duration,
    /// How long a connection without a request in progress stays open, default 60 s. HTTP/2 pings do not prolong it; a
    /// WebSocket over HTTP/2 is a request in progress.
    pub idle_timeout: Duration,
    /// How long the client may take nothing of what is written to it, default 30 s; then the connection is closed.
    /// WebSockets over HTTP/1.1 have the bounds of their outbox instead.
    pub write_timeout: Duration,
    /// From when a service first has to wait for a request's body to the body's end, default 30 s. Then the body fails
    /// with [`BodyTimeout`](crate::BodyTimeout).
    pub body_timeout: Duration,
    /// Octets of a request's body, default 2 MiB. A longer `Content-Length` is refused with 413 before the service sees the
    /// request; a body without one fails when it gets longer.
    pub max_body_bytes: usize,
    /// Open connections of all kinds, WebSockets included. Default: 80 % of the soft limit of open files (`RLIMIT_NOFILE`),
    /// or 819 where there is none. One more is answered with 503 and `Retry-After`, or closed at once where TLS would have
    /// to be spoken first.
    pub max_connections: usize,
    /// Of these, connections that are not WebSockets over HTTP/1.1 (yet), default half of the default of
    /// [`max_connections`](Self::max_connections), so that HTTP does not use up the room for WebSockets. One more is
    /// answered in the same way.
    pub max_http_connections: usize,
    /// Of these, connections from one network address (an IPv4 address, or a /64 of IPv6), default 100: keep-alive
    /// connections, HTTP/2, and WebSockets until their handshake is done. One more is answered with 429 and `Retry-After`, or
    /// closed at once where TLS would have to be spoken first. Protects everyone else's room from one client that opens
    /// connections and asks for nothing. Not counted: proxies of [`Config::trusted_proxies`](parlor_core::Config), Unix
    /// sockets, and in the development profile anyone.
    pub max_http_connections_per_address: usize,
    /// Requests at a time on one HTTP/2 connection, WebSockets included; default 100.
    pub max_streams: u32,
    /// From the moment when readiness ends to the end of accepting, default 0. Set it a little longer than your load
    /// balancer takes to notice, so that no client is refused in between.
    pub ready_pause: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        let max_connections = limits::max_connections().unwrap_or(FALLBACK_CONNECTIONS);
        Self {
            head_timeout: Duration::from_secs(10),
            max_head_bytes: 16 * 1024,
            max_headers: 64,
            tls_handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            max_body_bytes: 2 * 1024 * 1024,
            max_connections,
            max_http_connections: max_connections / 2,
            max_http_connections_per_address: 100,
            max_streams: 100,
            ready_pause: Duration::ZERO,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {
        impl ServeOptions {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self#structfield.", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, $name: $type) -> Self {
                    self.$name = $name;
                    self
                }
            )*
        }
    };
}

setters! {
    head_timeout: Duration,
    max_head_bytes: usize,
    max_headers: usize,
    tls_handshake_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    body_timeout: Duration,
    max_body_bytes: usize,
    max_connections: usize,
    max_http_connections: usize,
    max_http_connections_per_address: usize,
    max_streams: u32,
    ready_pause: Duration,
}
