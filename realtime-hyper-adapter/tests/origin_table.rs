//! The Origin table on real sockets (rule 23): each row as a WebSocket upgrade, as a GET, as an event stream asks for it, and
//! as a POST.
//!
//! Run it with `cargo test -p parlor-hyper --test origin_table -- --nocapture` to see the rows.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

use parlor_core::auth::{Anonymous, OriginPolicy};
use parlor_hyper::{OriginLayer, RequestBody, WebSocketService};
use support::{Answer, Server, endpoint, handshake_text};
use tower::{Layer, ServiceExt, service_fn};

/// The page that lists the rows.
const DOCUMENT: &str = include_str!("../../docs/security.md");

/// The origins that may.
const ALLOWED: [&str; 5] = [
    "https://app.example",
    "https://app.example:8443",
    "http://127.0.0.1:8080",
    "http://[::1]:8080",
    "https://xn--pp-xka.example",
];

/// What a browser or a client sends beside the Origin.
#[derive(Clone, Copy, Debug, Default)]
struct Sent<'a> {
    cookie: bool,
    bearer: bool,
    fetch_site: &'a [&'a str],
    host: Option<&'a str>,
}

const PAGE: Sent<'static> = Sent { cookie: true, bearer: false, fetch_site: &[], host: None };
const NATIVE: Sent<'static> = Sent { cookie: false, bearer: true, fetch_site: &[], host: None };
const NOTHING: Sent<'static> = Sent { cookie: false, bearer: false, fetch_site: &[], host: None };

const fn from(fetch_site: &'static [&'static str], sent: Sent<'static>) -> Sent<'static> {
    Sent { fetch_site, ..sent }
}

