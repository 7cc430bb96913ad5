//! The opening handshake: that of RFC 6455 section 4.2 over HTTP/1.1, and that of RFC 8441 over HTTP/2.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::ext::Protocol;
use tungstenite::handshake::derive_accept_key;

use crate::Refusal;

/// The registered subprotocols of STOMP, the newest first.
const SUBPROTOCOLS: [&str; 3] = ["v12.stomp", "v11.stomp", "v10.stomp"];

/// What the response to a good handshake needs.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The answer to the key; none over HTTP/2, which has no key.
    accept: Option<String>,
    subprotocol: Option<&'static str>,
}

impl Accepted {
    /// Checks a request.
    pub(crate) fn check<B>(request: &Request<B>, stomp: bool) -> Result<Self, Refusal> {
        let headers = request.headers();
        let accept = if request.version() == Version::HTTP_2 { check_http2(request)? } else { check_http1(request)? };
        let subprotocol = if stomp { subprotocol(headers)? } else { None };
        Ok(Self { accept, subprotocol })
    }

    /// The response that switches protocols (RFC 6455 section 4.2.2), or turns the stream into a WebSocket (RFC 8441 section
    /// 5).
    pub(crate) fn into_response(self) -> Result<Response<Full<Bytes>>, http::Error> {
        let mut response = match self.accept {
            Some(accept) => Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(header::CONNECTION, "Upgrade")
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_ACCEPT, accept),
            None => Response::builder().status(StatusCode::OK),
        };
        if let Some(subprotocol) = self.subprotocol {
            response = response.header(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        response.body(Full::default())
    }
}

/// The response to a refused handshake.
pub(crate) fn refuse(refusal: Refusal, version: Version) -> Response<Full<Bytes>> {
    let mut response = refusal.into_response();
    if version == Version::HTTP_2 {
        // They mean nothing there (RFC 9113 section 8.2.2).
        response.headers_mut().remove(header::CONNECTION);
        response.headers_mut().remove(header::UPGRADE);
    }
    response
}

fn check_http1<B>(request: &Request<B>) -> Result<Option<String>, Refusal> {
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
    check_version(headers)?;
    let key = only(headers, header::SEC_WEBSOCKET_KEY).unwrap_or_default();
    if BASE64_STANDARD.decode(key).ok().is_none_or(|nonce| nonce.len() != 16) {
        return Err(Refusal::BadHandshake("There must be one Sec-WebSocket-Key, of 16 octets in base64."));
    }
    Ok(Some(derive_accept_key(key)))
}

/// RFC 8441 section 5: a CONNECT with `:protocol`. Upgrade, Connection and the key are not used; the version is.
fn check_http2<B>(request: &Request<B>) -> Result<Option<String>, Refusal> {
    let protocol = request.extensions().get::<Protocol>();
    match (request.method(), protocol) {
        (&Method::CONNECT, Some(protocol)) if protocol.as_str() == "websocket" => check_version(request.headers())?,
        // A GET could only be meant as a page or a handshake of HTTP/1.1.
        (&Method::GET | &Method::CONNECT, _) => return Err(Refusal::UpgradeRequired),
        _ => return Err(Refusal::Method),
    }
    Ok(None)
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    if only(headers, header::SEC_WEBSOCKET_VERSION) == Some(b"13") { Ok(()) } else { Err(Refusal::Version) }
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
