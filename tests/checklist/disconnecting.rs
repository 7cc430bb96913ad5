//! DIS: the orderly end.

use crate::{
    client::{Client, VERSIONS},
    support::Server,
};

#[test]
fn dis_01_dis_02_disconnect_is_answered_after_everything_before_it_and_closes() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut observer = Client::session(&broker, "1.2");
        observer.subscribe("1", "/topic/a");
        let mut client = Client::session(&broker, version);
        let mut burst = String::new();
        for number in 0..100 {
            burst.push_str(&format!("SEND\ndestination:/topic/a\nreceipt:{number}\n\n{number}\0"));
        }
        client.text(&format!("{burst}DISCONNECT\nreceipt:bye\n\n\0"));
        for number in 0..100 {
            client.expect_receipt(&number.to_string());
            observer.expect_text(&number.to_string());
        }
        client.expect_receipt("bye");
        assert_eq!(client.closed(), 1000, "WS-13");
    }
}

#[test]
fn dis_03_disconnect_without_a_receipt_closes_without_an_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.send("DISCONNECT\n\n");
        assert_eq!(client.closed(), 1000);
    }
}

#[test]
fn dis_04_frames_after_disconnect_have_no_effect() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut observer = Client::session(&broker, "1.2");
        observer.subscribe("1", "/topic/a");
        let mut client = Client::session(&broker, version);
        client.text("DISCONNECT\nreceipt:bye\n\n\0SEND\ndestination:/topic/a\nreceipt:late\n\nlate\0garbage");
        client.expect_receipt("bye");
        assert_eq!(client.closed(), 1000);
        observer.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn dis_05_no_message_follows_the_answer_to_disconnect() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut sender = Client::session(&broker, "1.2");
        let mut client = Client::session(&broker, version);
        // Its own topic: what the round before sent may still be on its way.
        let topic = format!("/topic/{version}");
        client.subscribe("1", &topic);
        for _ in 0..200 {
            sender.send(&format!("SEND\ndestination:{topic}\n\nx"));
        }
        client.send("DISCONNECT\nreceipt:bye\n\n");
        loop {
            let frame = client.frame();
            if frame.command == "RECEIPT" {
                break;
            }
            assert_eq!(frame.command, "MESSAGE");
        }
        assert_eq!(client.closed(), 1000);
    }
}
