//! The opening handshake of RFC 6455 section 4.2, and the way from an upgraded request to a transport.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use parlor_core::{Config, connection::Transport};
use socket2::SockRef;
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;

use crate::Refusal;

/// The registered subprotocols of STOMP, the newest first.
const SUBPROTOCOLS: [&str; 3] = ["v12.stomp", "v11.stomp", "v10.stomp"];

/// What the response to a good handshake needs.
#[derive(Debug)]
pub(crate) struct Accepted {
    accept: String,
    subprotocol: Option<&'static str>,
}

impl Accepted {
    /// Checks a request.
    pub(crate) fn check<B>(request: &Request<B>, stomp: bool) -> Result<Self, Refusal> {
        let headers = request.headers();
        if request.method() != Method::GET {
            return Err(Refusal::Method);
        }
        // Section 4.1. The HTTP layer upgrades no older request: a 101 would lead nowhere.
        if request.version() < Version::HTTP_11 {
            return Err(Refusal::BadHandshake("A WebSocket needs HTTP/1.1."));
        }
        if !has_token(headers, header::UPGRADE, "websocket") {
            return Err(Refusal::UpgradeRequired);
        }
        if !has_token(headers, header::CONNECTION, "upgrade") {
            return Err(Refusal::BadHandshake("The Connection header must name Upgrade."));
        }
        if only(headers, header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
            return Err(Refusal::Version);
        }
        let key = only(headers, header::SEC_WEBSOCKET_KEY).unwrap_or_default();
        if BASE64_STANDARD.decode(key).ok().is_none_or(|nonce| nonce.len() != 16) {
            return Err(Refusal::BadHandshake("There must be one Sec-WebSocket-Key, of 16 octets in base64."));
        }
        let subprotocol = if stomp { subprotocol(headers)? } else { None };
        Ok(Self { accept: derive_accept_key(key), subprotocol })
    }

    /// The response that switches protocols.
    pub(crate) fn into_response(self) -> Result<Response<Full<Bytes>>, http::Error> {
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(subprotocol) = self.subprotocol {
            response = response.header(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        response.body(Full::default())
    }
}

/// The transport of an upgraded connection: the TCP stream itself where hyper has nothing around it.
pub(crate) fn transport(upgraded: Upgraded, config: &Config) -> Transport {
    // A connection of hyper-util's `auto` wraps the stream once more than one of hyper's own.
    let upgraded = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return tcp(parts.io.into_inner(), parts.read_buf, config),
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => tcp(parts.io.into_inner(), parts.read_buf, config),
        Err(upgraded) => Transport::stream(TokioIo::new(upgraded), Bytes::new()),
    }
}

fn tcp(stream: TcpStream, read_ahead: Bytes, config: &Config) -> Transport {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set; small messages may wait for others");
    }
    if config.send_buffer_bytes > 0
        && let Err(error) = SockRef::from(&stream).set_send_buffer_size(config.send_buffer_bytes)
    {
        tracing::debug!(%error, "SO_SNDBUF could not be set; the system may hold back more than it should");
    }
    Transport::tcp(stream, read_ahead)
}

/// The newest subprotocol that the client offers; none where it offers none (RFC 6455 section 4.2.2).
fn subprotocol(headers: &HeaderMap) -> Result<Option<&'static str>, Refusal> {
    let offered: Vec<&str> = tokens(headers, header::SEC_WEBSOCKET_PROTOCOL).collect();
    if offered.is_empty() {
        return Ok(None);
    }
    let newest = SUBPROTOCOLS.into_iter().find(|known| offered.contains(known));
    newest.map(Some).ok_or(Refusal::Subprotocol)
}

/// The value of a header that may stand only once (section 11.3); none where it stands more often.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut all = headers.get_all(name).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    Some(value.as_bytes())
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

/// The comma-separated tokens of all headers of that name.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}
