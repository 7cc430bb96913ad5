//! ENC: how names and values are encoded, and cross versions.

use crate::{
    client::{Client, Frame, SINCE_1_1, VERSIONS},
    support::Server,
};

/// Sends a header line from one version and gives what a subscriber of another one sees.
fn relayed(from: &'static str, to: &'static str, line: &str) -> Frame {
    let broker = Server::broker(&[]);
    let mut receiver = Client::session(&broker, to);
    receiver.subscribe("1", "/topic/a");
    Client::session(&broker, from).send(&format!("SEND\ndestination:/topic/a\n{line}\n\nx"));
    receiver.expect_text("x")
}

fn is_undefined(version: &'static str, line: &str) {
    let broker = Server::broker(&[]);
    let mut observer = Client::session(&broker, "1.2");
    observer.subscribe("1", "/topic/a");
    let mut client = Client::session(&broker, version);
    client.send(&format!("SEND\ndestination:/topic/a\nreceipt:r\n{line}\n\nx"));
    let error = client.expect_error("undefined-escape");
    assert_eq!(error.header("receipt-id"), Some("r"), "ERR-01");
    observer.expect_nothing_before_own("/topic/a");
}

#[test]
fn enc_01_the_escapes_are_decoded_and_encoded() {
    for version in SINCE_1_1 {
        let frame = relayed(version, version, "odd:line\\nbreak\\ccolon\\\\backslash");
        assert_eq!(frame.header("odd"), Some("line\nbreak:colon\\backslash"));
    }
    assert_eq!(relayed("1.2", "1.2", "odd:a\\rb").header("odd"), Some("a\rb"));
}

#[test]
fn enc_02_decoding_is_one_pass_from_left_to_right() {
    for version in SINCE_1_1 {
        assert_eq!(relayed(version, version, "odd:\\\\n\\\\\\n\\\\c").header("odd"), Some("\\n\\\n\\c"));
    }
}

#[test]
fn enc_03_escapes_work_in_names() {
    for version in SINCE_1_1 {
        assert_eq!(relayed(version, version, "o\\cd\\\\d:x").header("o:d\\d"), Some("x"));
    }
}

#[test]
fn enc_04_an_undefined_escape_is_an_error() {
    for version in SINCE_1_1 {
        for line in ["odd:a\\tb", "odd:\\0", "o\\xdd:a", "odd:\\C", "odd:\\N"] {
            is_undefined(version, line);
        }
    }
}

#[test]
fn enc_05_the_escape_of_cr_is_undefined_in_1_1() {
    is_undefined("1.1", "odd:a\\rb");
}

#[test]
fn enc_06_a_backslash_at_the_end_is_an_error() {
    for version in SINCE_1_1 {
        is_undefined(version, "odd:a\\");
        is_undefined(version, "odd\\:a");
    }
}

#[test]
fn enc_07_spaces_are_neither_trimmed_nor_added() {
    for version in SINCE_1_1 {
        let frame = relayed(version, version, " odd :  x\t ");
        assert_eq!(frame.header(" odd "), Some("  x\t "));
    }
}

#[test]
fn enc_08_headers_are_utf_8() {
    for version in SINCE_1_1 {
        let frame = relayed(version, version, "größe:世界 😀 \u{7f}\u{2028}");
        assert_eq!(frame.header("größe"), Some("世界 😀 \u{7f}\u{2028}"));
    }
}

#[test]
fn enc_09_1_0_has_no_escapes() {
    assert_eq!(relayed("1.0", "1.0", "odd:a\\nb\\c\\t\\").header("odd"), Some("a\\nb\\c\\t\\"));
}

#[test]
fn enc_10_to_12_a_value_crosses_versions() {
    let cases = [
        ("1.2", "1.1", "odd:a\\cb\\\\c\\nd", "a:b\\c\nd"),
        ("1.2", "1.0", "odd:a\\cb\\\\c", "a:b\\c"),
        ("1.0", "1.2", "odd:a:b\\c\\n", "a:b\\c\\n"),
        ("1.0", "1.1", "odd:a:b\\c\\n", "a:b\\c\\n"),
        ("1.1", "1.2", "odd:a\\cb\\\\c\\nd", "a:b\\c\nd"),
        // What a version cannot carry is left out.
        ("1.2", "1.1", "odd:a\\rb", "ab"),
        ("1.2", "1.0", "odd:a\\rb\\nc", "abc"),
        ("1.1", "1.0", "odd:a\\nb", "ab"),
    ];
    for (from, to, line, value) in cases {
        assert_eq!(relayed(from, to, line).header("odd"), Some(value), "{line} from {from} to {to}");
    }
}

#[test]
fn enc_13_receipt_id_gives_back_the_same_value() {
    let broker = Server::broker(&[]);
    for (version, sent, value) in [
        ("1.0", "a:b\\n c", "a:b\\n c"),
        ("1.1", "a\\cb\\\\n\\n c ", "a:b\\n\n c "),
        ("1.2", "a\\cb\\\\n\\n\\r c ", "a:b\\n\n\r c "),
        ("1.2", "größe 😀", "größe 😀"),
        ("1.2", "", ""),
    ] {
        let mut client = Client::session(&broker, version);
        client.send(&format!("SEND\ndestination:/topic/a\nreceipt:{sent}\n\nx"));
        client.expect_receipt(value);
    }
}

#[test]
fn enc_14_subscription_ids_are_opaque() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        for (sent, id) in [("a\\cb c", "a:b c"), (" 7 ", " 7 "), ("größe/*", "größe/*"), ("\\n\\\\", "\n\\")] {
            let mut client = Client::session(&broker, version);
            client.send(&format!("SUBSCRIBE\nid:{sent}\ndestination:/topic/a\nreceipt:r\n\n"));
            client.expect_receipt("r");
            client.send("SEND\ndestination:/topic/a\n\nx");
            assert_eq!(client.expect_text("x").header("subscription"), Some(id));
            client.send(&format!("UNSUBSCRIBE\nid:{sent}\nreceipt:u\n\n"));
            client.expect_receipt("u");
        }
    }
}

#[test]
fn enc_15_a_destination_may_have_a_colon() {
    let broker = Server::broker(&[]);
    for (version, sent) in [("1.0", "/topic/a:b"), ("1.1", "/topic/a\\cb"), ("1.2", "/topic/a\\cb")] {
        let mut client = Client::session(&broker, version);
        client.subscribe("1", sent);
        client.send(&format!("SEND\ndestination:{sent}\n\nx"));
        assert_eq!(client.expect_text("x").header("destination"), Some("/topic/a:b"));
    }
}

#[test]
fn enc_16_a_header_that_is_not_utf_8_is_an_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.binary(b"SEND\ndestination:/topic/a\nodd:\xC3\x28\n\nx\0");
        client.expect_error("invalid-utf8");
    }
}
