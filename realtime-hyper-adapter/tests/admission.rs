//! Who is let in, over real sockets: each bound at its limit and one beyond, with status, code and `Retry-After`.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::{future::pending, net::TcpStream, pin::Pin, time::Duration};

use parlor_core::{
    Config, Realtime,
    auth::{Anonymous, AuthError, Authenticator, Handshake, Principal},
    broker::{OutboxLimits, Publication},
    destination::Destination,
    limits::{ConnectionLimits, TrustedProxies},
};
use parlor_hyper::WebSocketService;
use socket2::SockRef;
use support::{Answer, Server, endpoint, read_text};
use tungstenite::{Message, WebSocket};

/// The production profile with other bounds of connections.
fn config(limits: impl FnOnce(ConnectionLimits) -> ConnectionLimits) -> Config {
    Config::default().connections(limits(ConnectionLimits::default()))
}

fn serve(config: Config, authenticator: impl Authenticator) -> (Server, Realtime) {
    let realtime = endpoint().config(config).authenticate(authenticator).build().unwrap();
    (Server::start(&realtime, WebSocketService::new(&realtime)), realtime)
}

/// Lets in whoever says a name.
fn by_name(handshake: Handshake<'_>) -> Result<Principal, AuthError> {
    let name = handshake.headers().get("x-name").and_then(|name| name.to_str().ok()).ok_or(AuthError::Missing)?;
    Ok(Principal::user(name.parse().map_err(|_| AuthError::Invalid)?))
}

fn is_refused(answer: &Answer, status: u16, code: &str) -> u64 {
    assert_eq!((answer.status, answer.code().as_str()), (status, code));
    answer.header("retry-after").unwrap().parse().unwrap()
}

fn connect(server: &Server, count: usize) -> Vec<WebSocket<TcpStream>> {
    (0..count).map(|_| server.connect(&[])).collect()
}

#[test]
fn one_address_has_so_many_connections_and_not_one_more() {
    let (server, _) = serve(config(|limits| limits.max_per_address(3)), Anonymous);
    let all = connect(&server, 3);
    assert!(is_refused(&server.handshake(&[]), 429, "too-many-connections-from-address") > 0);
    let spoofed = server.handshake(&[("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7")]);
    is_refused(&spoofed, 429, "too-many-connections-from-address");
    drop(all);
}

#[test]
fn behind_a_trusted_proxy_the_address_is_the_clients() {
    let proxies = TrustedProxies::new(["127.0.0.0/8"]).unwrap();
    let (server, _) = serve(config(|limits| limits.max_per_address(1)).trusted_proxies(proxies), Anonymous);
    let one = server.connect(&[("x-forwarded-for", "203.0.113.7")]);
    let refused = server.handshake(&[("X-Forwarded-For", "198.51.100.1, 203.0.113.7")]);
    is_refused(&refused, 429, "too-many-connections-from-address");
    let other = server.connect(&[("x-forwarded-for", "203.0.113.7, 198.51.100.1")]);
    drop((one, other));
}

#[test]
fn one_user_has_so_many_connections_and_not_one_more() {
    let (server, _) = serve(config(|limits| limits.max_per_user(2)), by_name);
    let all = [server.connect(&[("x-name", "ada")]), server.connect(&[("x-name", "ada")])];
    assert!(is_refused(&server.handshake(&[("X-Name", "ada")]), 429, "too-many-connections-of-user") > 0);
    let other = server.connect(&[("x-name", "bob")]);
    drop((all, other));
}

#[test]
fn there_are_so_many_guests_and_not_one_more_and_the_known_get_in() {
    let guests = |handshake: Handshake<'_>| by_name(handshake).or(Ok(Principal::anonymous()));
    let (server, _) = serve(config(|limits| limits.max_anonymous(2)), guests);
    let one = server.connect(&[]);
    let known = server.connect(&[("x-name", "ada")]);
    let two = server.connect(&[]);
    assert!(is_refused(&server.handshake(&[]), 503, "too-many-anonymous-connections") > 0);
    drop((one, known, two));
}

#[test]
fn there_are_so_many_connections_in_all_and_not_one_more() {
    let (server, _) = serve(Config::default().max_connections(2), Anonymous);
    let all = connect(&server, 2);
    assert!(is_refused(&server.handshake(&[]), 503, "full") > 0);
    drop(all);
}

#[test]
fn ten_handshakes_are_refused_in_a_minute_and_the_next_is_not_judged() {
    let (server, realtime) = serve(Config::default(), by_name);
    for _ in 0..10 {
        assert_eq!(server.handshake(&[]).code(), "missing-credentials");
    }
    let good = [("X-Name", "ada")];
    let wait = is_refused(&server.handshake(&good), 429, "too-many-failed-handshakes");
    assert!((1..=6).contains(&wait), "{wait}");
    // The development profile does not mind, nor does a refused Origin count.
    drop(realtime);
    let (server, _) = serve(Config::development(), by_name);
    assert!((0..20).all(|_| server.handshake(&[]).status == 401));
    let (server, _) = serve(Config::default(), by_name);
    assert!((0..20).all(|_| server.handshake(&[("Origin", "https://evil.example")]).status == 403));
    assert_eq!(server.handshake(&good).status, 101);
}

#[test]
fn an_authenticator_that_does_not_answer_is_not_waited_for() {
    struct Silent;
    impl Authenticator for Silent {
        fn authenticate<'a>(
            &'a self,
            _: Handshake<'a>,
        ) -> Pin<Box<dyn Future<Output = Result<Principal, AuthError>> + Send + 'a>> {
            Box::pin(pending())
        }
    }
    let (server, _) = serve(Config::default().authenticate_timeout(Duration::from_millis(50)), Silent);
    assert!(is_refused(&server.handshake(&[]), 503, "unavailable") > 0);
}

/// How many octets of messages a server takes for a client that does not read, until it gives the client up.
fn taken_for_a_stalled_client(send_buffer_bytes: usize) -> usize {
    const BODY: usize = 1024;
    let outbox = OutboxLimits::default().max_bytes(16 * BODY);
    let (server, realtime) =
        serve(Config::development().send_buffer_bytes(send_buffer_bytes).outbox(outbox), Anonymous);
    let mut client = server.connect(&[]);
    SockRef::from(client.get_ref()).set_recv_buffer_size(BODY).unwrap();
    client.send(Message::text("CONNECT\naccept-version:1.2\n\n\0")).unwrap();
    client.send(Message::text("SUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:1\n\n\0")).unwrap();
    while !read_text(&mut client).starts_with("RECEIPT") {}
    let session = realtime.registry().sessions().remove(0);
    let destination: Destination = "/topic/a".parse().unwrap();
    let publication = Publication::bytes(vec![b'x'; BODY]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut octets = 0;
    while session.is_open() {
        runtime.block_on(realtime.broker().publish_message(destination.clone(), publication.clone())).unwrap();
        octets += BODY;
    }
    octets
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_system_holds_back_for_a_client_that_does_not_read_is_bounded() {
    let (small, large) = (taken_for_a_stalled_client(16 * 1024), taken_for_a_stalled_client(0));
    assert!(small < 512 * 1024, "{small}");
    assert!(large > 2 * small, "left to itself the system holds more: {large}, {small}");
}
