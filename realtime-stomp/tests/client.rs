//! The client's end of a session, alone and in conversation with the server's end.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use parlor_stomp::{
    AckMode, ClientConfig, ClientError, ClientEvent, ClientSession, Command, Connected, Encoded, Fault, Headers,
    HeartBeat, Limits, MessageEvent, MessageHead, Request, ServerConfig, ServerSession, Version, encode_message_into,
    encode_receipt,
};
use support::{FROM_1_1, VERSIONS};

const OFFER: HeartBeat = HeartBeat { can_send_ms: 10_000, wants_ms: 20_000 };

/// Both ends of one session, with nothing between them.
struct Pair {
    client: ClientSession,
    server: ServerSession,
}

impl Pair {
    /// A session of this version that both ends know to be open.
    fn open(version: Version) -> Self {
        let config = ClientConfig::default().accept_version(Some(version.as_str())).heart_beat(OFFER);
        let server = ServerSession::new(ServerConfig::default().heart_beat(OFFER));
        let mut pair = Self { client: ClientSession::new(config), server };
        pair.client.connect();
        let requests = pair.requests();
        assert!(matches!(&requests[..], [Request::Connect(_)]), "{requests:?}");
        let connected = Connected { version, session: "s-1", server: "parlor", heart_beat: OFFER, user_name: None };
        let Some(ClientEvent::Connected(event)) = pair.event(&connected.encode()) else {
            panic!("the client is not connected")
        };
        assert_eq!((event.version, event.session.as_deref()), (version, Some("s-1")));
        pair
    }

    /// Brings everything that the client sends to the server.
    fn requests(&mut self) -> Vec<Request> {
        while let Some(encoded) = self.client.poll_transmit() {
            self.server.handle_input(encoded.bytes);
        }
        std::iter::from_fn(|| self.server.poll_request()).collect()
    }

    fn request(&mut self) -> Request {
        let mut requests = self.requests();
        match (requests.pop(), requests.len()) {
            (Some(request), 0) => request,
            (last, _) => panic!("one request was expected, not {requests:?} and {last:?}"),
        }
    }

    /// Brings a frame of the server to the client.
    fn event(&mut self, encoded: &Encoded) -> Option<ClientEvent> {
        self.client.handle_input(encoded.bytes.clone());
        match self.client.poll_event() {
            Ok(event) => event,
            Err(error) => panic!("{error}"),
        }
    }

    fn message(&mut self, version: Version, headers: &Headers, body: &[u8]) -> MessageEvent {
        let head = MessageHead {
            subscription: Some("sub:0"),
            message_id: "m-1",
            destination: "/topic/a",
            content_type: None,
            ack: (version == Version::V1_2).then_some("a-1"),
            extensions: &[],
            headers,
        };
        let mut out = Vec::new();
        let text = encode_message_into(&head, body, version, &mut out);
        match self.event(&Encoded { bytes: out.into(), text }) {
            Some(ClientEvent::Message(message)) => message,
            other => panic!("a MESSAGE was expected, not {other:?}"),
        }
    }
}

#[test]
fn a_session_opens_in_every_version() {
    for version in VERSIONS {
        let pair = Pair::open(version);
        assert_eq!((pair.client.version(), pair.server.version()), (Some(version), Some(version)));
    }
}

#[test]
fn connect_has_what_its_settings_say() {
    let config = ClientConfig::default().host(Some("h:80")).heart_beat(OFFER).header("login", "C:\\ada");
    let mut client = ClientSession::new(config);
    client.connect();
    let expected = "CONNECT\naccept-version:1.0,1.1,1.2\nhost:h:80\nheart-beat:10000,20000\nlogin:C:\\ada\n\n\0";
    assert_eq!(client.poll_transmit().unwrap().bytes, expected);
    assert_eq!(client.poll_transmit(), None);
    let mut client = ClientSession::new(ClientConfig::default().accept_version(None).host(None));
    client.connect();
    assert_eq!(client.poll_transmit().unwrap().bytes, "CONNECT\n\n\0");
}

