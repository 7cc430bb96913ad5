//! ACK, NACK, V10-02: what is settled, what is not, and what comes again.

use std::time::Duration;

use crate::{
    client::{Client, Frame, Received, SINCE_1_1, VERSIONS},
    support::Server,
};

const MODES: [&str; 2] = ["client", "client-individual"];

/// Messages of a queue that was filled with so many, for a client that acknowledges.
fn given(broker: &Server, version: &'static str, mode: &str, count: usize) -> (Client, Vec<Frame>) {
    let mut client = Client::session(broker, version);
    client.subscribe_to_acknowledge("jobs", "/queue/jobs", mode);
    let mut sender = Client::session(broker, "1.2");
    for number in 0..count {
        sender.put("/queue/jobs", &number.to_string());
    }
    let messages = (0..count).map(|number| client.expect_text(&number.to_string())).collect();
    (client, messages)
}

/// What the queue still has; it is empty then.
fn left(broker: &Server) -> Vec<String> {
    let mut client = Client::session(broker, "1.2");
    client.subscribe("rest", "/queue/jobs");
    client.send("SEND\ndestination:/queue/jobs\n\nthe end");
    let mut texts = Vec::new();
    loop {
        match client.expect("MESSAGE").text() {
            "the end" => return texts,
            text => texts.push(text.to_owned()),
        }
    }
}

/// Leaves, and returns when the server has let go.
fn leave(mut client: Client) {
    client.send("DISCONNECT\nreceipt:bye\n\n");
    client.expect_receipt("bye");
    client.closed();
}

/// Nothing comes for a while.
fn is_silent(client: &mut Client) {
    for received in client.receive_for(Duration::from_millis(300)) {
        assert!(matches!(received, Received::Beat | Received::Ping), "{received:?}");
    }
}

pub(crate) fn is_fault(version: &'static str, frame: &str, code: &str) {
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
fn ack_01_auto_is_consumed_once_it_is_sent() {
    for version in VERSIONS {
        let broker = Server::broker(&[]);
        let (client, messages) = given(&broker, version, "auto", 2);
        assert!(messages.iter().all(|message| message.header("ack").is_none()));
        leave(client);
        assert_eq!(left(&broker), [""; 0], "{version}");
    }
}

#[test]
fn ack_02_what_a_lost_connection_has_not_acknowledged_comes_again() {
    for version in VERSIONS {
        let broker = Server::broker(&[]);
        let (client, messages) = given(&broker, version, "client", 1);
        drop(client.into_stream());
        let mut next = Client::session(&broker, "1.2");
        next.subscribe("again", "/queue/jobs");
        let again = next.expect_text("0");
        assert_eq!(again.header("redelivered"), Some("true"));
        assert_eq!(again.header("message-id"), messages[0].header("message-id"));
    }
}

#[test]
fn ack_03_client_settles_a_message_and_all_earlier_ones() {
    for version in VERSIONS {
        let broker = Server::broker(&[]);
        let (mut client, messages) = given(&broker, version, "client", 4);
        client.settle("ACK", &messages[2]);
        leave(client);
        assert_eq!(left(&broker), ["3"], "{version}");
    }
}

#[test]
fn ack_04_client_individual_settles_one_message() {
    for version in SINCE_1_1 {
        let broker = Server::broker(&[]);
        let (mut client, messages) = given(&broker, version, "client-individual", 4);
        client.settle("ACK", &messages[2]);
        leave(client);
        assert_eq!(left(&broker), ["0", "1", "3"], "{version}");
    }
}

#[test]
fn ack_06_what_was_never_given_out_is_an_error() {
    for (version, headers) in [("1.1", "message-id:1\nsubscription:jobs"), ("1.2", "id:1"), ("1.2", "id:1.1")] {
        for command in ["ACK", "NACK"] {
            is_fault(version, &format!("{command}\n{headers}\nreceipt:r\n\n"), "unknown-ack");
        }
    }
    is_fault("1.0", "ACK\nmessage-id:1\nreceipt:r\n\n", "unknown-ack");
}

#[test]
fn ack_06_and_07_what_is_settled_or_taken_back_is_ignored_and_its_receipt_is_answered() {
    for version in SINCE_1_1 {
        for mode in MODES {
            let broker = Server::broker(&[]);
            let (mut client, messages) = given(&broker, version, mode, 2);
            for command in ["ACK", "ACK", "NACK"] {
                client.settle(command, &messages[0]);
            }
            client.send("UNSUBSCRIBE\nid:jobs\nreceipt:u\n\n");
            client.expect_receipt("u");
            client.settle("ACK", &messages[1]);
            leave(client);
            assert_eq!(left(&broker), ["1"], "{version} {mode}: it was taken back first");
        }
    }
}

#[test]
fn ack_06_what_timed_out_is_ignored_and_comes_again() {
    for version in SINCE_1_1 {
        let broker = Server::broker(&["--ack-timeout", "1"]);
        let (mut client, messages) = given(&broker, version, "client-individual", 1);
        let again = client.expect_text("0");
        assert_eq!(again.header("redelivered"), Some("true"), "{version}");
        assert_eq!(again.header("message-id"), messages[0].header("message-id"));
        client.settle("ACK", &again);
        client.settle("NACK", &messages[0]);
        leave(client);
        assert_eq!(left(&broker), [""; 0]);
    }
}

#[test]
fn ack_08_ack_values_are_per_connection() {
    let broker = Server::broker(&[]);
    let (client, messages) = given(&broker, "1.2", "client", 1);
    let mut other = Client::session(&broker, "1.2");
    other.send(&format!("ACK\n{}\n", other.names(&messages[0])));
    other.expect_error("unknown-ack");
    leave(client);
    assert_eq!(left(&broker), ["0"]);
}

#[test]
fn ack_09_disconnect_returns_what_is_not_settled() {
    for version in VERSIONS {
        let broker = Server::broker(&[]);
        let (mut client, messages) = given(&broker, version, "client", 3);
        client.settle("ACK", &messages[0]);
        leave(client);
        assert_eq!(left(&broker), ["1", "2"], "{version}");
    }
}

#[test]
fn ack_10_topics_are_acknowledged_too() {
    let broker = Server::broker(&["--ack-timeout", "1"]);
    for version in VERSIONS {
        for mode in ["auto", "client", "client-individual"] {
            if (version, mode) == ("1.0", "client-individual") {
                continue;
            }
            let mut client = Client::session(&broker, version);
            client.subscribe_to_acknowledge("0", "/topic/a", mode);
            let mut sender = Client::session(&broker, "1.2");
            sender.put("/topic/a", "x");
            let message = client.expect_text("x");
            if mode != "auto" {
                let message = client.expect_text("x");
                assert_eq!(message.header("redelivered"), Some("true"), "{version} {mode}: after the time-out");
                client.settle("ACK", &message);
            } else if version != "1.2" {
                client.settle("ACK", &message);
            }
            leave(client);
        }
    }
}

#[test]
fn ack_11_a_cumulative_ack_never_touches_another_subscription() {
    let broker = Server::broker(&["--ack-timeout", "1"]);
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        client.subscribe_to_acknowledge("1", "/topic/a", "client");
        client.subscribe_to_acknowledge("2", "/topic/a", "client");
        let mut sender = Client::session(&broker, "1.2");
        sender.put("/topic/a", "x");
        let (one, two) = (client.expect_text("x"), client.expect_text("x"));
        assert_ne!(one.header("subscription"), two.header("subscription"));
        client.settle("ACK", &one);
        let again = client.expect_text("x");
        assert_eq!(again.header("subscription"), two.header("subscription"), "{version}");
        client.settle("ACK", &again);
    }
}

