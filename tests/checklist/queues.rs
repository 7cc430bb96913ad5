//! QUE: each message to one subscription, and kept while there is none.

use std::collections::BTreeSet;

use crate::{
    client::{Client, VERSIONS},
    support::Server,
};

#[test]
fn que_01_a_message_goes_to_exactly_one_subscription() {
    for version in VERSIONS {
        let broker = Server::broker(&[]);
        let mut consumers: Vec<_> = (0..3).map(|_| Client::session(&broker, version)).collect();
        for consumer in &mut consumers {
            consumer.subscribe("jobs", "/queue/jobs");
        }
        let mut sender = Client::session(&broker, "1.2");
        for number in 0..30 {
            sender.put("/queue/jobs", &number.to_string());
        }
        let mut seen = BTreeSet::new();
        for consumer in &mut consumers {
            let mut last = None;
            for _ in 0..10 {
                let number: u32 = consumer.expect("MESSAGE").text().parse().expect("a number");
                assert!(last < Some(number), "in order");
                assert!(seen.insert(number), "{number} came twice");
                last = Some(number);
            }
        }
        assert_eq!(seen.len(), 30);
    }
}

#[test]
fn que_02_what_is_sent_while_nobody_subscribes_is_kept() {
    for version in VERSIONS {
        let broker = Server::broker(&[]);
        let mut sender = Client::session(&broker, version);
        for text in ["1", "2", "3"] {
            sender.put("/queue/jobs", text);
        }
        sender.send("DISCONNECT\n\n");
        sender.closed();
        let mut consumer = Client::session(&broker, version);
        consumer.subscribe("jobs", "/queue/jobs");
        for text in ["1", "2", "3"] {
            assert_eq!(consumer.expect_text(text).header("destination"), Some("/queue/jobs"));
        }
    }
}
