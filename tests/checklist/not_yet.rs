//! What a later release brings is refused clearly, and never half done: queues, acknowledgement, transactions.

use crate::{
    client::{Client, SINCE_1_1, VERSIONS},
    support::Server,
};

/// Without a subscription to the error queue: ERROR with the receipt, and the end.
fn is_refused(version: &'static str, frame: &str) {
    let broker = Server::broker(&[]);
    let mut client = Client::session(&broker, version);
    client.send(frame);
    let error = client.expect_error("not-supported");
    assert_eq!(error.header("receipt-id"), Some("r"), "{error:?}");
}

#[test]
fn queues_are_refused() {
    for version in VERSIONS {
        is_refused(version, "SUBSCRIBE\nid:1\ndestination:/queue/a\nreceipt:r\n\n");
        is_refused(version, "SEND\ndestination:/queue/a\nreceipt:r\n\nx");
    }
}

#[test]
fn other_ack_modes_than_auto_are_refused() {
    for version in VERSIONS {
        is_refused(version, "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\nreceipt:r\n\n");
    }
    for version in SINCE_1_1 {
        is_refused(version, "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client-individual\nreceipt:r\n\n");
    }
}

#[test]
fn ack_and_nack_are_refused() {
    for (version, headers) in [("1.0", "message-id:1"), ("1.1", "message-id:1\nsubscription:1"), ("1.2", "id:1")] {
        is_refused(version, &format!("ACK\n{headers}\nreceipt:r\n\n"));
        if version != "1.0" {
            is_refused(version, &format!("NACK\n{headers}\nreceipt:r\n\n"));
        }
    }
}

#[test]
fn transactions_are_refused() {
    for version in VERSIONS {
        is_refused(version, "BEGIN\ntransaction:1\nreceipt:r\n\n");
    }
}

#[test]
fn rule_11_who_listens_to_the_error_queue_stays() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.subscribe("errors", "/user/queue/errors");
        for frame in [
            "SUBSCRIBE\nid:1\ndestination:/queue/a\nreceipt:r\n\n",
            "SEND\ndestination:/queue/a\nreceipt:r\n\nx",
            "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\nreceipt:r\n\n",
        ] {
            client.send(frame);
            let refusal = client.expect("MESSAGE");
            assert_eq!(refusal.header("subscription"), Some("errors"));
            assert_eq!(refusal.header("destination"), Some("/user/queue/errors"));
            assert_eq!(refusal.header("code"), Some("not-supported"));
            assert_eq!(refusal.header("receipt-id"), Some("r"));
        }
        client.subscribe("1", "/topic/a");
    }
}
