//! FRM: the syntax of frames.

use crate::{
    client::{Client, SINCE_1_1, VERSIONS},
    support::Server,
};

/// A broker, a session of the version that says something, and one that listens on `/topic/a`.
fn scene(version: &'static str) -> (Server, Client, Client) {
    let broker = Server::broker(&[]);
    let mut observer = Client::session(&broker, "1.2");
    observer.subscribe("o", "/topic/a");
    let client = Client::session(&broker, version);
    (broker, client, observer)
}

/// A frame that must be an error in each version, without effect.
fn is_fault(frame: &str, code: &str, versions: &[&'static str]) {
    for version in versions {
        let (_broker, mut client, mut observer) = scene(version);
        client.send(frame);
        client.expect_error(code);
        observer.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn frm_01_lines_end_in_lf_or_in_1_2_also_in_cr_lf() {
    let (_broker, mut client, mut observer) = scene("1.2");
    client.send("SEND\r\ndestination:/topic/a\r\nodd:x\r\n\r\n\r\nbody\r\n");
    let message = observer.expect_text("\r\nbody\r\n");
    assert_eq!(message.header("odd"), Some("x"));
    client.send("SEND\r\ndestination:/topic/a\nodd:y\r\n\nmixed");
    assert_eq!(observer.expect_text("mixed").header("odd"), Some("y"));
    // Before 1.2 a CR is no line end: the command is not known.
    for version in ["1.0", "1.1"] {
        let (_broker, mut client, _) = scene(version);
        client.send("SEND\r\ndestination:/topic/a\r\n\r\nx");
        client.expect_error("unknown-command");
    }
}

#[test]
fn frm_02_any_number_of_line_ends_after_a_frame_is_skipped() {
    for version in VERSIONS {
        let (_broker, mut client, mut observer) = scene(version);
        client.text("SEND\ndestination:/topic/a\n\n1\0\n\n\n\n\nSEND\ndestination:/topic/a\n\n2\0\r\n\r\n");
        client.send("SEND\ndestination:/topic/a\n\n3");
        for text in ["1", "2", "3"] {
            observer.expect_text(text);
        }
    }
}

#[test]
fn frm_03_commands_are_case_sensitive() {
    is_fault("send\ndestination:/topic/a\n\nx", "unknown-command", &VERSIONS);
    is_fault("Subscribe\nid:1\ndestination:/topic/a\n\n", "unknown-command", &VERSIONS);
}

#[test]
fn frm_04_header_names_are_case_sensitive() {
    for version in VERSIONS {
        let (_broker, mut client, mut observer) = scene(version);
        client.send("SEND\ndestination:/topic/a\nFoo:1\nfoo:2\n\nx");
        let message = observer.expect_text("x");
        assert_eq!((message.header("Foo"), message.header("foo")), (Some("1"), Some("2")));
    }
    is_fault("SEND\nDestination:/topic/a\n\nx", "missing-header", &VERSIONS);
}

#[test]
fn frm_05_a_header_line_without_a_colon_is_an_error() {
    is_fault("SEND\ndestination:/topic/a\nodd\n\nx", "malformed-header", &VERSIONS);
}

#[test]
fn frm_06_an_empty_value_is_passed_on() {
    for version in VERSIONS {
        let (_broker, mut client, mut observer) = scene(version);
        client.send("SEND\ndestination:/topic/a\nempty:\n\nx");
        assert_eq!(observer.expect_text("x").header("empty"), Some(""));
    }
}

#[test]
fn frm_07_an_empty_name_is_an_error() {
    is_fault("SEND\ndestination:/topic/a\n:value\n\nx", "malformed-header", &VERSIONS);
}

#[test]
fn frm_08_a_colon_inside_a_value_never_cuts_it() {
    for version in VERSIONS {
        let (_broker, mut client, mut observer) = scene(version);
        client.send("SEND\ndestination:/topic/a\nurl:http://h:80/\n\nx");
        assert_eq!(observer.expect_text("x").header("url"), Some("http://h:80/"));
    }
}

#[test]
fn frm_09_a_counted_body_without_its_nul_is_an_error() {
    is_fault("SEND\ndestination:/topic/a\ncontent-length:2\n\nthree", "malformed-frame", &VERSIONS);
}

#[test]
fn frm_10_an_unknown_command_is_an_error() {
    is_fault("PUBLISH\ndestination:/topic/a\n\nx", "unknown-command", &VERSIONS);
    is_fault("SENDS\ndestination:/topic/a\n\nx", "unknown-command", &VERSIONS);
    is_fault("GET / HTTP/1.1\nhost:x\n\n", "unknown-command", &VERSIONS);
}

#[test]
fn frm_11_a_command_of_servers_is_an_error() {
    for command in ["MESSAGE", "RECEIPT", "CONNECTED", "ERROR"] {
        is_fault(&format!("{command}\ndestination:/topic/a\nmessage-id:1\n\nx"), "server-command", &VERSIONS);
    }
}

#[test]
fn frm_12_nothing_is_done_before_the_nul() {
    for version in VERSIONS {
        let (_broker, mut client, mut observer) = scene(version);
        client.text("SEND\ndestination:/topic/a\nreceipt:1\n\nhalf");
        client.ping(b"read");
        assert!(matches!(client.receive(), crate::client::Received::Pong(_)), "what was sent is read");
        observer.expect_nothing_before_own("/topic/a");
        client.text(" and whole\0");
        client.expect_receipt("1");
        observer.expect_text("half and whole");
    }
}

#[test]
fn frm_13_a_frame_without_headers_is_legal() {
    for version in VERSIONS {
        let (_broker, mut client, _) = scene(version);
        client.send("DISCONNECT\n\n");
        assert_eq!(client.closed(), 1000);
    }
}

#[test]
fn frm_14_garbage_ends_its_own_connection_and_no_other() {
    let (broker, client, mut observer) = scene("1.2");
    drop(client);
    for garbage in [&b"\xFF\xFE\x00\x01garbage"[..], b"\0", b"\0\0\0", b"CONNECT\0", b"{\"json\":true}\n\n\0"] {
        let mut client = Client::open(&broker);
        client.binary(garbage);
        let error = client.expect("ERROR");
        assert_eq!(client.closed(), 1002, "{garbage:?}: {error:?}");
    }
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        client.binary(&[0xFF; 100]);
        client.expect_error("unknown-command");
    }
    observer.expect_nothing_before_own("/topic/a");
}
