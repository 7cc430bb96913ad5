//! Rule 13: SEND, ACK and NACK wait for their COMMIT, within bounds.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use parlor_core::{
    Realtime,
    app::{Rejection, Route, Router},
    auth::Anonymous,
    extract::{Payload, State},
    limits::TransactionLimits,
    stomp::AckMode,
    testing::TestClient,
};
use parlor_stomp::{Command, Frame};

use crate::{FIVE_MINUTES, MOMENT, builder, config, numbers, publish, realtime, rules, take};

type Log = Arc<Mutex<Vec<String>>>;

async fn note(State(log): State<Log>, Payload(text): Payload<String>) -> Result<Payload<String>, Rejection> {
    log.lock().unwrap().push(text.clone());
    match text.as_str() {
        "bad" => Err(Rejection::new("bad", "That is bad.")),
        _ => Ok(Payload(text)),
    }
}

fn with_handler() -> (Realtime, Log) {
    let log = Log::default();
    let routes = Router::new().mount(Route::message("/app/note", note).send_to("/topic/notes"));
    let routes = routes.with_state(Arc::clone(&log));
    let realtime =
        Realtime::builder(routes).authenticate(Anonymous).authorize(rules()).config(config()).build().unwrap();
    (realtime, log)
}

#[tokio::test(start_paused = true)]
async fn rule_13_sends_are_handled_at_commit_in_order_and_not_before() {
    for version in [None, Some("1.1"), Some("1.2")] {
        let (realtime, log) = with_handler();
        let client = TestClient::connect(&realtime, "ada").accept_version(version).await;
        let notes = client.subscribe("/topic/notes").id("notes").await;
        let topic = client.subscribe("/topic/a").id("a").await;
        client.begin_transaction("t").await;
        client.send("/app/note", "one").in_transaction("t");
        client.send("/topic/a", "two").in_transaction("t");
        client.send("/app/note", "three").in_transaction("t");
        notes.assert_silent().await;
        topic.assert_silent().await;
        assert!(log.lock().unwrap().is_empty());
        client.commit_transaction("t").await;
        assert_eq!(*log.lock().unwrap(), ["one", "three"]);
        notes.expect_json("one").await;
        notes.expect_json("three").await;
        topic.expect_json("two").await;
    }
}

