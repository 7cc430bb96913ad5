//! Whose word about a client's address is believed.

use std::{fmt, net::IpAddr, str::FromStr};

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

/// The header of proxies that RFC 7239 made a standard of, and which many still send.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies that stand in front, by address range, and the header that they write the client's address to. By default
/// there are none, and a client is who the TCP connection comes from.
///
/// The client is the right-most address in the header that is no trusted proxy itself: what stands left of it was written by
/// whoever sent the request. A header of a peer that is not trusted changes nothing. An entry that is no address ends the
/// search; the client is then the last proxy that was found.
///
/// Only one header is read, the one that the proxies really write: another one is passed through as the client sent it.
///
/// ```
/// use parlor_core::limits::TrustedProxies;
///
/// let proxies: TrustedProxies = "10.0.0.0/8, 2001:db8::1".parse().unwrap();
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-forwarded-for", "192.0.2.66, 203.0.113.7, 10.0.0.2".parse().unwrap());
/// let client = |peer: &str| proxies.client_addr(peer.parse().unwrap(), &headers).to_string();
/// assert_eq!(client("10.0.0.1"), "203.0.113.7");
/// assert_eq!(client("198.51.100.9"), "198.51.100.9");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    ranges: Vec<IpNet>,
    header: ProxyHeader,
}

/// The header that trusted proxies write addresses to.
///
/// ```
/// use parlor_core::limits::{ProxyHeader, TrustedProxies};
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap().header(ProxyHeader::Forwarded);
/// let mut headers = http::HeaderMap::new();
/// headers.insert("forwarded", "for=203.0.113.7".parse().unwrap());
/// assert_eq!(proxies.client_addr("10.0.0.1".parse().unwrap(), &headers).to_string(), "203.0.113.7");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are the headers there are")]
pub enum ProxyHeader {
    /// `Forwarded` of RFC 7239.
    Forwarded,
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
}

/// A text that is no address range. Its `Debug` is its sentence, for a `main` that returns it.
///
/// ```
/// use parlor_core::limits::TrustedProxies;
///
/// let error = TrustedProxies::new(["proxy.example"]).unwrap_err();
/// assert!(error.to_string().starts_with("`proxy.example` is no address"));
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address and no range of addresses; write 10.0.0.0/8, 192.0.2.1 or 2001:db8::/32")]
#[non_exhaustive]
pub struct ProxyRangeError(pub String);

impl TrustedProxies {
    /// Trusts the proxies in these ranges (`10.0.0.0/8`, or one address).
    ///
    /// # Errors
    /// The first one that is no range.
    pub fn new<R: AsRef<str>>(ranges: impl IntoIterator<Item = R>) -> Result<Self, ProxyRangeError> {
        let ranges = ranges.into_iter().map(|range| {
            let text = range.as_ref().trim();
            let whole = text.parse::<IpAddr>().map(|addr| IpNet::from(addr.to_canonical()));
            whole.or_else(|_| text.parse()).map_err(|_| ProxyRangeError(text.to_owned()))
        });
        Ok(Self { ranges: ranges.collect::<Result<_, _>>()?, header: ProxyHeader::default() })
    }

    /// Reads another header than `X-Forwarded-For`.
    #[must_use]
    pub const fn header(mut self, header: ProxyHeader) -> Self {
        self.header = header;
        self
    }

    /// Whether no proxy is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether what comes from `addr` comes from a trusted proxy, and so from many clients.
    #[must_use]
    pub fn trusts(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        self.ranges.iter().any(|range| range.contains(&addr))
    }

    /// Where a request comes from whose TCP connection comes from `peer`.
    #[must_use]
    pub fn client_addr(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut found = peer.to_canonical();
        let mut hops = self.hops(headers).into_iter().rev();
        while self.trusts(found) {
            match hops.next() {
                Some(Some(hop)) => found = hop,
                Some(None) | None => break,
            }
        }
        found
    }