#[test]
fn every_command_arrives_as_its_request() {
    for version in FROM_1_1 {
        let mut pair = Pair::open(version);
        pair.client.subscribe("sub:0", "/topic/a", AckMode::ClientIndividual, Some("r\n1"));
        let Request::Subscribe(subscribe) = pair.request() else { panic!("no SUBSCRIBE") };
        assert_eq!((subscribe.id.to_string(), subscribe.ack), ("sub:0".to_owned(), AckMode::ClientIndividual));
        assert_eq!(subscribe.receipt.as_deref(), Some("r\n1"));
        pair.client.send("/topic/a", b"a\0b", &[("x-name", "a:b"), ("transaction", "t")], Some("r2"));
        let Request::Send(send) = pair.request() else { panic!("no SEND") };
        assert_eq!((&send.body[..], send.headers.get("x-name")), (&b"a\0b"[..], Some("a:b")));
        assert_eq!((send.transaction.as_deref(), send.receipt.as_deref()), (Some("t"), Some("r2")));
        pair.client.unsubscribe("sub:0", None);
        assert!(matches!(pair.request(), Request::Unsubscribe(unsubscribe) if unsubscribe.id == subscribe.id));
        pair.client.begin("t", None);
        assert!(matches!(pair.request(), Request::Begin(begin) if begin.id == "t"));
        pair.client.commit("t", None);
        assert!(matches!(pair.request(), Request::Commit(commit) if commit.id == "t"));
        pair.client.abort("t", None);
        assert!(matches!(pair.request(), Request::Abort(abort) if abort.id == "t"));
        let headers = [("resume-from", "e:1"), ("prefetch-count", "5")];
        pair.client.subscribe_with("sub:1", "/topic/a", AckMode::Auto, &headers, None);
        let Request::Subscribe(subscribe) = pair.request() else { panic!("no SUBSCRIBE") };
        assert_eq!(
            (subscribe.headers.get("resume-from"), subscribe.headers.get("prefetch-count")),
            (Some("e:1"), Some("5"))
        );
        pair.client.disconnect(Some("bye"));
        assert!(matches!(pair.request(), Request::Disconnect(end) if end.receipt.as_deref() == Some("bye")));
        let receipt = pair.event(&encode_receipt("bye", version));
        assert_eq!(receipt, Some(ClientEvent::Receipt("bye".to_owned())));
        assert_eq!(pair.client.receipt_headers().get("receipt-id"), Some("bye"));
    }
}

#[test]
fn messages_arrive_with_their_headers_and_bodies() {
    let headers: Headers = [("x-name", "a:b\\c")].into_iter().collect();
    for version in VERSIONS {
        let message = Pair::open(version).message(version, &headers, "gr\u{fc}n".as_bytes());
        assert_eq!((message.subscription(), message.message_id()), (Some("sub:0"), Some("m-1")));
        assert_eq!((message.destination(), message.text()), (Some("/topic/a"), Some("gr\u{fc}n")));
        assert_eq!(message.headers.get("x-name"), Some("a:b\\c"));
        assert_eq!(Pair::open(version).message(version, &headers, b"\xff\0").text(), None);
    }
}

/// ACK-05, from the other side.
#[test]
fn a_message_is_settled_by_the_rules_of_the_version() {
    for (version, named) in [(Version::V1_0, "m-1"), (Version::V1_1, "m-1"), (Version::V1_2, "a-1")] {
        let mut pair = Pair::open(version);
        let message = pair.message(version, &Headers::default(), b"");
        pair.client.ack(&message, Some("r"));
        let Request::Ack(ack) = pair.request() else { panic!("no ACK") };
        assert_eq!((&ack.message[..], ack.receipt.as_deref()), (named, Some("r")));
        if version > Version::V1_0 {
            pair.client.nack(&message, None);
            assert!(matches!(pair.request(), Request::Nack(nack) if nack.message == named));
        }
    }
}

