//! RCT, ERR: receipts and errors.

use crate::{
    client::{Client, VERSIONS},
    support::Server,
};

#[test]
fn rct_01_every_frame_that_asks_is_answered() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:1\n\n");
        client.expect_receipt("1");
        client.send("UNSUBSCRIBE\nid:1\nreceipt:2\n\n");
        client.expect_receipt("2");
        client.send("SEND\ndestination:/topic/a\nreceipt:3\n\nx");
        client.expect_receipt("3");
        for (receipt, command) in [("4", "BEGIN"), ("5", "COMMIT"), ("6", "BEGIN"), ("7", "ABORT")] {
            client.send(&format!("{command}\ntransaction:t\nreceipt:{receipt}\n\n"));
            client.expect_receipt(receipt);
        }
    }
}

#[test]
fn rct_03_receipts_come_in_the_order_of_their_frames() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        for number in 0..300 {
            let frame = match number % 3 {
                0 => format!("SUBSCRIBE\nid:{number}\ndestination:/topic/{number}\n"),
                1 => format!("UNSUBSCRIBE\nid:{}\n", number - 1),
                _ => format!("SEND\ndestination:/topic/{number}\n"),
            };
            client.send(&format!("{frame}receipt:{number}\n\n"));
        }
        for number in 0..300 {
            client.expect_receipt(&number.to_string());
        }
    }
}

#[test]
fn rct_04_no_receipt_unasked_and_none_twice() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.send("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
        client.send("UNSUBSCRIBE\nid:1\n\n");
        client.send("SEND\ndestination:/topic/a\n\nx");
        client.send("SEND\ndestination:/topic/a\nreceipt:once\n\nx");
        client.expect_receipt("once");
        client.send("SEND\ndestination:/topic/a\nreceipt:last\n\nx");
        client.expect_receipt("last");
    }
}

#[test]
fn rct_05_err_01_a_frame_that_failed_draws_an_error_with_its_receipt_id_and_no_receipt() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for frame in ["SEND\nreceipt:r\n\nx", "SUBSCRIBE\nid:1\nreceipt:r\n\n", "MESSAGE\nreceipt:r\n\n"] {
            let mut client = Client::session(&broker, version);
            client.send(frame);
            let error = client.expect("ERROR");
            assert_eq!(error.header("receipt-id"), Some("r"), "{frame:?}");
            assert_eq!(client.closed(), 1002);
        }
    }
}

#[test]
fn rct_06_receipt_values_are_the_clients() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        for _ in 0..2 {
            client.send("SEND\ndestination:/topic/a\nreceipt:same\n\nx");
        }
        client.expect_receipt("same");
        client.expect_receipt("same");
    }
}

#[test]
fn err_02_after_an_error_nothing_is_processed() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut observer = Client::session(&broker, "1.2");
        observer.subscribe("1", "/topic/a");
        let mut client = Client::session(&broker, version);
        client.text("PUBLISH\n\n\0SEND\ndestination:/topic/a\nreceipt:late\n\nlate\0");
        client.expect_error("unknown-command");
        observer.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn err_03_frames_before_the_bad_one_are_processed() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut observer = Client::session(&broker, "1.2");
        observer.subscribe("1", "/topic/a");
        let mut client = Client::session(&broker, version);
        client.text("SEND\ndestination:/topic/a\nreceipt:1\n\nearly\0SEND\ndestination:/topic/a\nreceipt:2\n\nearly too\0PUBLISH\n\n\0");
        observer.expect_text("early");
        observer.expect_text("early too");
        client.expect_receipt("1");
        client.expect_receipt("2");
        client.expect_error("unknown-command");
    }
}

#[test]
fn rule_11_who_listens_to_the_error_queue_stays() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.subscribe("errors", "/user/queue/errors");
        for (frame, code) in [
            ("SUBSCRIBE\nid:1\ndestination:/app/none\nreceipt:r\n\n", "no-such-destination"),
            ("SEND\ndestination:/app/none\nreceipt:r\n\nx", "no-such-destination"),
            ("SUBSCRIBE\nid:1\ndestination:/topic/a\nselector:x=1\nreceipt:r\n\n", "not-supported"),
        ] {
            client.send(frame);
            let refusal = client.expect("MESSAGE");
            assert_eq!(refusal.header("subscription"), Some("errors"));
            assert_eq!(refusal.header("destination"), Some("/user/queue/errors"));
            assert_eq!(refusal.header("code"), Some(code));
            assert_eq!(refusal.header("receipt-id"), Some("r"));
        }
        client.subscribe("1", "/topic/a");
    }
}