#[test]
fn nack_01_and_04_client_individual_gives_one_message_back_and_it_comes_again() {
    for version in SINCE_1_1 {
        let broker = Server::broker(&[]);
        let (mut client, messages) = given(&broker, version, "client-individual", 3);
        client.send(&format!("NACK\n{}receipt:n\n\n", client.names(&messages[1])));
        let (again, receipt) = (client.frame(), client.frame());
        let (again, receipt) = if again.command == "MESSAGE" { (again, receipt) } else { (receipt, again) };
        assert_eq!((again.text(), receipt.header("receipt-id")), ("1", Some("n")));
        assert_eq!(again.header("redelivered"), Some("true"), "{version}");
        assert_eq!(again.header("message-id"), messages[1].header("message-id"));
        is_silent(&mut client);
        for message in [&messages[0], &messages[2], &again] {
            client.settle("ACK", message);
        }
        leave(client);
        assert_eq!(left(&broker), [""; 0]);
    }
}

#[test]
fn nack_02_client_gives_a_message_and_all_earlier_ones_back() {
    for version in SINCE_1_1 {
        let broker = Server::broker(&[]);
        let (mut client, messages) = given(&broker, version, "client", 4);
        client.settle("ACK", &messages[0]);
        client.send(&format!("NACK\n{}\n", client.names(&messages[2])));
        for text in ["1", "2"] {
            assert_eq!(client.expect_text(text).header("redelivered"), Some("true"), "{version}");
        }
        is_silent(&mut client);
    }
}

#[test]
fn v10_02_1_0_names_a_message_by_its_id_alone() {
    let broker = Server::broker(&[]);
    let mut client = Client::session(&broker, "1.0");
    // Without an id of its own, as 1.0 allows.
    client.send("SUBSCRIBE\ndestination:/queue/jobs\nack:client\nreceipt:s\n\n");
    client.expect_receipt("s");
    Client::session(&broker, "1.2").put("/queue/jobs", "x");
    let message = client.expect_text("x");
    client.settle("ACK", &message);
    leave(client);
    assert_eq!(left(&broker), [""; 0]);
}

#[test]
fn rct_02_ack_and_nack_are_answered() {
    for version in SINCE_1_1 {
        let broker = Server::broker(&[]);
        let (mut client, messages) = given(&broker, version, "client-individual", 1);
        client.settle("ACK", &messages[0]);
        client.settle("NACK", &messages[0]);
    }
}
