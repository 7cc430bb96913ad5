//! WS: carrying STOMP over WebSocket.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::{
    client::{Client, Received, VERSIONS},
    support::Server,
};

/// A session that listens on `/topic/a`.
fn listener(broker: &Server, version: &'static str) -> Client {
    let mut client = Client::session(broker, version);
    client.subscribe("1", "/topic/a");
    client
}

fn subprotocol(broker: &Server, offer: &str) -> Result<Option<String>, u16> {
    let (mut client, response) = Client::handshake(broker, &[("sec-websocket-protocol", offer)])?;
    client.connect("CONNECT\naccept-version:1.2\n\n", "1.2");
    let header = response.headers().get("sec-websocket-protocol");
    Ok(header.map(|value| value.to_str().expect("a name").to_owned()))
}

#[test]
fn ws_01_the_highest_subprotocol_of_the_offer_is_selected() {
    let broker = Server::broker(&[]);
    for (offer, selected) in [
        ("v10.stomp, v11.stomp, v12.stomp", "v12.stomp"),
        ("v12.stomp, v11.stomp, v10.stomp", "v12.stomp"),
        ("v11.stomp, v10.stomp", "v11.stomp"),
        ("v10.stomp", "v10.stomp"),
        ("mqtt, v11.stomp", "v11.stomp"),
    ] {
        assert_eq!(subprotocol(&broker, offer), Ok(Some(selected.to_owned())), "{offer}");
    }
}

#[test]
fn ws_02_no_offer_is_accepted_without_a_subprotocol() {
    let broker = Server::broker(&[]);
    let (mut client, response) = Client::handshake(&broker, &[]).expect("the handshake is accepted");
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
    client.connect("CONNECT\naccept-version:1.2\n\n", "1.2");
}

#[test]
fn ws_03_only_unknown_offers_are_refused() {
    let broker = Server::broker(&[]);
    for offer in ["mqtt", "v13.stomp", "V12.STOMP", "v12.stompx"] {
        assert_eq!(subprotocol(&broker, offer), Err(400), "{offer}");
    }
}

#[test]
fn ws_04_another_websocket_version_is_refused() {
    let broker = Server::broker(&[]);
    let mut stream = TcpStream::connect(broker.addr).expect("the server accepts");
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        broker.addr
    );
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = [0; 1024];
    let count = stream.read(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..count]).to_lowercase();
    assert!(answer.starts_with("http/1.1 426 ") && answer.contains("\r\nsec-websocket-version: 13\r\n"), "{answer}");
}

#[test]
fn ws_05_text_and_binary_messages_may_be_mixed() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        client.binary(b"SEND\ndestination:/topic/a\n\nbin");
        client.text("ary and ");
        client.binary(b"text\0");
        client.expect_text("binary and text");
    }
}

#[test]
fn ws_06_a_frame_may_be_cut_anywhere() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        let odd = if version == "1.0" { "a:b" } else { "a\\cb" };
        let frame = format!("SEND\ndestination:/topic/a\nodd:{odd}\ncontent-length:5\nreceipt:r\n\na\0b\0c\0");
        for octet in frame.as_bytes() {
            client.binary(&[*octet]);
        }
        let mut frames = [client.frame(), client.frame()];
        frames.sort_by(|one, other| one.command.cmp(&other.command));
        assert_eq!(frames[0].body, b"a\0b\0c");
        assert_eq!(frames[0].header("odd"), Some("a:b"));
        assert_eq!(frames[1].header("receipt-id"), Some("r"));
    }
}

#[test]
fn ws_07_a_binary_message_may_end_inside_a_character() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        let frame = "SEND\ndestination:/topic/a\nodd:世界\n\nGrüße 😀\0";
        for octets in frame.as_bytes().chunks(2) {
            client.binary(octets);
        }
        assert_eq!(client.expect_text("Grüße 😀").header("odd"), Some("世界"));
    }
}

