//! Rule 12: what is acknowledged is gone, and what is not comes again.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use parlor_core::{
    app::{Route, Router},
    broker::{DeadLetter, DeadLetterCause, DeliveryRules},
    stomp::AckMode,
    testing::TestClient,
};
use parlor_stomp::{Command, Frame};

use crate::{FIVE_MINUTES, MOMENT, builder, config, is_redelivered, numbers, publish, realtime, rules, take};

const VERSIONS: [Option<&str>; 3] = [None, Some("1.1"), Some("1.2")];

#[tokio::test(start_paused = true)]
async fn rule_12_client_settles_everything_up_to_a_message_in_every_version() {
    for version in VERSIONS {
        let realtime = realtime();
        let worker = TestClient::connect(&realtime, "ada").accept_version(version).await;
        let jobs = worker.subscribe("/queue/jobs").id("0").ack(AckMode::Client).await;
        publish(&realtime, "/queue/jobs", 1..=4).await;
        let given = take(&jobs, 4).await;
        assert_eq!(given[0].header("ack").is_some(), version == Some("1.2"), "{version:?}");
        worker.ack(&given[2]).await;
        worker.abort().await;
        let next = TestClient::connect(&realtime, "bob").await;
        let jobs = next.subscribe("/queue/jobs").await;
        assert_eq!(numbers(&next, &jobs).await, [4], "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_client_individual_settles_one_message_alone() {
    for version in [Some("1.1"), Some("1.2")] {
        let realtime = realtime();
        let worker = TestClient::connect(&realtime, "ada").accept_version(version).await;
        let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await;
        publish(&realtime, "/queue/jobs", 1..=4).await;
        let given = take(&jobs, 4).await;
        worker.ack(&given[2]).await;
        worker.abort().await;
        let next = TestClient::connect(&realtime, "bob").await;
        let jobs = next.subscribe("/queue/jobs").await;
        assert_eq!(numbers(&next, &jobs).await, [1, 2, 4], "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_auto_is_consumed_once_it_is_sent() {
    let realtime = realtime();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").await;
    publish(&realtime, "/queue/jobs", 1..=2).await;
    assert_eq!(take(&jobs, 1).await[0].header("ack"), None);
    worker.abort().await;
    let next = TestClient::connect(&realtime, "bob").await;
    next.subscribe("/queue/jobs").await.assert_silent().during(2 * FIVE_MINUTES).await;
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_nacked_message_comes_again_at_its_place_with_the_same_message_id() {
    for version in [Some("1.1"), Some("1.2")] {
        let realtime = realtime();
        let worker = TestClient::connect(&realtime, "ada").accept_version(version).await;
        let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).prefetch(2).await;
        publish(&realtime, "/queue/jobs", 1..=3).await;
        let given = take(&jobs, 2).await;
        jobs.assert_silent().await;
        assert!(!is_redelivered(&given[0]));
        worker.nack(&given[0]).await;
        let again = jobs.expect_json(1).await;
        assert!(is_redelivered(&again), "{version:?}");
        assert_eq!(again.header("message-id"), given[0].header("message-id"));
        if version == Some("1.2") {
            assert_ne!(again.header("ack"), given[0].header("ack"), "a delivery has a name of its own");
        }
        worker.ack(&again).await;
        worker.ack(&given[1]).await;
        assert!(!is_redelivered(&jobs.expect_json(3).await));
    }
}

#[tokio::test(start_paused = true)]
async fn nack_in_the_mode_client_gives_back_everything_up_to_the_message() {
    let realtime = realtime();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::Client).await;
    publish(&realtime, "/queue/jobs", 1..=3).await;
    let given = take(&jobs, 3).await;
    worker.nack(&given[1]).await;
    let again = take(&jobs, 2).await;
    assert_eq!(
        again.iter().map(|message| (message.json::<u32>(), is_redelivered(message))).collect::<Vec<_>>(),
        [(1, true), (2, true)]
    );
    jobs.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn rule_12_auto_too_is_told_that_somebody_was_given_a_message_before() {
    let realtime = realtime();
    let first = TestClient::connect(&realtime, "ada").await;
    let jobs = first.subscribe("/queue/jobs").ack(AckMode::Client).await;
    publish(&realtime, "/queue/jobs", [1]).await;
    let given = jobs.expect_json(1).await;
    first.abort().await;
    let next = TestClient::connect(&realtime, "bob").await;
    let again = next.subscribe("/queue/jobs").await.expect_json(1).await;
    assert!(is_redelivered(&again));
    assert_eq!(again.header("message-id"), given.header("message-id"));
}

#[tokio::test(start_paused = true)]
async fn a_client_is_given_as_many_messages_as_it_asks_for_and_not_one_more() {
    let realtime = realtime();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).prefetch(3).await;
    publish(&realtime, "/queue/jobs", 1..=10).await;
    let given = take(&jobs, 3).await;
    jobs.assert_silent().await;
    worker.ack(&given[1]).await;
    jobs.expect_json(4).await;
    jobs.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_prefetch_count_that_is_no_number_from_one_on_is_refused() {
    let realtime = realtime();
    let worker = TestClient::connect(&realtime, "ada").await;
    for bad in ["0", "-1", "many", "", "1.5", "99999999999999999999999"] {
        worker.subscribe("/queue/jobs").header("prefetch-count", bad).refused("invalid-prefetch-count").await;
        worker.subscribe("/topic/a").header("prefetch-count", bad).refused("invalid-prefetch-count").await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_what_is_not_acknowledged_in_time_comes_again_by_the_time_out_of_its_destination() {
    let delivery = DeliveryRules::default().ack_timeout("/queue/fast/**", Duration::from_secs(30));
    let realtime = builder().delivery(delivery).build().unwrap();
    for (queue, time) in [("/queue/fast/a", Duration::from_secs(30)), ("/queue/slow", FIVE_MINUTES)] {
        let worker = TestClient::connect(&realtime, "ada").await;
        let jobs = worker.subscribe(queue).ack(AckMode::ClientIndividual).await;
        publish(&realtime, queue, [1]).await;
        let given = jobs.expect_json(1).await;
        jobs.assert_silent().during(time - MOMENT).await;
        let again = jobs.expect_json(1).within(MOMENT).await;
        assert!(is_redelivered(&again));
        assert_eq!(again.header("message-id"), given.header("message-id"));
        worker.ack(&again).await;
        // Settled, timed out: ignored, and its receipt is answered (ACK-06).
        worker.ack(&given).await;
        worker.nack(&given).await;
        jobs.assert_silent().during(2 * FIVE_MINUTES).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_times_out_goes_to_another_consumer_first() {
    let realtime = realtime();
    let hangs = TestClient::connect(&realtime, "ada").await;
    let hanging = hangs.subscribe("/queue/jobs").ack(AckMode::Client).prefetch(1).await;
    publish(&realtime, "/queue/jobs", [1]).await;
    hanging.expect_json(1).await;
    let works = TestClient::connect(&realtime, "bob").await;
    let working = works.subscribe("/queue/jobs").ack(AckMode::Client).await;
    let again = working.expect_json(1).within(FIVE_MINUTES).await;
    works.ack(&again).await;
    hanging.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn rule_12_after_five_deliveries_a_message_is_dead_and_the_hook_has_it() {
    let dead: Arc<Mutex<Vec<DeadLetter>>> = Arc::default();
    let letters = Arc::clone(&dead);
    let delivery = DeliveryRules::default().on_dead_letter(move |letter| letters.lock().unwrap().push(letter));
    let realtime = builder().delivery(delivery).build().unwrap();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await;
    worker.send("/queue/jobs", &7).header("mood", "grim").await;
    let mut id = None;
    for attempt in 1..=5 {
        let given = jobs.expect_json(7).await;
        assert_eq!(is_redelivered(&given), attempt > 1);
        id.get_or_insert_with(|| given.header("message-id").unwrap().to_owned());
        assert!(dead.lock().unwrap().is_empty(), "after {attempt} attempts");
        worker.nack(&given).await;
    }
    jobs.assert_silent().during(2 * FIVE_MINUTES).await;
    let dead = dead.lock().unwrap();
    let [letter] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!((letter.destination.as_str(), letter.attempts), ("/queue/jobs", 5));
    assert_eq!(Some(letter.message_id.clone()), id);
    assert_eq!(letter.cause, DeadLetterCause::Nacked);
    assert_eq!((&letter.publication.body[..], letter.publication.headers.get("mood")), (&b"7"[..], Some("grim")));
    assert_eq!(realtime.broker().waiting_count(&"/queue/jobs".parse().unwrap()), 0);
    assert_eq!(realtime.stats().messages.dropped_dead_letter, 1);
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_dead_letter_is_how_its_last_delivery_failed() {
    let dead: Arc<Mutex<Vec<DeadLetter>>> = Arc::default();
    let letters = Arc::clone(&dead);
    let delivery = DeliveryRules::default().on_dead_letter(move |letter| letters.lock().unwrap().push(letter));
    let config = config();
    let once = config.queues.max_attempts(1);
    let realtime = builder().delivery(delivery).config(config.queues(once)).build().unwrap();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await;
    publish(&realtime, "/queue/jobs", 1..=2).await;
    take(&jobs, 2).await;
    jobs.assert_silent().during(FIVE_MINUTES).await;
    publish(&realtime, "/queue/jobs", [3]).await;
    jobs.expect_json(3).await;
    worker.abort().await;
    let causes: Vec<_> = dead.lock().unwrap().iter().map(|letter| (letter.publication.body[0], letter.cause)).collect();
    let (timed_out, gone) = (DeadLetterCause::TimedOut, DeadLetterCause::Gone);
    assert_eq!(causes, [(b'1', timed_out), (b'2', timed_out), (b'3', gone)]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_takes_nothing_with_it() {
    let delivery = DeliveryRules::default().on_dead_letter(|_| panic!("this is the test's own panic"));
    let config = config();
    let once = config.queues.max_attempts(1);
    let realtime = builder().delivery(delivery).config(config.queues(once)).build().unwrap();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await;
    publish(&realtime, "/queue/jobs", 1..=2).await;
    let given = take(&jobs, 2).await;
    worker.nack(&given[0]).await;
    worker.ack(&given[1]).await;
}

#[tokio::test(start_paused = true)]
async fn rule_12_the_end_of_a_session_gives_back_in_order() {
    for leave in ["abort", "close", "disconnect", "unsubscribe"] {
        let realtime = realtime();
        let first = TestClient::connect(&realtime, "ada").await;
        let jobs = first.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).prefetch(4).await;
        publish(&realtime, "/queue/jobs", 1..=6).await;
        let given = take(&jobs, 4).await;
        first.ack(&given[1]).await;
        jobs.expect_json(5).await;
        match leave {
            "abort" => first.abort().await,
            "close" => first.close(1001).await,
            "disconnect" => first.disconnect().await,
            _ => jobs.unsubscribe().await,
        }
        let next = TestClient::connect(&realtime, "bob").await;
        let jobs = next.subscribe("/queue/jobs").await;
        let again = take(&jobs, 5).await;
        let seen: Vec<_> = again.iter().map(|message| (message.json::<u32>(), is_redelivered(message))).collect();
        assert_eq!(seen, [(1, true), (3, true), (4, true), (5, true), (6, false)], "{leave}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_with_many_subscriptions_to_a_queue_attempts_a_message_once_as_it_leaves() {
    let realtime = realtime();
    let first = TestClient::connect(&realtime, "ada").await;
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(first.subscribe("/queue/jobs").ack(AckMode::Client).await);
    }
    publish(&realtime, "/queue/jobs", 1..=8).await;
    first.sync().await;
    first.disconnect().await;
    assert_eq!(all.iter().map(|jobs| jobs.messages().len()).sum::<usize>(), 8, "nobody reads after DISCONNECT");
    let next = TestClient::connect(&realtime, "bob").await;
    let jobs = next.subscribe("/queue/jobs").await;
    assert_eq!(numbers(&next, &jobs).await, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_ack_counts_while_a_handler_is_busy() {
    async fn slow() {
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    let routes = Router::new().mount(Route::message("/app/slow", slow)).with_state(());
    let delivery = DeliveryRules::default().ack_timeout("/queue/**", Duration::from_secs(10));
    let realtime = parlor_core::Realtime::builder(routes)
        .authenticate(parlor_core::auth::Anonymous)
        .authorize(rules())
        .config(config())
        .delivery(delivery)
        .build()
        .unwrap();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).prefetch(1).await;
    publish(&realtime, "/queue/jobs", 1..=2).await;
    let given = jobs.expect_json(1).await;
    worker.send("/app/slow", &0).unconfirmed();
    worker.ack(&given).unconfirmed();
    // The second one comes at once: the first is settled although the handler runs.
    let second = jobs.expect_json(2).within(MOMENT).await;
    worker.ack(&second).within(Duration::from_secs(21)).await;
    jobs.assert_silent().during(FIVE_MINUTES).await;
}

#[tokio::test(start_paused = true)]
async fn rule_12_each_message_has_its_own_time_whatever_was_acknowledged_before_it() {
    let time = Duration::from_secs(10);
    let delivery = DeliveryRules::default().ack_timeout("/queue/**", time);
    let realtime = builder().delivery(delivery).build().unwrap();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await;
    for number in 1..=5 {
        publish(&realtime, "/queue/jobs", number..=number).await;
        worker.ack(&jobs.expect_json(number).within(MOMENT).await).await;
        jobs.assert_silent().during(time / 4).await;
        // What is acknowledged at once is between those that are not.
        publish(&realtime, "/queue/jobs", 10 + number..=10 + number).await;
        let forgotten = jobs.expect_json(10 + number).within(MOMENT).await;
        assert!(!is_redelivered(&forgotten));
        jobs.assert_silent().during(time - MOMENT).await;
        let again = jobs.expect_json(10 + number).within(2 * MOMENT).await;
        assert!(is_redelivered(&again));
        worker.ack(&again).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_more_acks_than_the_inbox_holds_count_while_a_handler_is_busy() {
    async fn stuck() {
        std::future::pending().await
    }
    let routes = Router::new().mount(Route::message("/app/stuck", stuck)).with_state(());
    let config = config();
    let many = u32::try_from(config.max_inbox_frames).unwrap() * 2;
    let realtime = parlor_core::Realtime::builder(routes)
        .authenticate(parlor_core::auth::Anonymous)
        .authorize(rules())
        .config(config)
        .build()
        .unwrap();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).prefetch(many as usize).await;
    publish(&realtime, "/queue/jobs", 1..=2 * many).await;
    let given = take(&jobs, many as usize).await;
    worker.send("/app/stuck", &0).unconfirmed();
    for message in &given {
        worker.ack(message).unconfirmed();
    }
    for number in many + 1..=2 * many {
        jobs.expect_json(number).within(MOMENT).await;
    }
}

#[tokio::test(start_paused = true)]
async fn ack_06_an_id_that_was_never_given_out_is_an_error_and_what_is_settled_is_ignored() {
    let realtime = realtime();
    for version in [Some("1.1"), Some("1.2")] {
        for command in [Command::Ack, Command::Nack] {
            let worker = TestClient::connect(&realtime, "ada").accept_version(version).await;
            let jobs = worker.subscribe("/queue/jobs").id("0").ack(AckMode::ClientIndividual).await;
            publish(&realtime, "/queue/jobs", [1]).await;
            let given = jobs.expect_json(1).await;
            worker.ack(&given).await;
            worker.ack(&given).await;
            worker.nack(&given).await;
            jobs.unsubscribe().await;
            worker.ack(&given).await;
            let frame = Frame::new(command).with_header("receipt", "r");
            let frame = match version {
                Some("1.1") => frame.with_header("message-id", "none").with_header("subscription", "0"),
                _ => frame.with_header("id", "0.1"),
            };
            worker.send_frame(&frame);
            let closed = worker.expect_closed("unknown-ack").await;
            assert_eq!(closed.status, 1002, "{version:?} {command:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn in_1_2_the_id_of_a_message_is_no_ack_and_neither_is_a_later_one() {
    for wrong in ["message-id", "later", "leading"] {
        let realtime = realtime();
        let worker = TestClient::connect(&realtime, "ada").await;
        let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await;
        publish(&realtime, "/queue/jobs", [1]).await;
        let given = jobs.expect_json(1).await;
        let (key, _) = given.header("ack").unwrap().split_once('.').unwrap();
        let id = match wrong {
            "message-id" => given.header("message-id").unwrap().to_owned(),
            "later" => format!("{key}.2"),
            _ => format!("{key}.0"),
        };
        worker.send_frame(&Frame::new(Command::Ack).with_header("id", &id));
        worker.expect_closed("unknown-ack").await;
        drop(jobs);
    }
}

#[tokio::test(start_paused = true)]
async fn ack_08_what_another_connection_was_given_cannot_be_acknowledged() {
    let realtime = realtime();
    let first = TestClient::connect(&realtime, "ada").await;
    let jobs = first.subscribe("/queue/jobs").ack(AckMode::Client).await;
    publish(&realtime, "/queue/jobs", [1]).await;
    let given = jobs.expect_json(1).await;
    let thief = TestClient::connect(&realtime, "ada").deaf_to_refusals().await;
    thief.ack(&given).refused("unknown-ack").await;
    // Earlier versions name the message itself; it stays with whoever has it.
    let thief = TestClient::connect(&realtime, "ada").accept_version(None).await;
    thief.ack(&given).await;
    first.abort().await;
    let next = TestClient::connect(&realtime, "bob").await;
    next.subscribe("/queue/jobs").await.expect_json(1).await;
}

#[tokio::test(start_paused = true)]
async fn in_1_0_an_ack_finds_the_subscription_that_has_the_message_now() {
    let realtime = realtime();
    let worker = TestClient::connect(&realtime, "ada").accept_version(None).await;
    let one = worker.subscribe("/topic/a").id("1").ack(AckMode::Client).await;
    let two = worker.subscribe("/topic/a").id("2").ack(AckMode::Client).await;
    publish(&realtime, "/topic/a", [1]).await;
    let (first, second) = (one.expect_json(1).await, two.expect_json(1).await);
    worker.ack(&first).await;
    worker.ack(&second).await;
    one.assert_silent().during(2 * FIVE_MINUTES).await;
    two.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn ack_10_and_11_topics_are_acknowledged_too_and_each_subscription_by_itself() {
    let realtime = realtime();
    let client = TestClient::connect(&realtime, "ada").await;
    let one = client.subscribe("/topic/a").ack(AckMode::Client).await;
    let two = client.subscribe("/topic/a").ack(AckMode::Client).await;
    let auto = client.subscribe("/topic/a").await;
    publish(&realtime, "/topic/a", 1..=2).await;
    let given = take(&one, 2).await;
    client.ack(&given[1]).await;
    one.assert_silent().during(FIVE_MINUTES - MOMENT).await;
    take(&two, 2).await;
    let again = take(&two, 2).await;
    assert!(again.iter().all(is_redelivered), "the cumulative ACK was for the other one alone");
    one.assert_silent().await;
    assert_eq!(numbers(&client, &auto).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn user_destinations_are_acknowledged_by_the_time_out_of_the_name_that_clients_use() {
    let dead: Arc<Mutex<Vec<DeadLetter>>> = Arc::default();
    let letters = Arc::clone(&dead);
    let delivery = DeliveryRules::default()
        .ack_timeout("/user/queue/**", Duration::from_secs(3))
        .ack_timeout("/queue/**", Duration::from_secs(1))
        .on_dead_letter(move |letter| letters.lock().unwrap().push(letter));
    let realtime = builder().delivery(delivery).build().unwrap();
    let client = TestClient::connect(&realtime, "ada").await;
    let notes = client.subscribe("/user/queue/notes").ack(AckMode::Client).await;
    realtime.broker().send_to_user(&"ada".parse().unwrap(), "/queue/notes", &1).await.unwrap();
    let mut given = notes.expect_json(1).await;
    for _ in 1..5 {
        notes.assert_silent().during(Duration::from_secs(3) - MOMENT).await;
        given = notes.expect_json(1).within(MOMENT).await;
    }
    client.nack(&given).await;
    assert_eq!(dead.lock().unwrap()[0].destination.as_str(), "/user/queue/notes");
}

#[tokio::test(start_paused = true)]
async fn what_is_nacked_goes_to_another_consumer_first() {
    let realtime = realtime();
    let cannot = TestClient::connect(&realtime, "ada").await;
    let one = cannot.subscribe("/queue/jobs").ack(AckMode::Client).await;
    let can = TestClient::connect(&realtime, "bob").await;
    let other = can.subscribe("/queue/jobs").ack(AckMode::Client).await;
    publish(&realtime, "/queue/jobs", [1, 2]).await;
    let given = one.expect_json(1).await;
    can.ack(&other.expect_json(2).await).await;
    cannot.nack(&given).await;
    can.ack(&other.expect_json(1).await).await;
    one.assert_silent().await;
}