const fn to(host: &'static str) -> Sent<'static> {
    Sent { host: Some(host), ..PAGE }
}

type Row = (&'static str, &'static [&'static str], Sent<'static>, &'static str);

/// Name, Origin headers, the rest, and who may: `U` an upgrade, `G` a GET, `P` a POST.
const ROWS: &[Row] = &[
    // On the list.
    ("on the list", &["https://app.example"], PAGE, "UGP"),
    ("on the list, without a cookie", &["https://app.example"], NOTHING, "UGP"),
    ("on the list, with a bearer token", &["https://app.example"], NATIVE, "UGP"),
    ("the default port spelled", &["https://app.example:443"], PAGE, "UGP"),
    ("another port that is on the list", &["https://app.example:8443"], PAGE, "UGP"),
    ("a loopback address", &["http://127.0.0.1:8080"], PAGE, "UGP"),
    ("an IPv6 address", &["http://[::1]:8080"], PAGE, "UGP"),
    ("an IDN as browsers spell it", &["https://xn--pp-xka.example"], PAGE, "UGP"),
    ("on the list, cross-site", &["https://app.example"], from(&["cross-site"], PAGE), "UGP"),
    ("on the list, same-origin", &["https://app.example"], from(&["same-origin"], PAGE), "UGP"),
    // Another origin, by one part of it.
    ("another scheme", &["http://app.example"], PAGE, ""),
    ("another scheme, the port of ours", &["http://app.example:443"], PAGE, ""),
    ("the scheme of a WebSocket", &["wss://app.example"], PAGE, ""),
    ("no scheme", &["app.example"], PAGE, ""),
    ("a scheme alone", &["https://"], PAGE, ""),
    ("a scheme without slashes", &["https:app.example"], PAGE, ""),
    ("another port", &["https://app.example:444"], PAGE, ""),
    ("the default port of http", &["https://app.example:80"], PAGE, ""),
    ("a port of which ours is the beginning", &["https://app.example:84430"], PAGE, ""),
    ("a port with a zero before it", &["http://127.0.0.1:08080"], PAGE, ""),
    ("a colon without a port", &["https://app.example:"], PAGE, ""),
    ("a port that is no number", &["https://app.example:443x"], PAGE, ""),
    ("a port over 65535", &["https://app.example:65979"], PAGE, ""),
    ("two ports", &["https://app.example:443:443"], PAGE, ""),
    ("another host", &["https://evil.example"], PAGE, ""),
    ("another loopback name", &["http://localhost:8080"], PAGE, ""),
    ("the loopback address as a number", &["http://2130706433:8080"], PAGE, ""),
    ("the loopback address in short", &["http://127.1:8080"], PAGE, ""),
    ("the IPv6 address at length", &["http://[0:0:0:0:0:0:0:1]:8080"], PAGE, ""),
    ("the IPv4 address as IPv6", &["http://[::ffff:127.0.0.1]:8080"], PAGE, ""),
    // Hosts that look like ours.
    ("our host as a prefix", &["https://app.example.evil.example"], PAGE, ""),
    ("our host as a suffix", &["https://evilapp.example"], PAGE, ""),
    ("our host behind a hyphen", &["https://evil-app.example"], PAGE, ""),
    ("a sub-domain", &["https://sub.app.example"], PAGE, ""),
    ("the domain above", &["https://example"], PAGE, ""),
    ("a trailing dot", &["https://app.example."], PAGE, ""),
    ("upper case in the host", &["https://APP.example"], PAGE, ""),
    ("upper case in the scheme", &["HTTPS://app.example"], PAGE, ""),
    ("an IDN in its own letters", &["https://äpp.example"], PAGE, ""),
    ("a letter of another script", &["https://\u{430}pp.example"], PAGE, ""),
    ("percent-encoded", &["https://app%2Eexample"], PAGE, ""),
    ("an underscore for the dot", &["https://app_example"], PAGE, ""),
    // What is no origin.
    ("null", &["null"], PAGE, ""),
    ("null without a cookie", &["null"], NOTHING, ""),
    ("a star", &["*"], PAGE, ""),
    ("a slash", &["https://app.example/"], PAGE, ""),
    ("a path", &["https://app.example/ws"], PAGE, ""),
    ("a query", &["https://app.example?x"], PAGE, ""),
    ("a fragment", &["https://app.example#x"], PAGE, ""),
    ("a backslash", &["https://app.example\\@evil.example"], PAGE, ""),
    ("a user", &["https://user@app.example"], PAGE, ""),
    ("a user and password", &["https://user:pass@app.example"], PAGE, ""),
    ("our host as the user", &["https://app.example@evil.example"], PAGE, ""),
    ("our host as the user, with a port", &["https://app.example:443@evil.example"], PAGE, ""),
    ("two in one header, by a space", &["https://app.example https://evil.example"], PAGE, ""),
    ("two in one header, by a comma", &["https://app.example, https://app.example"], PAGE, ""),
    ("a tab inside", &["https://app.\texample"], PAGE, ""),
    ("a file", &["file://"], PAGE, ""),
    ("an extension", &["chrome-extension://app.example"], PAGE, ""),
    ("a data URL", &["data:text/html,x"], PAGE, ""),
    // How many there are.
    ("two headers, both ours", &["https://app.example", "https://app.example"], PAGE, ""),
    ("two headers, the first ours", &["https://app.example", "https://evil.example"], PAGE, ""),
    ("two headers, the second ours", &["null", "https://app.example"], NATIVE, ""),
    ("an empty header", &[" "], PAGE, ""),
    ("an empty header without a cookie", &[" "], NATIVE, ""),
    // The list is the configuration's, never the request's.
    ("the Host as the origin", &["https://evil.example"], to("evil.example"), ""),
    ("a foreign origin at our Host", &["https://evil.example"], to("app.example"), ""),
    ("our origin at another Host", &["https://app.example"], to("evil.example"), "UGP"),
    // No Origin at all.
    ("none, with a cookie", &[], PAGE, "G"),
    ("none, with a bearer token", &[], NATIVE, "UGP"),
    ("none, with nothing", &[], NOTHING, "UGP"),
    ("none, with a cookie and a bearer token", &[], Sent { bearer: true, ..PAGE }, "G"),
    ("none, same-origin", &[], from(&["same-origin"], PAGE), "G"),
    ("none, the user typed the address", &[], from(&["none"], PAGE), "G"),
    ("none, same-site", &[], from(&["same-site"], PAGE), ""),
    ("none, cross-site", &[], from(&["cross-site"], PAGE), ""),
    ("none, in upper case", &[], from(&["SAME-ORIGIN"], PAGE), ""),
    ("none, a site of the future", &[], from(&["same-planet"], PAGE), ""),
    ("none, an empty site", &[], from(&[" "], PAGE), ""),
    ("none, two sites", &[], from(&["same-origin", "cross-site"], PAGE), ""),
    ("none and no cookie, same-origin", &[], from(&["same-origin"], NOTHING), "UGP"),
    ("none and no cookie, same-site", &[], from(&["same-site"], NOTHING), ""),
    ("none and no cookie, cross-site", &[], from(&["cross-site"], NOTHING), ""),
    ("a bearer token from another site", &[], from(&["cross-site"], NATIVE), ""),
    // An Origin that is not ours is not made good by anything else.
    ("foreign, same-origin", &["https://evil.example"], from(&["same-origin"], PAGE), ""),
    ("foreign, with a bearer token", &["https://evil.example"], NATIVE, ""),
    ("foreign, with nothing", &["https://evil.example"], NOTHING, ""),
];

fn server() -> Server {
    let policy = OriginPolicy::new(ALLOWED).unwrap();
    let realtime = endpoint().authenticate(Anonymous).origin_policy(policy).build().unwrap();
    let websocket = WebSocketService::new(&realtime);
    let route = service_fn(|_| async { Ok(Response::new(Full::from(Bytes::from_static(b"served")))) });
    let routes = OriginLayer::new(&realtime).layer(route);
    let service = service_fn(move |request: Request<RequestBody>| {
        let (websocket, routes) = (websocket.clone(), routes.clone());
        async move {
            match request.uri().path() {
                "/ws" => websocket.oneshot(request).await,
                _ => routes.oneshot(request).await,
            }
        }
    });
    Server::start::<_>(&realtime, infallible(service))
}

/// Says the error type, which nothing else does.
fn infallible<S>(service: S) -> S
where
    S: tower::Service<Request<RequestBody>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    service
}

fn headers<'a>(origins: &'a [&'a str], sent: &'a Sent<'a>) -> Vec<(&'a str, &'a str)> {
    let mut headers: Vec<_> = origins.iter().map(|origin| ("Origin", *origin)).collect();
    headers.extend(sent.cookie.then_some(("Cookie", "token=x")));
    headers.extend(sent.bearer.then_some(("Authorization", "Bearer x")));
    headers.extend(sent.fetch_site.iter().map(|site| ("Sec-Fetch-Site", *site)));
    headers.extend(sent.host.map(|host| ("Host", host)));
    headers
}

/// Whether it was let in; a refusal is always the same.
fn is_allowed(answer: &Answer) -> bool {
    match answer.status {
        101 | 200 => true,
        403 => {
            assert_eq!(answer.code(), "origin-not-allowed");
            false
        }
        other => panic!("{other} is no answer to an Origin: {answer:?}"),
    }
}

/// A request to a route of the application.
fn request(server: &Server, method: &str, headers: &[(&str, &str)]) -> Answer {
    let plain = [("Upgrade", ""), ("Connection", ""), ("Sec-WebSocket-Version", ""), ("Sec-WebSocket-Key", "")];
    let text = handshake_text(method, "HTTP/1.1", &[&plain[..], &[("Content-Length", "0")], headers].concat());
    server.raw(&text.replacen("/ws", "/events", 1))
}

#[test]
fn rule_23_every_row_of_the_origin_table_holds_for_upgrades_gets_and_posts() {
    let server = server();
    for (row, origins, sent, expected) in ROWS {
        let headers = headers(origins, sent);
        let answers = [
            ('U', server.handshake(&headers)),
            ('G', request(&server, "GET", &headers)),
            ('P', request(&server, "POST", &headers)),
        ];
        let allowed: String = answers.iter().filter(|(_, answer)| is_allowed(answer)).map(|(kind, _)| kind).collect();
        println!("{allowed:<4} {row:<42} {}", origins.join(" | "));
        assert_eq!(allowed, *expected, "{row}");
        let cells = ['U', 'G', 'P'].map(|kind| if expected.contains(kind) { "yes" } else { "403" }).join(" | ");
        let is_documented =
            |line: &str| line.starts_with(&format!("| {row} | ")) && line.ends_with(&format!(" | {cells} |"));
        assert!(DOCUMENT.lines().any(is_documented), "docs/security.md does not say {row}: {cells}");
    }
    println!("{} rows", ROWS.len());
    assert!(ROWS.len() >= 40);
}

#[test]
fn rule_23_other_methods_are_judged_by_whether_they_are_safe() {
    let server = server();
    // A cookie without an Origin: a page of the same origin that reads, or another page that wants something done.
    for (method, allowed) in [("OPTIONS", true), ("PUT", false), ("PATCH", false), ("DELETE", false), ("LOCK", false)] {
        assert_eq!(is_allowed(&request(&server, method, &[("Cookie", "token=x")])), allowed, "{method}");
        let ours = [("Cookie", "token=x"), ("Origin", "https://app.example")];
        assert!(is_allowed(&request(&server, method, &ours)), "{method}");
    }
}

#[test]
fn rule_23_a_get_that_asks_for_an_upgrade_is_judged_as_one() {
    let server = server();
    let upgrade = handshake_text("GET", "HTTP/1.1", &[("Cookie", "token=x")]).replacen("/ws", "/events", 1);
    assert!(!is_allowed(&server.raw(&upgrade)));
}
