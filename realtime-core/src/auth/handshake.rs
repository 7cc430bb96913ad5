//! The HTTP request that asks for a connection, as authenticators see it.

use std::{fmt, net::SocketAddr};

use http::{HeaderMap, Uri, header};

use crate::auth::{AuthError, cookie::unique_cookie};

/// A handshake, before the upgrade.
///
/// ```
/// use http::{HeaderMap, Uri, header};
/// use parlor_core::auth::Handshake;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(header::AUTHORIZATION, "Bearer abc".parse().unwrap());
/// headers.insert(header::COOKIE, "theme=dark".parse().unwrap());
/// let uri = Uri::from_static("/ws?room=7");
/// let handshake = Handshake::new(&headers, &uri, None);
/// assert_eq!(handshake.bearer(), Ok(Some("abc")));
/// assert_eq!(handshake.cookie("theme"), Ok(Some("dark")));
/// assert_eq!(handshake.query("room"), Some("7"));
/// ```
#[derive(Clone, Copy)]
pub struct Handshake<'a> {
    headers: &'a HeaderMap,
    uri: &'a Uri,
    peer: Option<SocketAddr>,
}

impl<'a> Handshake<'a> {
    /// A handshake with its headers and target; `peer` is the other end of the TCP connection, where that is known.
    #[must_use]
    pub fn new(headers: &'a HeaderMap, uri: &'a Uri, peer: Option<SocketAddr>) -> Self {
        Self { headers, uri, peer }
    }

    /// All headers. They hold secrets: never log them.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The path and query that were asked for.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The other end of the TCP connection. Behind a proxy this is the proxy.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The first query parameter of that name, as it stands in the query (not percent-decoded).
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&'a str> {
        let pairs = self.uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The value of a cookie.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] where two cookies share the name: which one the site set cannot be told.
    pub fn cookie(&self, name: &str) -> Result<Option<&'a str>, AuthError> {
        unique_cookie(self.headers, name)
    }

    /// The token of the `Authorization: Bearer` header (RFC 6750 section 2.1); none where it has another scheme.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] where there are several such headers: a proxy may have judged another one of them.
    pub fn bearer(&self) -> Result<Option<&'a str>, AuthError> {
        let mut all = self.headers.get_all(header::AUTHORIZATION).iter();
        let value = match (all.next(), all.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) => value,
            (Some(_), Some(_)) => return Err(AuthError::Invalid),
        };
        let credentials = value.to_str().ok().and_then(|value| value.split_once(' '));
        let bearer = credentials.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        Ok(bearer.map(|(_, token)| token.trim()))
    }
}

/// Headers and query may hold secrets and are not shown.
impl fmt::Debug for Handshake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("path", &self.uri.path()).field("peer", &self.peer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_cookie_and_bearer_are_found() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; token=abc; b=2".parse().unwrap());
        headers.insert(header::AUTHORIZATION, "bearer xyz".parse().unwrap());
        let uri = Uri::from_static("/ws?room=7&x");
        let handshake = Handshake::new(&headers, &uri, None);
        assert_eq!((handshake.query("room"), handshake.query("x"), handshake.query("y")), (Some("7"), Some(""), None));
        assert_eq!(handshake.cookie("token"), Ok(Some("abc")));
        assert_eq!(handshake.bearer(), Ok(Some("xyz")));
        assert!(!format!("{handshake:?}").contains("abc"));
    }

    #[test]
    fn a_cookie_that_is_not_ascii_does_not_hide_the_others() {
        let mut headers = HeaderMap::new();
        let line = http::HeaderValue::from_bytes("theme=gr\u{fc}n; token=abc; x=\u{fc}".as_bytes()).unwrap();
        headers.insert(header::COOKIE, line);
        let uri = Uri::from_static("/ws");
        assert_eq!(Handshake::new(&headers, &uri, None).cookie("token"), Ok(Some("abc")));
    }

    #[test]
    fn two_cookies_of_one_name_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "token=a".parse().unwrap());
        headers.append(header::COOKIE, "token=b".parse().unwrap());
        let uri = Uri::from_static("/ws");
        assert!(Handshake::new(&headers, &uri, None).cookie("token").is_err());
    }

    #[test]
    fn of_two_authorization_headers_none_is_believed() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, "Bearer a".parse().unwrap());
        headers.append(header::AUTHORIZATION, "Bearer b".parse().unwrap());
        let uri = Uri::from_static("/ws");
        assert_eq!(Handshake::new(&headers, &uri, None).bearer(), Err(AuthError::Invalid));
    }
}