#[tokio::test(start_paused = true)]
async fn tx_17_the_receipt_of_a_send_comes_with_the_commit_once() {
    let realtime = realtime();
    let client = TestClient::connect(&realtime, "ada").await;
    client.begin_transaction("t").await;
    let mut send = Box::pin(client.send("/topic/a", &1).header("transaction", "t").outcome());
    let early = tokio::time::timeout(Duration::from_secs(1), &mut send).await;
    assert!(early.is_err(), "before the COMMIT there is none");
    client.commit_transaction("t").await;
    assert_eq!(send.await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn tx_03_and_11_abort_forgets_and_the_id_can_be_used_again() {
    let realtime = realtime();
    let client = TestClient::connect(&realtime, "ada").await;
    let heard = client.subscribe("/topic/a").await;
    for (number, keep) in [(1, false), (2, true), (3, false), (4, true)] {
        client.begin_transaction("t").await;
        client.send("/topic/a", &number).in_transaction("t");
        match keep {
            true => client.commit_transaction("t").await,
            false => client.abort_transaction("t").await,
        }
    }
    assert_eq!(numbers(&client, &heard).await, [2, 4]);
}

#[tokio::test(start_paused = true)]
async fn tx_10_and_12_transactions_are_independent_and_each_connection_has_its_own() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, "ada").await;
    let bob = TestClient::connect(&realtime, "bob").await;
    let heard = ada.subscribe("/topic/a").await;
    ada.begin_transaction("x").await;
    bob.begin_transaction("x").await;
    ada.begin_transaction("y").await;
    ada.send("/topic/a", &1).in_transaction("x");
    ada.send("/topic/a", &2).in_transaction("y");
    bob.send("/topic/a", &3).in_transaction("x");
    ada.send("/topic/a", &4).await;
    ada.commit_transaction("y").await;
    bob.commit_transaction("x").await;
    ada.abort_transaction("x").await;
    assert_eq!(numbers(&ada, &heard).await, [4, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn tx_04_and_05_the_end_of_a_session_aborts() {
    for leave in ["disconnect", "abort", "close"] {
        let realtime = realtime();
        let client = TestClient::connect(&realtime, "ada").await;
        let watcher = TestClient::connect(&realtime, "bob").await;
        let heard = watcher.subscribe("/topic/a").await;
        client.begin_transaction("t").await;
        client.send("/topic/a", &1).in_transaction("t");
        client.sync().await;
        match leave {
            "disconnect" => client.disconnect().await,
            "abort" => client.abort().await,
            _ => client.close(1001).await,
        }
        heard.assert_silent().during(FIVE_MINUTES).await;
    }
}

#[tokio::test(start_paused = true)]
async fn tx_13_to_15_ack_and_nack_take_effect_at_commit_and_have_none_after_abort() {
    let realtime = realtime();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).prefetch(2).await;
    publish(&realtime, "/queue/jobs", 1..=3).await;
    let given = take(&jobs, 2).await;

    worker.begin_transaction("t").await;
    worker.ack(&given[0]).in_transaction("t");
    worker.nack(&given[1]).in_transaction("t");
    jobs.assert_silent().await;
    worker.abort_transaction("t").await;
    jobs.assert_silent().await;

    worker.begin_transaction("t").await;
    worker.nack(&given[1]).in_transaction("t");
    worker.ack(&given[0]).in_transaction("t");
    worker.commit_transaction("t").await;
    let again = jobs.expect_json(2).await;
    assert!(crate::is_redelivered(&again));
    jobs.expect_json(3).await;

    worker.begin_transaction("u").await;
    worker.ack(&again).in_transaction("u");
    worker.sync().await;
    worker.abort().await;
    let next = TestClient::connect(&realtime, "bob").await;
    let jobs = next.subscribe("/queue/jobs").await;
    assert_eq!(numbers(&next, &jobs).await, [2, 3], "the ACK of a transaction that was lost is lost");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_ack_in_a_transaction_is_an_error_at_its_commit() {
    let realtime = realtime();
    let client = TestClient::connect(&realtime, "ada").await;
    client.begin_transaction("t").await;
    let ack = Frame::new(Command::Ack).with_header("id", "1.1").with_header("transaction", "t");
    client.send_frame(&ack);
    client.sync().await;
    client.commit_transaction("t").unconfirmed();
    client.expect_closed("unknown-ack").await;
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_handlers_error_is_told_and_undoes_nothing() {
    let (realtime, log) = with_handler();
    let client = TestClient::connect(&realtime, "ada").await;
    let notes = client.subscribe("/topic/notes").await;
    client.begin_transaction("t").await;
    for text in ["one", "bad", "two"] {
        client.send("/app/note", text).in_transaction("t");
    }
    client.commit_transaction("t").await;
    client.expect_refusal("bad").await;
    assert_eq!(*log.lock().unwrap(), ["one", "bad", "two"]);
    notes.expect_json("one").await;
    notes.expect_json("two").await;
}

#[tokio::test(start_paused = true)]
async fn tx_07_08_and_09_what_is_open_cannot_be_begun_and_what_is_not_cannot_be_used() {
    let realtime = realtime();
    let heard = TestClient::connect(&realtime, "bob").await.subscribe("/topic/a").await;
    let connect = || async { TestClient::connect(&realtime, "ada").await };
    let client = connect().await;
    client.begin_transaction("t").await;
    client.begin_transaction("t").refused("transaction-open").await;
    client.expect_closed(1002).await;
    connect().await.commit_transaction("t").refused("unknown-transaction").await;
    connect().await.abort_transaction("t").refused("unknown-transaction").await;
    connect().await.send("/topic/a", &1).header("transaction", "t").refused("unknown-transaction").await;
    let client = connect().await;
    client.begin_transaction("t").await;
    client.commit_transaction("t").await;
    client.commit_transaction("t").refused("unknown-transaction").await;
    heard.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_aborted_when_it_was_open_for_too_long() {
    let realtime = realtime();
    let heard = TestClient::connect(&realtime, "bob").await.subscribe("/topic/a").await;
    let time = TransactionLimits::default().timeout;
    assert_eq!(time, Duration::from_secs(30));
    for (wait, in_time) in [(time - MOMENT, true), (time, false)] {
        let client = TestClient::connect(&realtime, "ada").await;
        client.begin_transaction("t").await;
        client.send("/topic/a", &1).in_transaction("t");
        tokio::time::sleep(wait).await;
        match in_time {
            true => {
                client.commit_transaction("t").await;
                heard.expect_json(1).await;
            }
            false => drop(client.commit_transaction("t").refused("transaction-timeout").await),
        }
    }
    heard.assert_silent().during(FIVE_MINUTES).await;
}

#[tokio::test(start_paused = true)]
async fn four_transactions_are_open_at_a_time_and_not_one_more() {
    let realtime = realtime();
    let client = TestClient::connect(&realtime, "ada").await;
    for id in ["1", "2", "3", "4"] {
        client.begin_transaction(id).await;
    }
    client.abort_transaction("2").await;
    client.begin_transaction("5").await;
    client.begin_transaction("6").refused("too-many-transactions").await;
}

#[tokio::test(start_paused = true)]
async fn a_transaction_holds_64_frames_and_not_one_more() {
    let realtime = realtime();
    let client = TestClient::connect(&realtime, "ada").await;
    let heard = client.subscribe("/topic/a").await;
    client.begin_transaction("t").await;
    for number in 0..64 {
        client.send("/topic/a", &number).in_transaction("t");
    }
    client.sync().await;
    client.commit_transaction("t").await;
    assert_eq!(numbers(&client, &heard).await.len(), 64);
    client.begin_transaction("t").await;
    for number in 0..65 {
        client.send("/topic/a", &number).in_transaction("t");
    }
    client.expect_closed("transaction-too-large").await;
    assert!(heard.messages().is_empty(), "nothing of it was sent");
}

#[tokio::test(start_paused = true)]
async fn the_open_transactions_of_a_connection_hold_so_many_octets_and_not_one_more() {
    // What one frame costs: its headers, its body, and 256 octets.
    let headers = ["destination", "/topic/a", "content-type", "t", "content-length", "1000", "transaction", "x"];
    let frame = 256 + 1000 + headers.map(str::len).iter().sum::<usize>();
    for (room, fits) in [(2 * frame, true), (2 * frame - 1, false)] {
        let limits = TransactionLimits::default().max_bytes(room);
        let realtime = builder().config(config().transactions(limits)).build().unwrap();
        let client = TestClient::connect(&realtime, "ada").await;
        let heard = client.subscribe("/topic/a").await;
        for id in ["x", "y"] {
            client.begin_transaction(id).await;
            client.send_bytes("/topic/a", "t", Bytes::from(vec![b'1'; 1000])).in_transaction(id);
        }
        if fits {
            client.commit_transaction("x").await;
            client.commit_transaction("y").await;
            take(&heard, 2).await;
        } else {
            client.expect_closed("transaction-too-large").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_room_for_any_there_are_no_transactions() {
    let limits = TransactionLimits::default().max_open(0);
    let realtime = builder().config(config().transactions(limits)).build().unwrap();
    let client = TestClient::connect(&realtime, "ada").await;
    client.begin_transaction("t").refused("too-many-transactions").await;
}
