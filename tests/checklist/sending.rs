//! SEND, MSG: sending, and what MESSAGE says.

use std::collections::HashSet;

use crate::{
    client::{Client, SINCE_1_1, VERSIONS},
    support::Server,
};

#[test]
fn send_01_send_without_a_destination_is_an_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for destination in ["", "destination:\n"] {
            let mut client = Client::session(&broker, version);
            client.send(&format!("SEND\n{destination}receipt:r\n\nx"));
            assert_eq!(client.expect_error("missing-header").header("receipt-id"), Some("r"), "ERR-01");
        }
    }
}

#[test]
fn send_02_user_headers_are_passed_on() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.subscribe("1", "/topic/a");
        client.send("SEND\ndestination:/topic/a\ncolour:blue\nX-Odd_Name.1: a \nempty:\n\nx");
        let message = client.expect_text("x");
        for (name, value) in [("colour", "blue"), ("X-Odd_Name.1", " a "), ("empty", "")] {
            assert_eq!(message.header(name), Some(value));
        }
    }
}

#[test]
fn send_03_a_topic_without_subscribers_is_no_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.send("SEND\ndestination:/topic/nobody\nreceipt:r\n\nx");
        client.expect_receipt("r");
    }
}

#[test]
fn send_04_message_has_the_destination_of_send() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for destination in ["/topic/a", "/topic/a.b.c", "/topic/größe/1", "/topic/a b", "/topic/A"] {
            let mut client = Client::session(&broker, version);
            client.subscribe("1", destination);
            client.send(&format!("SEND\ndestination:{destination}\n\nx"));
            assert_eq!(client.expect_text("x").header("destination"), Some(destination));
        }
    }
}

#[test]
fn send_05_messages_of_one_connection_arrive_in_order() {
    let broker = Server::broker(&[]);
    let mut receivers = VERSIONS.map(|version| Client::session(&broker, version));
    for receiver in &mut receivers {
        receiver.subscribe("1", "/topic/a");
    }
    let mut sender = Client::session(&broker, "1.2");
    for number in 0..500 {
        sender.send(&format!("SEND\ndestination:/topic/a\n\n{number}"));
    }
    for receiver in &mut receivers {
        for number in 0..500 {
            receiver.expect_text(&number.to_string());
        }
    }
}

#[test]
fn send_06_a_message_reaches_every_subscription_once_the_senders_too() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut clients = [(); 3].map(|()| Client::session(&broker, version));
        for client in &mut clients {
            client.subscribe("1", "/topic/a");
        }
        clients[0].send("SEND\ndestination:/topic/a\n\nx");
        for client in &mut clients {
            client.expect_text("x");
        }
        clients[1].send("SEND\ndestination:/topic/a\n\nnext");
        for client in &mut clients {
            client.expect_text("next");
        }
    }
}

#[test]
fn send_07_receipt_does_not_appear_in_message() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut receiver = Client::session(&broker, "1.2");
        receiver.subscribe("1", "/topic/a");
        Client::session(&broker, version).send("SEND\ndestination:/topic/a\nreceipt:r\n\nx");
        assert_eq!(receiver.expect_text("x").header("receipt"), None);
    }
}

#[test]
fn msg_01_message_ids_are_unique() {
    let broker = Server::broker(&[]);
    let mut clients = VERSIONS.map(|version| Client::session(&broker, version));
    let mut ids = HashSet::new();
    for (number, client) in clients.iter_mut().enumerate() {
        client.subscribe("1", &format!("/topic/{number}"));
        client.subscribe("2", "/topic/all");
        for _ in 0..50 {
            client.send(&format!("SEND\ndestination:/topic/{number}\n\nx"));
        }
        for _ in 0..50 {
            assert!(ids.insert(client.expect_text("x").header("message-id").map(str::to_owned)));
        }
    }
}

#[test]
fn msg_02_subscription_is_the_receivers() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.subscribe("mine", "/topic/a");
        client.send("SEND\ndestination:/topic/a\n\nx");
        assert_eq!(client.expect_text("x").header("subscription"), Some("mine"));
    }
}

#[test]
fn msg_04_a_client_cannot_displace_the_servers_headers() {
    let broker = Server::broker(&[]);
    let forged = "message-id:forged\nsubscription:forged\nack:forged\nposition:forged\nredelivered:true\ndropped:9";
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.subscribe("1", "/topic/a");
        client.send(&format!("SEND\ndestination:/topic/a\n{forged}\ncode:forged\nrecovered:true\n\nx"));
        let message = client.expect_text("x");
        assert_eq!(message.header("subscription"), Some("1"));
        assert!(
            message.headers.iter().all(|(_, value)| value != "forged" && value != "true" && value != "9"),
            "{message:?}"
        );
        for name in ["message-id", "subscription", "destination", "content-length"] {
            assert_eq!(message.headers.iter().filter(|(known, _)| known == name).count(), 1, "{name}");
        }
    }
}

#[test]
fn msg_04_nor_can_a_name_become_one_of_them_where_a_version_cannot_carry_it_whole() {
    let broker = Server::broker(&[]);
    // A CR in 1.0 and 1.1, LF and a colon in 1.0: what is left of such a name must not be another header.
    for (from, to, name) in [
        ("1.1", "1.1", "\rcode"),
        ("1.0", "1.0", "co\rde"),
        ("1.2", "1.1", "\\rcode"),
        ("1.2", "1.0", "\\ncode"),
        ("1.1", "1.0", "co\\cde"),
    ] {
        let mut receiver = Client::session(&broker, to);
        receiver.subscribe("1", "/topic/a");
        Client::session(&broker, from).send(&format!("SEND\ndestination:/topic/a\n{name}:forged\n\nx"));
        let message = receiver.expect_text("x");
        assert_eq!(message.header("code"), None, "{name:?} from {from} to {to}");
    }
}

#[test]
fn rule_3_a_destination_is_refused_and_never_repaired() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        for destination in
            ["topic/a", "/topic//a", "/topic/a/", "/topic/../a", "/topic/.", "/topic/%61", "/", "/topic/\\\\"]
        {
            let mut client = Client::session(&broker, version);
            client.send(&format!("SEND\ndestination:{destination}\nreceipt:r\n\nx"));
            let error = client.expect("ERROR");
            assert_eq!(error.header("code"), Some("invalid-destination"), "{destination}");
            assert_eq!(error.header("receipt-id"), Some("r"));
            assert_eq!(client.closed(), 1008);
        }
    }
}
