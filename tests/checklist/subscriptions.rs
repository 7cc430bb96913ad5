//! SUB, UNS: subscribing and unsubscribing.

use crate::{
    client::{Client, SINCE_1_1, VERSIONS},
    support::Server,
};

#[test]
fn sub_01_subscribe_without_a_destination_is_an_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for destination in ["", "destination:\n"] {
            let mut client = Client::session(&broker, version);
            client.send(&format!("SUBSCRIBE\nid:1\n{destination}receipt:r\n\n"));
            assert_eq!(client.expect_error("missing-header").header("receipt-id"), Some("r"));
        }
    }
}

#[test]
fn sub_02_subscribe_without_an_id_is_an_error() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        client.send("SUBSCRIBE\ndestination:/topic/a\n\n");
        client.expect_error("missing-header");
    }
}

#[test]
fn sub_03_in_1_0_the_id_may_be_missing() {
    let broker = Server::broker(&[]);
    let mut client = Client::session(&broker, "1.0");
    client.send("SUBSCRIBE\ndestination:/topic/a\nreceipt:s\n\n");
    client.expect_receipt("s");
    client.send("SEND\ndestination:/topic/a\n\nx");
    client.expect_text("x");
}

#[test]
fn sub_04_an_id_in_use_is_an_error() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        for destination in ["/topic/a", "/topic/b"] {
            let mut client = Client::session(&broker, version);
            client.subscribe("1", "/topic/a");
            client.send(&format!("SUBSCRIBE\nid:1\ndestination:{destination}\nreceipt:r\n\n"));
            assert_eq!(client.expect_error("duplicate-subscription").header("receipt-id"), Some("r"));
        }
    }
}

#[test]
fn sub_05_an_unknown_ack_mode_is_an_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for ack in ["always", "AUTO", "", "client_individual"] {
            let mut client = Client::session(&broker, version);
            client.send(&format!("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:{ack}\n\n"));
            client.expect_error("invalid-ack");
        }
        let mut client = Client::session(&broker, version);
        client.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:auto\nreceipt:s\n\n");
        client.expect_receipt("s");
    }
    let mut client = Client::session(&broker, "1.0");
    client.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client-individual\n\n");
    client.expect_error("invalid-ack");
}

#[test]
fn sub_06_ids_belong_to_their_connection() {
    let broker = Server::broker(&[]);
    let mut clients = [(); 2].map(|()| Client::session(&broker, "1.2"));
    clients[0].subscribe("1", "/topic/a");
    clients[1].subscribe("1", "/topic/b");
    clients[0].send("UNSUBSCRIBE\nid:1\nreceipt:u\n\n");
    clients[0].expect_receipt("u");
    clients[1].expect_nothing_before_own("/topic/b");
}

#[test]
fn sub_07_two_subscriptions_to_one_topic_get_a_message_each() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        client.subscribe("1", "/topic/a");
        client.subscribe("2", "/topic/a");
        client.send("SEND\ndestination:/topic/a\n\nx");
        let mut ids = [(); 2].map(|()| client.expect_text("x").header("subscription").map(str::to_owned));
        ids.sort();
        assert_eq!(ids, [Some("1".to_owned()), Some("2".to_owned())]);
    }
}

#[test]
fn sub_08_a_subscription_is_active_before_its_receipt() {
    let broker = Server::broker(&[]);
    let mut sender = Client::session(&broker, "1.2");
    for round in 0..30 {
        let mut client = Client::session(&broker, VERSIONS[round % 3]);
        client.subscribe("1", "/topic/a");
        sender.send(&format!("SEND\ndestination:/topic/a\n\n{round}"));
        client.expect_text(&round.to_string());
    }
}

#[test]
fn sub_09_an_id_may_be_used_again() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        for destination in ["/topic/a", "/topic/b", "/topic/a"] {
            client.subscribe("1", destination);
            client.expect_nothing_before_own(destination);
            client.send("UNSUBSCRIBE\nid:1\nreceipt:u\n\n");
            client.expect_receipt("u");
        }
    }
}

#[test]
fn sub_11_a_connection_may_have_many_subscriptions() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        for number in 0..128 {
            client.subscribe(&number.to_string(), &format!("/topic/{number}"));
        }
        for number in 0..128 {
            client.send(&format!("SEND\ndestination:/topic/{number}\n\nx"));
            assert_eq!(client.expect_text("x").header("subscription"), Some(&number.to_string()[..]));
        }
        client.send("SUBSCRIBE\nid:one more\ndestination:/topic/a\n\n");
        client.expect_error("too-many-subscriptions");
    }
}

#[test]
fn uns_01_after_unsubscribe_no_message_comes() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        let mut sender = Client::session(&broker, "1.2");
        client.subscribe("1", "/topic/a");
        client.send("UNSUBSCRIBE\nid:1\nreceipt:u\n\n");
        client.expect_receipt("u");
        sender.send("SEND\ndestination:/topic/a\nreceipt:r\n\nlate");
        sender.expect_receipt("r");
        client.subscribe("2", "/topic/a");
        client.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn uns_02_unsubscribe_without_an_id_is_an_error() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        client.subscribe("1", "/topic/a");
        client.send("UNSUBSCRIBE\ndestination:/topic/a\nreceipt:r\n\n");
        assert_eq!(client.expect_error("missing-header").header("receipt-id"), Some("r"));
    }
    let mut client = Client::session(&broker, "1.0");
    client.send("UNSUBSCRIBE\n\n");
    client.expect_error("missing-header");
}

#[test]
fn uns_03_an_id_that_is_not_in_force_is_no_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.send("UNSUBSCRIBE\nid:never\nreceipt:1\n\n");
        client.expect_receipt("1");
        client.subscribe("errors", "/user/queue/errors");
        client.send("SUBSCRIBE\nid:refused\ndestination:/nowhere/a\nreceipt:2\n\n");
        assert_eq!(client.expect("MESSAGE").header("code"), Some("no-such-destination"));
        client.send("UNSUBSCRIBE\nid:refused\nreceipt:3\n\n");
        client.expect_receipt("3");
    }
}

#[test]
fn uns_04_in_1_0_a_destination_or_an_id_names_the_subscription() {
    let broker = Server::broker(&[]);
    for (subscribe, unsubscribe) in [("", "destination:/topic/a"), ("id:1\n", "id:1")] {
        let mut client = Client::session(&broker, "1.0");
        client.send(&format!("SUBSCRIBE\n{subscribe}destination:/topic/a\nreceipt:s\n\n"));
        client.expect_receipt("s");
        client.send(&format!("UNSUBSCRIBE\n{unsubscribe}\nreceipt:u\n\n"));
        client.expect_receipt("u");
        client.send("SEND\ndestination:/topic/a\nreceipt:r\n\nlate");
        client.expect_receipt("r");
        client.subscribe("2", "/topic/a");
        client.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn uns_05_only_the_named_subscription_ends() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        for id in ["1", "2", "3"] {
            client.subscribe(id, "/topic/a");
        }
        client.send("UNSUBSCRIBE\nid:2\nreceipt:u\n\n");
        client.expect_receipt("u");
        client.send("SEND\ndestination:/topic/a\n\nx");
        let mut ids = [(); 2].map(|()| client.expect_text("x").header("subscription").map(str::to_owned));
        ids.sort();
        assert_eq!(ids, [Some("1".to_owned()), Some("3".to_owned())]);
    }
}
