//! Which web pages may open connections: exact origins, never derived from the request.
//!
//! A browser sends cookies with any page's WebSocket, so the cookie proves who the user is and the Origin which page acts
//! for them (rule 23). Native clients send neither. Three kinds of requests are judged: upgrades, unsafe methods, and GETs.

use std::{collections::HashSet, fmt, net::SocketAddr};

use http::{HeaderMap, HeaderValue, Method, Uri, header};

/// The allow-list of origins. The default allows none.
///
/// ```
/// use parlor_core::auth::OriginPolicy;
///
/// let policy = OriginPolicy::new(["https://app.example"])?;
/// # let _ = policy; Ok::<(), parlor_core::auth::OriginError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct OriginPolicy {
    allowed: HashSet<String>,
    any: bool,
}

/// Why a text is not an origin. Its `Debug` is its sentence, for a `main` that returns it.
///
/// ```
/// use parlor_core::auth::OriginPolicy;
///
/// let error = OriginPolicy::new(["app.example"]).unwrap_err();
/// assert!(error.to_string().starts_with("`app.example` is not an origin; write scheme, host and port"));
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an origin; write scheme, host and port where it is not the scheme's own, as in https://app.example:8443, and each one by itself, as there are no wildcards"
)]
#[non_exhaustive]
pub struct OriginError(pub String);

/// Why a request is refused for its origin.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::COOKIE};
/// use parlor_core::auth::{OriginPolicy, OriginRefusal};
///
/// let policy = OriginPolicy::new(["https://app.example"])?;
/// let mut headers = HeaderMap::new();
/// headers.insert(COOKIE, HeaderValue::from_static("token=t"));
/// assert_eq!(policy.judge_upgrade(&headers), Err(OriginRefusal::Missing));
/// # Ok::<(), parlor_core::auth::OriginError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginRefusal {
    /// A cookie came without an Origin.
    #[error("A request with a cookie needs an Origin header.")]
    Missing,
    /// The Origin is not on the list, malformed, or there are several.
    #[error("Pages of this origin may not connect here.")]
    NotAllowed,
}

impl OriginPolicy {
    /// Allows these origins: scheme, host and port, as a browser spells them (`https://app.example`).
    ///
    /// # Errors
    /// When one is not an origin: `http` or `https`, a host, and at most a port.
    pub fn new<O: AsRef<str>>(origins: impl IntoIterator<Item = O>) -> Result<Self, OriginError> {
        let normalised = |origin: O| {
            let text = origin.as_ref();
            normalise(text.strip_suffix('/').unwrap_or(text)).ok_or_else(|| OriginError(text.to_owned()))
        };
        Ok(Self { allowed: origins.into_iter().map(normalised).collect::<Result<_, _>>()?, any: false })
    }