    /// The addresses of the header in their order, over all of its lines; none where an entry is no address.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let name = match self.header {
            ProxyHeader::Forwarded => header::FORWARDED,
            ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
        };
        if self.is_empty() {
            return Vec::new();
        }
        let hops = headers.get_all(name).into_iter().flat_map(|line| match (line.to_str(), self.header) {
            (Ok(line), ProxyHeader::Forwarded) => forwarded(line),
            (Ok(line), ProxyHeader::XForwardedFor) => line.split(',').map(node).collect(),
            // A line that is not ASCII holds no address: an entry that ends the search.
            (Err(_), _) => vec![None],
        });
        hops.collect()
    }
}

/// Ranges with commas between them; an empty text is none.
impl FromStr for TrustedProxies {
    type Err = ProxyRangeError;

    fn from_str(text: &str) -> Result<Self, ProxyRangeError> {
        Self::new(text.split(',').map(str::trim).filter(|range| !range.is_empty()))
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.ranges.iter().enumerate() {
            write!(f, "{}{range}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The ranges and the header, or `none`.
impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() { f.write_str("none") } else { write!(f, "{self} by {:?}", self.header) }
    }
}

/// The addresses of one line of `Forwarded`. A line whose quotes are not closed has none: in the quotes of a client there
/// might be the very address that a proxy has added.
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    if ends_quoted(line) { vec![None] } else { elements(line, ',').map(forwarded_for).collect() }
}

/// The `for` of one element of `Forwarded` (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut all = elements(element, ';').filter_map(|pair| pair.split_once('='));
    let (_, value) = all.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    // An address needs no quoted pair in its quoted string; with one it is none.
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|addr| addr.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|addr: IpAddr| addr.to_canonical())
}

/// Where in a text quoted strings begin and end (RFC 9110 section 5.6.4).
#[derive(Default)]
struct Quotes {
    is_quoted: bool,
    is_escaped: bool,
}

impl Quotes {
    /// Steps over a character; answers whether it stands in a quoted string.
    fn step(&mut self, character: char) -> bool {
        let was_quoted = self.is_quoted;
        if self.is_escaped {
            self.is_escaped = false;
        } else if character == '"' {
            self.is_quoted = !self.is_quoted;
        } else {
            self.is_escaped = self.is_quoted && character == '\\';
        }
        was_quoted
    }
}

/// The parts of a text between separators that stand outside of quoted strings.
fn elements(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quotes = Quotes::default();
    text.split(move |character: char| !quotes.step(character) && character == separator)
}

/// Whether a text ends within a quoted string.
fn ends_quoted(text: &str) -> bool {
    let mut quotes = Quotes::default();
    text.chars().for_each(|character| {
        quotes.step(character);
    });
    quotes.is_quoted
}

