//! Rules 9, 12 and 14: what was missed comes first, as fast as its reader reads, and ends with its subscription.

use super::*;

#[tokio::test(start_paused = true)]
async fn rule_14_messages_of_a_history_carry_their_position_and_others_do_not() {
    let realtime = realtime(DeliveryRules::default().history(CHAT, Retain::last(10)));
    let ada = TestClient::connect(&realtime, "ada").await;
    let (chat, news) = (ada.subscribe(CHAT).await, ada.subscribe("/topic/news").await);
    let published = realtime.broker().publish(CHAT, &1).await.unwrap();
    assert!(published.position.is_some());
    let position = chat.expect_json(1).await.position().unwrap().to_owned();
    assert_eq!(position.len(), PositionCodec::TOKEN_OCTETS);
    ada.send(CHAT, &2).await;
    assert_ne!(chat.expect_json(2).await.position().unwrap(), position);
    assert_eq!(realtime.broker().publish("/topic/news", &3).await.unwrap().position, None);
    assert_eq!(news.expect_json(3).await.position(), None);
    assert_eq!(chat.recovered(), None);
}

#[tokio::test(start_paused = true)]
async fn rule_14_what_was_missed_comes_first_in_order_with_the_same_ids_and_then_it_is_live() {
    let realtime = realtime(retaining(1000));
    let bob = TestClient::connect(&realtime, "bob").await;
    let witness = bob.subscribe(CHAT).await;
    let position = seen_the_first(&realtime).await;
    for number in 1..200 {
        publish(realtime.broker(), number).await;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    assert_eq!(chat.recovered(), Some(true));
    for number in 200..210 {
        publish(realtime.broker(), number).await;
    }
    let resumed = expect_numbers(&chat, 1..210).await;
    assert_eq!(resumed[0].header("recovered"), Some("true"));
    assert!(resumed[1..].iter().all(|message| message.header("recovered").is_none()));
    chat.assert_silent().await;
    let first_hand = expect_numbers(&witness, 0..210).await;
    for (again, first) in resumed.iter().zip(&first_hand[1..]) {
        for name in ["message-id", "position", "content-type"] {
            assert_eq!(again.header(name), first.header(name));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_who_missed_nothing_is_told_so_with_the_first_message() {
    let realtime = realtime(retaining(10));
    let position = seen_the_first(&realtime).await;
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    assert_eq!(chat.recovered(), Some(true));
    chat.assert_silent().await;
    publish(realtime.broker(), 1).await;
    assert_eq!(chat.expect_json(1).await.header("recovered"), Some("true"));
}

/// A reader that takes a frame now and then, over a pipe that holds little.
#[tokio::test(start_paused = true)]
async fn rule_14_more_than_an_outbox_holds_is_replayed_to_a_slow_but_steady_reader() {
    const MISSED: usize = 3000;
    let realtime = realtime(retaining(10_000));
    let position = seen_the_first(&realtime).await;
    let filler = "x".repeat(400);
    for number in 1..=MISSED {
        realtime.broker().publish(CHAT, &(number, &filler)).await.unwrap();
    }
    let mut slow = Client::open_with_buffer(&realtime, user("ada"), 4096);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.send(&format!("SUBSCRIBE\nid:0\ndestination:{CHAT}\nresume-from:{position}\nreceipt:r\n\n")).await;
    let receipt = format!("RECEIPT\nreceipt-id:r\nrecovered:true\nposition:{position}\n\n");
    assert_eq!(slow.frame().await, receipt);
    for number in 1..=MISSED + 300 {
        if number % 10 == 0 && number <= MISSED {
            realtime.broker().publish(CHAT, &(MISSED + number / 10, &filler)).await.unwrap();
        }
        let frame = slow.frame().await;
        assert!(support::body(&frame).starts_with(&format!("[{number},")), "{number}: {}", &frame[..200]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    support::assert_silent(&mut slow).await;
}

/// Each message fits, two of them do not.
#[tokio::test(start_paused = true)]
async fn rule_14_messages_that_are_large_for_the_outbox_are_replayed_one_after_another() {
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(rules())
        .config(Config::development().outbox(parlor_core::broker::OutboxLimits::default().max_bytes(1000)))
        .delivery(retaining(100))
        .build()
        .unwrap();
    let position = seen_the_first(&realtime).await;
    for number in 1..=20 {
        // On both sides of half of what may wait, and beyond all of it.
        let filler = "x".repeat([10, 500, 700, 5000][number % 4]);
        realtime.broker().publish(CHAT, &(number, filler)).await.unwrap();
    }
    let mut slow = Client::open_with_buffer(&realtime, user("ada"), 64);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.send(&format!("SUBSCRIBE\nid:0\ndestination:{CHAT}\nresume-from:{position}\n\n")).await;
    for number in 1..=20 {
        let frame = slow.frame().await;
        assert!(support::body(&frame).starts_with(&format!("[{number},")), "{number}: {frame}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn topic_of_the_day(broker: Broker) -> Reply<&'static str> {
    broker.publish(CHAT, "published while the reply was made").await.unwrap();
    Reply("welcome")
}

#[tokio::test(start_paused = true)]
async fn rule_9_a_reply_comes_before_what_was_missed_and_says_whether_that_is_all() {
    let realtime = with_routes(Router::new().mount(Route::subscribe(CHAT, topic_of_the_day)), retaining(100));
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).await;
    let welcome = chat.expect_json("welcome").await;
    assert_eq!((welcome.header("recovered"), welcome.position()), (None, None));
    let position = chat.expect::<String>();
    position.await;
    publish(realtime.broker(), 0).await;
    let position = chat.expect_json(0).await.position().unwrap().to_owned();
    chat.unsubscribe().await;
    publish(realtime.broker(), 1).await;
    for (token, recovered) in [(position.as_str(), true), ("nonsense", false)] {
        let chat = ada.subscribe(CHAT).resume_from(token).await;
        assert_eq!(chat.recovered(), Some(recovered));
        let said = if recovered { "true" } else { "false" };
        assert_eq!(chat.expect_json("welcome").await.header("recovered"), Some(said));
        if recovered {
            assert_eq!(chat.expect_json(1).await.header("recovered"), None);
        }
        chat.expect_json("published while the reply was made").await;
        chat.unsubscribe().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_what_was_missed_is_acknowledged_like_everything_else() {
    let realtime = realtime(retaining(100_000));
    let position = seen_the_first(&realtime).await;
    // More than such a subscription may have without acknowledging.
    for number in 1..3000 {
        publish(realtime.broker(), number).await;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).header("ack", "client").header("prefetch-count", "10").await;
    assert_eq!(chat.recovered(), Some(true));
    let mut number = 1;
    while number < 3100 {
        let messages = expect_numbers(&chat, number..(number + 10).min(3100)).await;
        assert_eq!(messages[0].header("recovered"), (number == 1).then_some("true"));
        number += messages.len();
        chat.assert_silent().await;
        if number % 300 == 1 {
            for more in 0..10 {
                publish(realtime.broker(), 3000 + number / 300 * 10 - 10 + more).await;
            }
        }
        let ack = messages.last().unwrap().header("ack").unwrap().to_owned();
        ada.send_frame(&parlor_stomp::Frame::new(parlor_stomp::Command::Ack).with_header("id", &ack));
        ada.sync().await;
    }
    chat.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_replay_ends_with_its_subscription_and_with_its_session() {
    let realtime = realtime(retaining(10_000));
    let position = seen_the_first(&realtime).await;
    let filler = "x".repeat(1000);
    for number in 1..5000 {
        realtime.broker().publish(CHAT, &(number, &filler)).await.unwrap();
    }
    for command in ["UNSUBSCRIBE\nid:0\nreceipt:end\n\n", "DISCONNECT\nreceipt:end\n\n"] {
        let mut slow = begin_slow_replay(&realtime, &position).await;
        slow.send(command).await;
        let mut replayed = 1;
        loop {
            let frame = slow.frame().await;
            if frame.starts_with("RECEIPT") {
                break;
            }
            replayed += 1;
        }
        // What waited was sent; what had not been read from the history was not.
        assert!(replayed < 1000, "{replayed}");
        if command.starts_with('U') {
            publish(realtime.broker(), 5000).await;
            support::assert_silent(&mut slow).await;
        } else {
            assert!(matches!(slow.next().await, Received::Close(1000, _)));
        }
        drop(slow);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(realtime.broker().destination_count(), 0);
    }
    begin_slow_replay(&realtime, &position).await.vanish().await;
    assert_eq!(realtime.broker().destination_count(), 0);
}
