//! TX: SEND, ACK and NACK wait for their COMMIT.

use crate::{
    acknowledgement::is_fault,
    client::{Client, SINCE_1_1, VERSIONS},
    support::Server,
};

/// Sends a BEGIN, COMMIT or ABORT and waits for its receipt (RCT-01).
fn end(client: &mut Client, command: &str, id: &str) {
    client.send(&format!("{command}\ntransaction:{id}\nreceipt:{command}-{id}\n\n"));
    client.expect_receipt(&format!("{command}-{id}"));
}

/// Sends a text in a transaction.
fn hold(client: &mut Client, id: &str, text: &str) {
    client.send(&format!("SEND\ndestination:/topic/a\ntransaction:{id}\n\n{text}"));
}

fn observer(broker: &Server) -> Client {
    let mut observer = Client::session(broker, "1.2");
    observer.subscribe("1", "/topic/a");
    observer
}

#[test]
fn tx_01_and_02_sends_are_delivered_on_commit_in_order_and_not_before() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut observer = observer(&broker);
        let mut client = Client::session(&broker, version);
        end(&mut client, "BEGIN", "t");
        for text in ["1", "2", "3"] {
            hold(&mut client, "t", text);
        }
        client.put("/topic/none", "behind");
        observer.expect_nothing_before_own("/topic/a");
        end(&mut client, "COMMIT", "t");
        for text in ["1", "2", "3"] {
            observer.expect_text(text);
        }
    }
}

#[test]
fn tx_03_abort_discards() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut observer = observer(&broker);
        let mut client = Client::session(&broker, version);
        end(&mut client, "BEGIN", "t");
        hold(&mut client, "t", "1");
        end(&mut client, "ABORT", "t");
        observer.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn tx_04_and_05_disconnect_and_the_loss_of_the_connection_abort() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut observer = observer(&broker);
        let mut client = Client::session(&broker, version);
        end(&mut client, "BEGIN", "t");
        hold(&mut client, "t", "1");
        client.send("DISCONNECT\nreceipt:bye\n\n");
        client.expect_receipt("bye");
        client.closed();
        let mut client = Client::session(&broker, version);
        end(&mut client, "BEGIN", "t");
        hold(&mut client, "t", "1");
        client.put("/topic/none", "behind");
        drop(client.into_stream());
        observer.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn tx_07_begin_of_an_open_transaction_is_an_error() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let mut client = Client::session(&broker, version);
        end(&mut client, "BEGIN", "t");
        client.send("BEGIN\ntransaction:t\nreceipt:r\n\n");
        assert_eq!(client.expect_error("transaction-open").header("receipt-id"), Some("r"));
    }
}

#[test]
fn tx_10_11_and_12_transactions_are_independent_can_be_begun_again_and_are_each_connections_own() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut observer = observer(&broker);
        let mut one = Client::session(&broker, version);
        let mut other = Client::session(&broker, version);
        end(&mut one, "BEGIN", "t");
        end(&mut one, "BEGIN", "u");
        end(&mut other, "BEGIN", "t");
        hold(&mut one, "t", "one t");
        hold(&mut one, "u", "one u");
        hold(&mut other, "t", "other t");
        end(&mut one, "COMMIT", "u");
        end(&mut other, "COMMIT", "t");
        end(&mut one, "ABORT", "t");
        end(&mut one, "BEGIN", "t");
        hold(&mut one, "t", "again");
        end(&mut one, "COMMIT", "t");
        for text in ["one u", "other t", "again"] {
            observer.expect_text(text);
        }
        observer.expect_nothing_before_own("/topic/a");
    }
}

#[test]
fn tx_13_to_15_ack_and_nack_take_effect_on_commit_and_have_none_otherwise() {
    for version in SINCE_1_1 {
        let broker = Server::broker(&[]);
        let mut client = Client::session(&broker, version);
        client.subscribe_to_acknowledge("jobs", "/queue/jobs", "client-individual");
        let mut sender = Client::session(&broker, "1.2");
        for text in ["1", "2", "3"] {
            sender.put("/queue/jobs", text);
        }
        let messages: Vec<_> = ["1", "2", "3"].iter().map(|text| client.expect_text(text)).collect();
        let settle = |client: &mut Client, command: &str, index: usize| {
            client.send(&format!("{command}\n{}transaction:t\n\n", client.names(&messages[index])));
        };
        end(&mut client, "BEGIN", "t");
        settle(&mut client, "ACK", 0);
        settle(&mut client, "NACK", 1);
        end(&mut client, "ABORT", "t");
        end(&mut client, "BEGIN", "t");
        settle(&mut client, "ACK", 0);
        settle(&mut client, "NACK", 1);
        client.send("COMMIT\ntransaction:t\n\n");
        assert_eq!(client.expect_text("2").header("redelivered"), Some("true"));
        end(&mut client, "BEGIN", "t");
        settle(&mut client, "ACK", 2);
        client.put("/topic/none", "behind");
        drop(client.into_stream());
        let mut next = Client::session(&broker, "1.2");
        next.subscribe("rest", "/queue/jobs");
        next.expect_text("2");
        next.expect_text("3");
    }
}

#[test]
fn tx_08_the_second_commit_is_of_an_unknown_transaction() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        end(&mut client, "BEGIN", "t");
        end(&mut client, "COMMIT", "t");
        client.send("COMMIT\ntransaction:t\n\n");
        client.expect_error("unknown-transaction");
    }
}

#[test]
fn tx_17_the_receipt_of_a_send_comes_with_the_commit_once() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        end(&mut client, "BEGIN", "t");
        client.send("SEND\ndestination:/topic/a\ntransaction:t\nreceipt:held\n\nx");
        client.put("/topic/none", "first");
        client.send("COMMIT\ntransaction:t\nreceipt:commit\n\n");
        client.expect_receipt("held");
        client.expect_receipt("commit");
        client.put("/topic/none", "last");
    }
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
