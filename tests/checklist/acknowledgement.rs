//! ACK, NACK, TX: what is wrong with such a frame whatever the server does with a good one.

use crate::{
    client::{Client, SINCE_1_1, VERSIONS},
    support::Server,
};

fn is_fault(version: &'static str, frame: &str, code: &str) {
    let broker = Server::broker(&[]);
    let mut client = Client::session(&broker, version);
    client.send(frame);
    let error = client.expect_error(code);
    if frame.contains("\nreceipt:r\n") {
        assert_eq!(error.header("receipt-id"), Some("r"), "ERR-01");
    }
}

#[test]
fn ack_05_ack_without_the_headers_of_its_version_is_an_error() {
    for (version, headers) in [
        ("1.0", ""),
        ("1.0", "id:1\n"),
        ("1.1", "message-id:1\n"),
        ("1.1", "subscription:1\n"),
        ("1.2", "message-id:1\n"),
    ] {
        is_fault(version, &format!("ACK\n{headers}receipt:r\n\n"), "missing-header");
    }
}

#[test]
fn nack_03_nack_without_the_headers_of_its_version_is_an_error() {
    for (version, headers) in [("1.1", "message-id:1\n"), ("1.1", "subscription:1\n"), ("1.2", "message-id:1\n")] {
        is_fault(version, &format!("NACK\n{headers}receipt:r\n\n"), "missing-header");
    }
}

#[test]
fn nack_05_1_0_has_no_nack() {
    is_fault("1.0", "NACK\nmessage-id:1\nreceipt:r\n\n", "unknown-command");
}

#[test]
fn tx_06_a_transaction_without_an_id_is_an_error() {
    for version in VERSIONS {
        for command in ["BEGIN", "COMMIT", "ABORT"] {
            for transaction in ["", "transaction:\n"] {
                is_fault(version, &format!("{command}\n{transaction}receipt:r\n\n"), "missing-header");
            }
        }
    }
}

#[test]
fn tx_08_commit_or_abort_of_an_unknown_transaction_is_an_error() {
    for version in VERSIONS {
        for command in ["COMMIT", "ABORT"] {
            is_fault(version, &format!("{command}\ntransaction:1\nreceipt:r\n\n"), "unknown-transaction");
        }
    }
}

#[test]
fn tx_09_send_in_an_unknown_transaction_is_an_error_and_delivers_nothing() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut observer = Client::session(&broker, "1.2");
        observer.subscribe("1", "/topic/a");
        let mut client = Client::session(&broker, version);
        client.send("SEND\ndestination:/topic/a\ntransaction:1\nreceipt:r\n\nx");
        assert_eq!(client.expect_error("unknown-transaction").header("receipt-id"), Some("r"));
        observer.expect_nothing_before_own("/topic/a");
    }
}