#[test]
fn ws_08_one_message_may_hold_several_frames_and_parts_of_them() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        client.text("\n\nSEND\ndestination:/topic/a\n\n1\0\nSEND\ndestination:/topic/a\n\n2\0\n\nSEND\ndestina");
        client.text("tion:/topic/a\n\n3\0\n\n\nSEND\ndestination:/topic/a\n\n4\0");
        for text in ["1", "2", "3", "4"] {
            client.expect_text(text);
        }
    }
}

#[test]
fn ws_09_a_message_may_be_fragmented() {
    let broker = Server::broker(&[]);
    let mut client = listener(&broker, "1.2");
    client.fragment(b"SEND\ndestination:/topic/a\n\nGr\xC3", true, false);
    client.ping(b"between");
    client.fragment(b"", false, false);
    client.fragment(b"\xBC\xC3\x9Fe\0", false, true);
    assert!(matches!(client.receive(), Received::Pong(payload) if payload == b"between"));
    client.expect_text("Grüße");
}

#[test]
fn ws_09_a_frame_may_take_a_fragment_for_each_octet() {
    let broker = Server::broker(&[]);
    let mut client = listener(&broker, "1.2");
    let frame = format!("SEND\ndestination:/topic/a\nreceipt:cut\n\n{}\0", "x".repeat(4096));
    for (place, octet) in frame.as_bytes().iter().enumerate() {
        client.fragment(&[*octet], place == 0, place + 1 == frame.len());
    }
    client.expect_text(&"x".repeat(4096));
    client.expect_receipt("cut");
}

#[test]
fn ws_08_a_message_may_hold_more_octets_than_the_largest_frame() {
    let broker = Server::broker(&["--max-message", "1000"]);
    let mut client = listener(&broker, "1.2");
    let frame = format!("SEND\ndestination:/topic/a\n\n{}\0", "x".repeat(900));
    client.text(&frame.repeat(50));
    for _ in 0..50 {
        client.expect_text(&"x".repeat(900));
    }
}

#[test]
fn ws_10_a_ping_is_answered_with_its_payload() {
    let broker = Server::broker(&[]);
    let mut client = Client::open(&broker);
    for payload in [&b""[..], b"x", &[0xFF; 125]] {
        client.ping(payload);
        assert!(matches!(client.receive(), Received::Pong(answer) if answer == payload));
    }
}

#[test]
fn ws_11_text_that_is_not_utf_8_is_closed_with_1007() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        client.fragment(b"SEND\ndestination:/topic/a\n\n\xC3\x28\0", true, true);
        assert_eq!(client.closed(), 1007);
    }
}

#[test]
fn ws_12_ws_18_a_frame_is_text_if_and_only_if_it_is_utf_8() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        // The way in says nothing about the way out.
        client.binary("SEND\ndestination:/topic/a\n\nGrüße\0".as_bytes());
        assert!(client.expect_text("Grüße").is_text);
        client.binary(b"SEND\ndestination:/topic/a\n\n\xFF\xFE\0");
        assert!(!client.expect("MESSAGE").is_text);
    }
}

#[test]
fn ws_15_a_lost_connection_leaves_others_alone_and_its_subscriptions_are_gone() {
    let broker = Server::broker(&[]);
    let mut other = listener(&broker, "1.2");
    for version in VERSIONS {
        let client = listener(&broker, version);
        drop(client.into_stream());
        other.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn ws_16_an_offer_of_compression_does_no_harm() {
    let broker = Server::broker(&[]);
    let offer = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")];
    let (mut client, response) = Client::handshake(&broker, &offer).expect("the handshake is accepted");
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    client.connect("CONNECT\naccept-version:1.2\n\n", "1.2");
    client.subscribe("1", "/topic/a");
}

#[test]
fn ws_17_empty_messages_and_line_ends_alone_are_ignored() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        for message in ["", "\n", "\n\n\n", "\r\n", ""] {
            client.text(message);
            client.binary(message.as_bytes());
        }
        client.expect_nothing_before_own("/topic/a");
    }
}
