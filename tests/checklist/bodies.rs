//! BODY, REP: bodies, standard headers, repeated headers.

use crate::{
    client::{Client, Frame, SINCE_1_1, VERSIONS},
    support::Server,
};

/// A session that listens on `/topic/a`.
fn listener(broker: &Server, version: &'static str) -> Client {
    let mut client = Client::session(broker, version);
    client.subscribe("1", "/topic/a");
    client
}

/// A SEND with `content-length`.
fn counted(body: &[u8]) -> Vec<u8> {
    [format!("SEND\ndestination:/topic/a\ncontent-length:{}\n\n", body.len()).as_bytes(), body, b"\0"].concat()
}

fn relayed(broker: &Server, version: &'static str, octets: &[u8]) -> Frame {
    let mut client = listener(broker, version);
    client.binary(octets);
    client.expect("MESSAGE")
}

#[test]
fn body_01_a_counted_body_may_hold_nul() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        assert_eq!(relayed(&broker, version, &counted(b"a\0b\0")).body, b"a\0b\0");
    }
}

#[test]
fn body_02_without_a_count_the_first_nul_ends_the_frame() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        client.text("SEND\ndestination:/topic/a\n\none\0SEND\ndestination:/topic/a\n\ntwo\0");
        client.expect_text("one");
        client.expect_text("two");
    }
}

#[test]
fn body_03_a_body_may_be_empty() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for octets in [&counted(b"")[..], b"SEND\ndestination:/topic/a\n\n\0"] {
            assert!(relayed(&broker, version, octets).body.is_empty());
        }
    }
}

#[test]
fn body_04_the_count_is_of_octets() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        assert_eq!(relayed(&broker, version, &counted("größe 😀".as_bytes())).text(), "größe 😀");
    }
}

#[test]
fn body_05_every_octet_passes() {
    let broker = Server::broker(&[]);
    let all: Vec<u8> = (0..=255).collect();
    for version in VERSIONS {
        let message = relayed(&broker, version, &counted(&all));
        assert_eq!(message.body, all);
        assert!(!message.is_text, "WS-12");
    }
}

#[test]
fn body_06_line_ends_belong_to_the_body() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for body in ["\n", "\n\nx\n\n", "\r\nx\r\n", "\r"] {
            let sent = format!("SEND\ndestination:/topic/a\n\n{body}\0");
            assert_eq!(relayed(&broker, version, sent.as_bytes()).text(), body);
        }
    }
}

#[test]
fn body_07_a_body_of_1_mib_passes_where_the_limit_allows_it() {
    let broker = Server::broker(&["--max-message", "1048576", "--max-queue-bytes", "4194304"]);
    let body = vec![b'x'; 1 << 20];
    for version in VERSIONS {
        assert_eq!(relayed(&broker, version, &counted(&body)).body.len(), body.len());
    }
}

#[test]
fn body_08_octets_of_a_counted_body_are_never_a_frame() {
    let broker = Server::broker(&[]);
    let frame = b"\0\nSEND\ndestination:/topic/a\n\nsmuggled\0\n";
    for version in VERSIONS {
        let mut client = listener(&broker, version);
        client.binary(&counted(frame));
        assert_eq!(client.expect("MESSAGE").body, frame);
        client.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn body_09_content_type_is_passed_on() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let sent = b"SEND\ndestination:/topic/a\ncontent-type:application/json;charset=utf-8\n\n{}\0";
        let message = relayed(&broker, version, sent);
        assert_eq!(message.header("content-type"), Some("application/json;charset=utf-8"), "ALL-05");
    }
}

#[test]
fn body_10_message_has_a_count_where_send_had_none() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let message = relayed(&broker, version, b"SEND\ndestination:/topic/a\n\nfour\0");
        assert_eq!(message.header("content-length"), Some("4"));
    }
}

#[test]
fn body_11_a_count_that_is_no_plain_number_is_an_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for count in ["-1", "1.5", "3x", "", "+3", " 3", "0x3", "1e1"] {
            let mut client = Client::session(&broker, version);
            client.send(&format!("SEND\ndestination:/topic/a\ncontent-length:{count}\n\nabc"));
            client.expect_error("bad-content-length");
        }
    }
}

#[test]
fn body_12_a_count_over_the_limit_is_refused_when_it_is_read() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for count in ["65537", "4294967296", "18446744073709551615", "18446744073709551616", &"9".repeat(100)] {
            let mut client = Client::session(&broker, version);
            // Neither the blank line nor a body follows.
            client.text(&format!("SEND\ndestination:/topic/a\ncontent-length:{count}\n"));
            client.expect_error("body-too-large");
        }
    }
}

#[test]
fn body_13_a_count_of_0_is_legal_on_any_frame() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        client.send("SUBSCRIBE\nid:1\ndestination:/topic/a\ncontent-length:0\nreceipt:s\n\n");
        client.expect_receipt("s");
        client.send("UNSUBSCRIBE\nid:1\ncontent-length:0\nreceipt:u\n\n");
        client.expect_receipt("u");
        client.send("DISCONNECT\ncontent-length:0\nreceipt:d\n\n");
        client.expect_receipt("d");
        assert_eq!(client.closed(), 1000);
    }
}

#[test]
fn body_14_a_body_of_another_frame_does_not_put_the_stream_out_of_step() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:s\n\nno place for a body");
        client.expect_receipt("s");
        client.send("SEND\ndestination:/topic/a\n\nin step");
        client.expect_text("in step");
    }
}

#[test]
fn rep_01_the_first_of_repeated_headers_counts() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let message = relayed(&broker, version, b"SEND\ndestination:/topic/a\nfoo:first\nfoo:second\n\nx\0");
        assert_eq!(message.header("foo"), Some("first"));
    }
}

#[test]
fn rep_02_to_04_that_holds_for_standard_headers_too() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut client = listener(&broker, version);
        client.subscribe("2", "/topic/b");
        client.send("SEND\ndestination:/topic/a\ndestination:/topic/b\n\ndestination");
        assert_eq!(client.expect_text("destination").header("destination"), Some("/topic/a"), "REP-02");
        client.send("SEND\ndestination:/topic/a\ncontent-length:3\ncontent-length:1\n\nabc");
        client.expect_text("abc");
        let mut sender = Client::session(&broker, version);
        sender.send("SEND\ndestination:/topic/c\nreceipt:first\nreceipt:second\n\nx");
        sender.expect_receipt("first");
        sender.send("SEND\ndestination:/topic/c\nreceipt:next\n\nx");
        sender.expect_receipt("next");
    }
}
