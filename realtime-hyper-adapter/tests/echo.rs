//! The echo: whole messages, opcodes kept, bounded, and closed well.

mod support;

use parlor_core::{Config, auth::Anonymous, websocket::WebSocketLimits};
use parlor_hyper::EchoService;
use support::{Server, endpoint, open_endpoint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

fn server() -> Server {
    let realtime = open_endpoint();
    Server::start(&realtime, EchoService::new(&realtime))
}

#[test]
fn messages_come_back_whole_with_their_opcode() {
    let server = server();
    let mut client = server.connect(&[]);
    for message in [
        Message::text(""),
        Message::text("grüß dich"),
        Message::binary(vec![0, 0xFF, 0x80]),
        Message::binary(vec![7; 70_000]),
    ] {
        client.send(message.clone()).unwrap();
        assert_eq!(client.read().unwrap(), message);
    }
}

#[test]
fn fragments_come_back_as_one_message_with_a_ping_between_them() {
    let server = server();
    let mut client = server.connect(&[]);
    let fragment =
        |octets: &'static [u8], opcode, last| Message::Frame(Frame::message(octets, OpCode::Data(opcode), last));
    client.send(fragment(b"one ", Data::Text, false)).unwrap();
    client.send(Message::Ping("still here".into())).unwrap();
    client.send(fragment(b"message", Data::Continue, true)).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong("still here".into()));
    assert_eq!(client.read().unwrap(), Message::text("one message"));
}

#[test]
fn a_close_is_answered_with_its_own_status() {
    let server = server();
    let mut client = server.connect(&[]);
    client.close(Some(CloseFrame { code: CloseCode::Library(4000), reason: "enough".into() })).unwrap();
    match client.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Library(4000)),
        other => panic!("a close frame was expected, not {other:?}"),
    }
}

#[test]
fn a_message_beyond_the_limit_is_closed_with_1009() {
    let limits = WebSocketLimits::default().max_message_bytes(10);
    let config = Config::default().websocket(limits);
    let realtime = endpoint().authenticate(Anonymous).config(config).build().unwrap();
    let server = Server::start(&realtime, EchoService::new(&realtime));
    let mut client = server.connect(&[]);
    client.send(Message::text("0123456789")).unwrap();
    assert_eq!(client.read().unwrap(), Message::text("0123456789"));
    client.send(Message::text("0123456789a")).unwrap();
    match client.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Size),
        other => panic!("a close frame was expected, not {other:?}"),
    }
}

#[test]
fn any_subprotocol_is_let_in_and_none_is_chosen() {
    let answer = server().handshake(&[("Sec-WebSocket-Protocol", "chat")]);
    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, None));
}

#[test]
fn a_foreign_origin_is_refused() {
    assert_eq!(server().handshake(&[("Origin", "https://evil.example")]).status, 403);
}

#[test]
fn a_stop_closes_open_echoes() {
    let server = server();
    let mut client = server.connect(&[]);
    let stopping = server.stop();
    match client.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Restart),
        other => panic!("a close frame was expected, not {other:?}"),
    }
    while client.read().is_ok() {}
    stopping.finish();
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test's runtime ends the server, and measures its own clock")]
async fn a_client_that_sends_nothing_is_closed_after_60_s() {
    let realtime = open_endpoint();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(parlor_hyper::Server::new(listener, EchoService::new(&realtime), realtime).run());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(support::handshake_text("GET", "HTTP/1.1", &[]).as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let begin = tokio::time::Instant::now();
    let mut close = [0; 4];
    stream.read_exact(&mut close).await.unwrap();
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1001));
    assert_eq!(begin.elapsed().as_secs(), 60);
}
