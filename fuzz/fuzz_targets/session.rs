//! A server's session and a client's, on sequences of frames that make some sense and of octets that make none.
//!
//! Requests come by the transition table; nothing follows the last one; whatever the server answers is good STOMP to the
//! client and says what it was meant to say.

#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use parlor_stomp::{
    ClientConfig, ClientEvent, ClientSession, Command, Connected, Encoded, Fault, HeartBeat, Limits, MessageHead,
    Request, ServerConfig, ServerSession, ServerState, Version, encode_message_into, encode_receipt,
};

/// One thing that a client does.
#[derive(Arbitrary, Debug)]
enum Operation<'a> {
    Beat,
    Frame { command: u8, headers: Vec<(Name, Value<'a>)>, body: &'a [u8] },
    Octets(&'a [u8]),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    AcceptVersion,
    Ack,
    ContentLength,
    Destination,
    HeartBeat,
    Id,
    MessageId,
    Odd,
    Receipt,
    Subscription,
    Transaction,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Value<'a> {
    Beats(u64, u64),
    Mode(Mode),
    Number(u8),
    Text(&'a str),
    Version(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Mode {
    Auto,
    Client,
    ClientIndividual,
}

/// What a session has seen.
#[derive(Default)]
struct Seen {
    connected: bool,
    ended: bool,
}

fuzz_target!(|operations: Vec<Operation<'_>>| {
    let limits = Limits::default().max_body_bytes(256).max_header_bytes(128).max_headers(12);
    let heart_beat = HeartBeat { can_send_ms: 1000, wants_ms: 1000 };
    let mut server = ServerSession::new(ServerConfig::default().limits(limits).heart_beat(heart_beat));
    let mut client = ClientSession::new(ClientConfig::default());
    let mut seen = Seen::default();
    for operation in operations {
        server.handle_input(octets(&operation));
        while let Some(request) = server.poll_request() {
            assert!(!seen.ended, "{request:?} came after the last request");
            step(&server, &request, &mut seen);
            answer(&server, request, &mut client);
        }
        if seen.ended {
            assert!(!server.is_mid_frame());
            assert!(matches!(server.state(), ServerState::Disconnected | ServerState::Failed));
        }
    }
});

fn octets(operation: &Operation<'_>) -> Bytes {
    let Operation::Frame { command, headers, body } = operation else {
        let octets: &[u8] = if let Operation::Octets(octets) = operation { octets } else { b"\n" };
        return Bytes::copy_from_slice(octets);
    };
    let command = Command::ALL[usize::from(*command) % Command::ALL.len()];
    let mut out = format!("{command}\n").into_bytes();
    for (name, value) in headers {
        let name = match name {
            Name::AcceptVersion => "accept-version",
            Name::Ack => "ack",
            Name::ContentLength => "content-length",
            Name::Destination => "destination",
            Name::HeartBeat => "heart-beat",
            Name::Id => "id",
            Name::MessageId => "message-id",
            Name::Odd => "o\\cd\\\\d",
            Name::Receipt => "receipt",
            Name::Subscription => "subscription",
            Name::Transaction => "transaction",
        };
        let value = match value {
            Value::Beats(sends, wants) => format!("{sends},{wants}"),
            Value::Mode(Mode::Auto) => "auto".to_owned(),
            Value::Mode(Mode::Client) => "client".to_owned(),
            Value::Mode(Mode::ClientIndividual) => "client-individual".to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => (*text).to_owned(),
            Value::Version(minor) => format!("1.{}", minor % 4),
        };
        out.extend_from_slice(format!("{name}:{value}\n").as_bytes());
    }
    out.push(b'\n');
    out.extend_from_slice(body);
    out.push(0);
    out.into()
}

/// The order of requests, and the state each leaves behind.
fn step(server: &ServerSession, request: &Request, seen: &mut Seen) {
    match request {
        Request::Connect(connect) => {
            assert!(!seen.connected, "a session is opened once");
            assert_eq!(server.version(), Some(connect.version));
            seen.connected = true;
        }
        Request::Fault(_) => {
            seen.ended = true;
            assert_eq!(server.state(), ServerState::Failed);
        }
        Request::Disconnect(_) => {
            assert!(seen.connected);
            seen.ended = true;
            assert_eq!(server.state(), ServerState::Disconnected);
        }
        other => {
            assert!(seen.connected, "{other:?} came before CONNECT");
            assert_eq!(server.state(), ServerState::Connected);
        }
    }
}

/// Answers as a broker would, and lets the client read it.
fn answer(server: &ServerSession, request: Request, client: &mut ClientSession) {
    let version = server.version().unwrap_or(Version::V1_2);
    let receipt = match request {
        Request::Connect(connect) => {
            let connected = Connected {
                version,
                session: "s-1",
                server: "parlor/0",
                heart_beat: HeartBeat::default(),
                user_name: connect.host.as_deref(),
            };
            let event = read(client, &connected.encode());
            assert!(matches!(event, ClientEvent::Connected(event) if event.version == version));
            return;
        }
        Request::Fault(fault) => return read_fault(&fault, version, client),
        Request::Send(send) => {
            let head = MessageHead {
                subscription: Some("sub:1"),
                message_id: "m-1",
                destination: &send.destination,
                content_type: send.content_type.as_deref(),
                ack: None,
                extensions: &[],
                headers: &send.headers,
            };
            let mut bytes = Vec::new();
            let text = encode_message_into(&head, &send.body, version, &mut bytes);
            let ClientEvent::Message(message) = read(client, &Encoded { bytes: bytes.into(), text }) else {
                panic!("a MESSAGE was sent");
            };
            assert_eq!(message.body, send.body);
            assert_eq!(message.subscription(), Some("sub:1"));
            assert_eq!(message.message_id(), Some("m-1"));
            assert_eq!(message.destination(), Some(&carried(&send.destination, version)[..]));
            send.receipt
        }
        Request::Subscribe(subscribe) => subscribe.receipt,
        Request::Unsubscribe(unsubscribe) => unsubscribe.receipt,
        Request::Ack(settle) | Request::Nack(settle) => settle.receipt,
        Request::Abort(transaction) | Request::Begin(transaction) | Request::Commit(transaction) => transaction.receipt,
        Request::Disconnect(disconnect) => disconnect.receipt,
        other => panic!("{other:?} is new here"),
    };
    if let Some(receipt) = receipt {
        assert_eq!(read(client, &encode_receipt(&receipt, version)), ClientEvent::Receipt(carried(&receipt, version)));
    }
}

/// What is left of a value: a CR can be read in STOMP 1.0 and 1.1, but not written.
fn carried(value: &str, version: Version) -> String {
    if version == Version::V1_2 { value.to_owned() } else { value.replace('\r', "") }
}

fn read_fault(fault: &Fault, version: Version, client: &mut ClientSession) {
    // A client that was never connected reads ERROR too.
    let ClientEvent::Error { headers, body } = read(client, &fault.encode(version)) else {
        panic!("an ERROR was sent");
    };
    assert!(headers.get("message").is_some_and(|message| !message.is_empty()));
    assert_eq!(headers.get("content-length"), Some(&body.len().to_string()[..]));
}

fn read(client: &mut ClientSession, encoded: &Encoded) -> ClientEvent {
    assert_eq!(encoded.text, std::str::from_utf8(&encoded.bytes).is_ok());
    client.handle_input(encoded.bytes.clone());
    let event = client.poll_event().expect("the server speaks STOMP").expect("the frame is complete");
    assert_eq!(client.poll_event(), Ok(None), "one frame is one event");
    event
}