impl fmt::Debug for ProxyRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn headers(name: &str, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), line.parse().unwrap());
        }
        headers
    }

    fn client(proxies: &TrustedProxies, peer: &str, headers: &HeaderMap) -> String {
        proxies.client_addr(peer.parse().unwrap(), headers).to_string()
    }

    #[test]
    fn the_client_is_the_right_most_hop_that_is_no_proxy() {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "2001:db8:ffff::/48"]).unwrap();
        for (peer, lines, expected) in [
            ("10.0.0.1", &["203.0.113.7"][..], "203.0.113.7"),
            ("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("2001:db8:ffff::2", &["2001:db8::7"], "2001:db8::7"),
            ("10.0.0.1", &["192.0.2.66, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["192.0.2.66,203.0.113.7 , 10.0.0.2,10.9.9.9"], "203.0.113.7"),
            ("10.0.0.1", &["192.0.2.66", "203.0.113.7", "10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
            // All are proxies: the farthest one.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // No address ends the search.
            ("10.0.0.1", &["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.7, "], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, peer, &headers("x-forwarded-for", lines)), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_header_of_a_peer_that_is_not_trusted_changes_nothing() {
        let spoofed = headers("x-forwarded-for", &["10.0.0.1, 127.0.0.1"]);
        for proxies in [TrustedProxies::default(), TrustedProxies::new(["10.0.0.0/8"]).unwrap()] {
            assert_eq!(client(&proxies, "198.51.100.9", &spoofed), "198.51.100.9");
        }
        assert_eq!(client(&TrustedProxies::default(), "10.0.0.1", &spoofed), "10.0.0.1");
    }

    #[test]
    fn only_the_header_is_read_that_the_proxies_write() {
        let proxies = TrustedProxies::new(["10.0.0.1"]).unwrap();
        let mut both = headers("x-forwarded-for", &["203.0.113.7"]);
        both.insert(header::FORWARDED, "for=192.0.2.66".parse().unwrap());
        assert_eq!(client(&proxies, "10.0.0.1", &both), "203.0.113.7");
        let proxies = proxies.header(ProxyHeader::Forwarded);
        assert_eq!(client(&proxies, "10.0.0.1", &both), "192.0.2.66");
    }

    #[test]
    fn rfc_7239_forwarded_is_read_with_its_quotes_and_ports() {
        let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap().header(ProxyHeader::Forwarded);
        for (lines, expected) in [
            (&["for=203.0.113.7"][..], "203.0.113.7"),
            (&["For=\"203.0.113.7:4711\";proto=https"], "203.0.113.7"),
            (&["proto=https; by=10.0.0.1; for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
            (&["for=\"[2001:db8::7]\", for=10.0.0.2"], "2001:db8::7"),
            (&["for=192.0.2.66", "for=203.0.113.7"], "203.0.113.7"),
            (&["host=\"a, for=192.0.2.66\";for=203.0.113.7"], "203.0.113.7"),
            (&["for=203.0.113.7;host=\"a\\\", for=192.0.2.66\""], "203.0.113.7"),
            (&["for=192.0.2.66, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
            (&["for=192.0.2.66, proto=https"], "10.0.0.1"),
            (&["for=unknown"], "10.0.0.1"),
            (&["for=\"203.0.113.7"], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, "10.0.0.1", &headers("forwarded", lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn ranges_are_read_from_text_and_shown_again() {
        let proxies: TrustedProxies = " 10.0.0.0/8,192.0.2.1 , 2001:db8::/32,".parse().unwrap();
        assert_eq!(proxies.to_string(), "10.0.0.0/8, 192.0.2.1/32, 2001:db8::/32");
        assert!("".parse::<TrustedProxies>().unwrap().is_empty());
        for wrong in ["nginx", "10.0.0.0/33", "10.0.0", "*", "10.0.0.1:80"] {
            assert_eq!(wrong.parse::<TrustedProxies>(), Err(ProxyRangeError(wrong.to_owned())));
        }
    }

    proptest! {
        /// Whatever a client writes left of what the proxy adds, it stays who it is.
        #[test]
        fn what_a_client_sends_never_moves_it(sent in vec("[ -~]{0,40}", 0..4), forwarded: bool) {
            let header = if forwarded { ProxyHeader::Forwarded } else { ProxyHeader::XForwardedFor };
            let (name, added) = match header {
                ProxyHeader::Forwarded => ("forwarded", "for=203.0.113.7"),
                ProxyHeader::XForwardedFor => ("x-forwarded-for", "203.0.113.7"),
            };
            let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap().header(header);
            let mut lines: Vec<&str> = sent.iter().map(String::as_str).collect();
            lines.push(added);
            prop_assert_eq!(client(&proxies, "10.0.0.1", &headers(name, &lines)), "203.0.113.7");
            // In one line an open quote may swallow what the proxy adds; then it is nobody else, but the proxy.
            let line = lines.join(", ");
            let found = client(&proxies, "10.0.0.1", &headers(name, &[&line]));
            prop_assert!(found == "203.0.113.7" || forwarded && found == "10.0.0.1", "{line}: {found}");
        }

        #[test]
        fn an_open_quote_in_what_a_client_sends_gives_it_no_other_address(sent in "[a-z;,=\"\\\\ ]{0,20}") {
            let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap().header(ProxyHeader::Forwarded);
            for added in ["for=203.0.113.7", "for=\"203.0.113.7:80\"", "proto=https;for=\"203.0.113.7\""] {
                let line = format!("for=192.0.2.66;{sent}, {added}");
                let found = client(&proxies, "10.0.0.1", &headers("forwarded", &[&line]));
                prop_assert!(found == "203.0.113.7" || found == "10.0.0.1", "{line}: {found}");
            }
        }
    }
}