    /// Also allows a server's own address in its loopback forms: `http://127.0.0.1`, `http://localhost` and
    /// `http://[::1]` with its port. For development servers.
    #[must_use]
    pub fn allow_own_loopback(mut self, address: SocketAddr) -> Self {
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            self.allowed.extend(normalise(&format!("http://{host}:{}", address.port())));
        }
        self
    }

    /// Allows every page of the web to act for a user with a cookie. Only for endpoints without cookies: one with an
    /// authenticator that takes them is not built.
    #[must_use]
    pub fn dangerously_allow_any_origin(mut self) -> Self {
        self.any = true;
        self
    }

    /// Whether no page may connect.
    pub(crate) fn allows_none(&self) -> bool {
        !self.any && self.allowed.is_empty()
    }

    /// Judges an HTTP request by its method: as an upgrade, an unsafe method, or a GET.
    ///
    /// # Errors
    /// Why the request is refused.
    pub fn judge_request(&self, method: &Method, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        if headers.contains_key(header::UPGRADE) {
            self.judge_upgrade(headers)
        } else if method.is_safe() {
            self.judge_get(headers)
        } else {
            self.judge_unsafe(headers)
        }
    }

    /// Judges a WebSocket upgrade. A browser sends an Origin with each, so a cookie needs one that is on the list; a native
    /// client, without a cookie, needs none. An Origin that is present must always be on the list.
    ///
    /// # Errors
    /// Why the request is refused.
    pub fn judge_upgrade(&self, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        if self.any || self.has_listed_origin(headers)? {
            return Ok(());
        }
        if headers.contains_key(header::COOKIE) {
            return Err(OriginRefusal::Missing);
        }
        from_own_page(headers)
    }

    /// Judges a request that can change something (POST, PUT, PATCH, DELETE, CONNECT and whatever is not safe), by the rules
    /// of an upgrade: browsers send an Origin with these too.
    ///
    /// # Errors
    /// Why the request is refused.
    pub fn judge_unsafe(&self, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        self.judge_upgrade(headers)
    }

    /// Judges a GET, HEAD or OPTIONS, an event stream say. Pages of the same origin send no Origin with those: one that is
    /// present must be on the list; where it is absent, `Sec-Fetch-Site` must be `same-origin`, `none` (the user typed the
    /// address or opened a bookmark: no page was involved) or absent. Such a request must change nothing but presence.
    ///
    /// # Errors
    /// Why the request is refused.
    pub fn judge_get(&self, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        if self.any || self.has_listed_origin(headers)? {
            return Ok(());
        }
        from_own_page(headers)
    }

    /// The Origin of a request, where there is exactly one and it is on the list: whose page may read the answer, with
    /// credentials. None where any origin is allowed and this one is not on the list.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue, header::ORIGIN};
    /// use parlor_core::auth::OriginPolicy;
    ///
    /// let policy = OriginPolicy::new(["https://app.example"])?;
    /// let from = |origin| HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
    /// assert!(policy.listed_origin(&from("https://app.example")).is_some());
    /// assert!(policy.listed_origin(&from("https://app.example.evil.example")).is_none());
    /// # Ok::<(), parlor_core::auth::OriginError>(())
    /// ```
    #[must_use]
    pub fn listed_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        if self.has_listed_origin(headers) == Ok(true) { headers.get(header::ORIGIN) } else { None }
    }

    /// Whether every page of the web may connect.
    #[must_use]
    pub fn allows_any(&self) -> bool {
        self.any
    }

    /// Whether there is an Origin; it is on the list then.
    fn has_listed_origin(&self, headers: &HeaderMap) -> Result<bool, OriginRefusal> {
        let mut all = headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (all.next(), all.next()) else {
            return if headers.contains_key(header::ORIGIN) { Err(OriginRefusal::NotAllowed) } else { Ok(false) };
        };
        let known = origin.to_str().ok().and_then(normalise).is_some_and(|origin| self.allowed.contains(&origin));
        if known { Ok(true) } else { Err(OriginRefusal::NotAllowed) }
    }
}

/// Judges a request without an Origin by what browsers say of the page that made it, where they do: `same-origin`, or `none`
/// where there was no page. Native clients and old browsers say nothing.
fn from_own_page(headers: &HeaderMap) -> Result<(), OriginRefusal> {
    let mut all = headers.get_all("sec-fetch-site").iter();
    match (all.next().map(HeaderValue::as_bytes), all.next()) {
        (None | Some(b"same-origin" | b"none"), None) => Ok(()),
        _ => Err(OriginRefusal::NotAllowed),
    }
}

/// `scheme://host:port` with the port always spelled; nothing else may stand in an origin (RFC 6454 section 6.2). Upper
/// case, user info, a path, a trailing dot and anything that a browser would not write are refused.
fn normalise(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = authority.host();
    // Whatever the parser made of it, it must be spelled as it was read.
    let spelled = [format!("{scheme}://{host}"), format!("{scheme}://{authority}")];
    let is_of_host = |octet: u8| {
        octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'.' | b'_' | b'[' | b']' | b':')
    };
    let plain = !host.is_empty() && !host.ends_with('.') && host.bytes().all(is_of_host);
    let port = match authority.port() {
        Some(port) if authority.as_str() == format!("{host}:{port}") => port.as_u16(),
        None if authority.as_str() == host => default_port,
        _ => return None,
    };
    (plain && spelled.iter().any(|spelled| spelled == text)).then(|| format!("{scheme}://{host}:{port}"))
}