#[test]
fn an_error_is_the_last_event() {
    let mut pair = Pair::open(Version::V1_2);
    let error = Fault::new("some-code", "Something was wrong").with_receipt("r").encode(Version::V1_2);
    let Some(ClientEvent::Error { headers, body }) = pair.event(&error) else { panic!("no ERROR") };
    assert_eq!((headers.get("code"), headers.get("receipt-id")), (Some("some-code"), Some("r")));
    assert_eq!(&body[..], b"Something was wrong");
    assert_eq!(pair.event(&encode_receipt("r", Version::V1_2)), None);
    let piece = Bytes::from(vec![b'x'; 1024]);
    pair.client.handle_input(piece.clone());
    assert!(piece.is_unique(), "what comes after it is not kept");
}

#[test]
fn an_error_may_come_instead_of_connected() {
    let mut client = ClientSession::new(ClientConfig::default());
    client.handle_input(Fault::new("some-code", "No").encode(Version::V1_2).bytes);
    assert!(matches!(client.poll_event(), Ok(Some(ClientEvent::Error { .. }))));
}

#[test]
fn a_server_that_breaks_the_protocol_is_an_error() {
    let error = |octets: &'static str| {
        let mut client = ClientSession::new(ClientConfig::default());
        client.handle_input(Bytes::from_static(octets.as_bytes()));
        let error = client.poll_event().unwrap_err();
        assert_eq!(client.poll_event(), Ok(None), "nothing comes after it");
        error
    };
    assert_eq!(error("MESSAGE\n\n\0"), ClientError::Unexpected(Command::Message));
    assert_eq!(error("CONNECTED\nversion:3.0\n\n\0"), ClientError::Connected("version"));
    assert_eq!(error("CONNECTED\nversion:1.2\nheart-beat:x\n\n\0"), ClientError::Connected("heart-beat"));
    assert!(matches!(error("HTTP/1.1 200 OK\n"), ClientError::Frame(fault) if fault.code == "unknown-command"));
    let mut pair = Pair::open(Version::V1_2);
    pair.client.handle_input(Bytes::from_static(b"CONNECTED\nversion:1.2\n\n\0"));
    assert_eq!(pair.client.poll_event(), Err(ClientError::Unexpected(Command::Connected)));
}

#[test]
fn a_server_cannot_send_more_than_the_client_takes() {
    let mut client = ClientSession::new(ClientConfig::default().limits(Limits::default()));
    client.handle_input(Bytes::from_static(b"CONNECTED\nversion:1.2\n\n\0MESSAGE\ncontent-length:65537\n\n"));
    assert!(matches!(client.poll_event(), Ok(Some(ClientEvent::Connected(_)))));
    assert!(matches!(client.poll_event(), Err(ClientError::Frame(fault)) if fault.too_large));
}

/// A CONNECTED without a version is one of 1.0.
#[test]
fn a_server_of_1_0_is_understood() {
    let mut client = ClientSession::new(ClientConfig::default());
    client.handle_input(Bytes::from_static(b"CONNECTED\nsession:7\n\n\0\n"));
    assert!(matches!(client.poll_event(), Ok(Some(ClientEvent::Connected(event))) if event.version == Version::V1_0));
    assert_eq!(client.poll_event(), Ok(None));
}

/// HB-03 and HB-05 hold for both ends: each sends what the other waits for.
#[test]
#[expect(clippy::disallowed_methods, reason = "any instant does; nothing here waits")]
fn both_ends_agree_on_heart_beats() {
    let now = Instant::now();
    let pair = Pair::open(Version::V1_2);
    let (client, server) = (pair.client.heart_beat_timer(now), pair.server.heart_beat_timer(now));
    let soonest = |timer: &parlor_stomp::HeartBeatTimer| timer.deadline().map(|deadline| deadline - now);
    assert_eq!(soonest(&client), Some(Duration::from_secs(19)));
    assert_eq!(soonest(&server), Some(Duration::from_secs(19)));
    let idle = ClientSession::new(ClientConfig::default().heart_beat(OFFER));
    assert_eq!(idle.heart_beat_timer(now).deadline(), None, "before CONNECTED nothing is agreed");
}