impl fmt::Debug for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> OriginPolicy {
        OriginPolicy::new(["https://app.example", "http://127.0.0.1:8080"]).unwrap()
    }

    fn headers(origins: &[&str], cookie: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_bytes(origin.as_bytes()).unwrap());
        }
        if cookie {
            headers.insert(header::COOKIE, HeaderValue::from_static("token=x"));
        }
        headers
    }

    #[test]
    fn rule_23_an_origin_must_be_on_the_list_exactly() {
        for origin in ["https://app.example", "https://app.example:443", "http://127.0.0.1:8080"] {
            for cookie in [true, false] {
                assert_eq!(policy().judge_upgrade(&headers(&[origin], cookie)), Ok(()), "{origin}");
                assert_eq!(policy().judge_get(&headers(&[origin], cookie)), Ok(()), "{origin}");
            }
        }
        for origin in [
            "",
            "null",
            "*",
            "app.example",
            "//app.example",
            "http://app.example",
            "http://app.example:443",
            "https://app.example:80",
            "https://app.example:8443",
            "https://app.example.",
            "https://APP.example",
            "HTTPS://app.example",
            "https://app.example/",
            "https://app.example/x",
            "https://app.example?x",
            "https://app.example#x",
            "https://user@app.example",
            "https://user:pass@app.example",
            "https://app.example@evil.example",
            "https://app.example.evil.example",
            "https://evilapp.example",
            "https://evil-app.example",
            "https://sub.app.example",
            "https://example",
            "https://app.example:",
            "https://app.example:443:443",
            "https://app.example:99999",
            "https://app.example\t",
            " https://app.example",
            "https://app.example https://evil.example",
            "https://app.example,https://evil.example",
            "https://äpp.example",
            "https://xn--pp-xka.example",
            "http://127.0.0.1",
            "http://127.0.0.1:8081",
            "http://127.0.0.1:08080",
            "http://localhost:8080",
            "http://[::1]:8080",
            "http://2130706433:8080",
            "https://127.0.0.1:8080",
            "ws://127.0.0.1:8080",
            "wss://app.example",
            "file://",
            "chrome-extension://app.example",
        ] {
            for cookie in [true, false] {
                let refused = Err(OriginRefusal::NotAllowed);
                assert_eq!(policy().judge_upgrade(&headers(&[origin], cookie)), refused, "{origin:?}");
                assert_eq!(policy().judge_get(&headers(&[origin], cookie)), refused, "{origin:?}");
            }
        }
    }

    #[test]
    fn rule_23_a_cookie_without_an_origin_is_refused_and_a_native_client_passes() {
        assert_eq!(policy().judge_upgrade(&headers(&[], true)), Err(OriginRefusal::Missing));
        assert_eq!(policy().judge_upgrade(&headers(&[], false)), Ok(()));
    }

    #[test]
    fn rule_23_two_origins_are_refused() {
        let two = headers(&["https://app.example", "https://app.example"], false);
        assert_eq!(policy().judge_upgrade(&two), Err(OriginRefusal::NotAllowed));
    }

    #[test]
    fn rule_23_a_get_without_an_origin_is_judged_by_its_fetch_site() {
        for (site, verdict) in [
            (None, Ok(())),
            (Some("same-origin"), Ok(())),
            (Some("none"), Ok(())),
            (Some("same-site"), Err(OriginRefusal::NotAllowed)),
            (Some("cross-site"), Err(OriginRefusal::NotAllowed)),
        ] {
            let mut headers = headers(&[], true);
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            assert_eq!(policy().judge_get(&headers), verdict, "{site:?}");
        }
    }

    #[test]
    fn a_servers_own_address_is_allowed_in_its_loopback_forms() {
        let policy = OriginPolicy::default().allow_own_loopback("0.0.0.0:15674".parse().unwrap());
        for origin in ["http://127.0.0.1:15674", "http://localhost:15674", "http://[::1]:15674"] {
            assert_eq!(policy.judge_upgrade(&headers(&[origin], true)), Ok(()), "{origin}");
        }
        assert!(policy.judge_upgrade(&headers(&["http://localhost:1"], true)).is_err());
    }

    #[test]
    fn a_list_of_what_is_no_origin_is_refused() {
        for origin in [
            "",
            "app.example",
            "https://app.example/path",
            "ftp://app.example",
            // No browser spells them so: they would never match.
            "https://APP.example",
            "https://app.example.",
            "https://äpp.example",
            "https://*.app.example",
        ] {
            assert!(OriginPolicy::new([origin]).is_err(), "{origin}");
        }
    }
}
