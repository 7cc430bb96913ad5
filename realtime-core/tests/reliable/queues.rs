//! Rules 1, 9 and 12 of queues: each message to one consumer, kept while there is none, in order, and fair.

use parlor_core::{
    Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::Anonymous,
    extract::{Payload, Reply},
    stomp::AckMode,
    testing::TestClient,
};

use crate::{FIVE_MINUTES, builder, config, numbers, publish, realtime, rules, take};

#[tokio::test(start_paused = true)]
async fn rule_1_a_queue_gives_each_message_to_one_subscription_in_turns() {
    let realtime = realtime();
    let mut consumers = Vec::new();
    for name in ["ada", "bob", "cy"] {
        let client = TestClient::connect(&realtime, name).await;
        let jobs = client.subscribe("/queue/jobs").await;
        consumers.push((client, jobs));
    }
    publish(&realtime, "/queue/jobs", 0..12).await;
    for (index, (client, jobs)) in (0_u32..).zip(&consumers) {
        assert_eq!(numbers(client, jobs).await, [index, index + 3, index + 6, index + 9]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_nobody_listens_is_kept_in_order() {
    let realtime = realtime();
    let sender = TestClient::connect(&realtime, "ada").await;
    for number in 1..=3 {
        sender.send("/queue/jobs", &number).await;
    }
    publish(&realtime, "/queue/jobs", 4..=5).await;
    assert_eq!(realtime.broker().waiting_count(&"/queue/jobs".parse().unwrap()), 5);
    let worker = TestClient::connect(&realtime, "bob").await;
    let jobs = worker.subscribe("/queue/jobs").await;
    assert_eq!(numbers(&worker, &jobs).await, [1, 2, 3, 4, 5]);
    assert_eq!(realtime.broker().waiting_count(&"/queue/jobs".parse().unwrap()), 0);
    publish(&realtime, "/queue/jobs", [6]).await;
    jobs.expect_json(6).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_free_prefetch_goes_on_and_who_has_none_is_passed_over() {
    let realtime = realtime();
    let slow = TestClient::connect(&realtime, "ada").await;
    let quick = TestClient::connect(&realtime, "bob").await;
    let few = slow.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).prefetch(1).await;
    let many = quick.subscribe("/queue/jobs").await;
    publish(&realtime, "/queue/jobs", 1..=6).await;
    let first = few.expect_json(1).await;
    assert_eq!(numbers(&quick, &many).await, [2, 3, 4, 5, 6]);
    slow.ack(&first).await;
    publish(&realtime, "/queue/jobs", 7..=8).await;
    few.expect_json(7).await;
    many.expect_json(8).await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_does_not_read_keeps_nothing_from_the_others() {
    let realtime = realtime();
    let stuck = TestClient::connect(&realtime, "ada").pipe(512).await;
    let one = stuck.subscribe("/queue/jobs").ack(AckMode::Client).await;
    stuck.freeze();
    let works = TestClient::connect(&realtime, "bob").await;
    let other = works.subscribe("/queue/jobs").await;
    let mut got = 0;
    for number in 0..2000_u32 {
        let text = format!("{number} {}", "x".repeat(1000));
        realtime.broker().publish("/queue/jobs", &text).await.unwrap();
        got += other.messages().len();
    }
    works.sync().await;
    got += other.messages().len();
    assert!(got > 1500, "{got}");
    assert!(stuck.is_open(), "it was given no more than there was room for");
    drop(one);
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_room_in_a_connection_comes_when_there_is() {
    let realtime = realtime();
    let worker = TestClient::connect(&realtime, "ada").pipe(512).await;
    let jobs = worker.subscribe("/queue/jobs").await;
    worker.freeze();
    for number in 0..600_u32 {
        let text = format!("{number:4}{}", "x".repeat(1000));
        realtime.broker().publish("/queue/jobs", &text).await.unwrap();
    }
    let waiting = realtime.broker().waiting_count(&"/queue/jobs".parse().unwrap());
    assert!((300..600).contains(&waiting), "{waiting} wait in the queue, not in the connection");
    worker.thaw();
    for number in 0..600_u32 {
        let text = jobs.expect::<String>().await;
        assert!(text.starts_with(&format!("{number:4}x")), "{text:.10}");
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_send_to_queues_and_clients_only_where_a_rule_grants_it() {
    async fn order(Payload(number): Payload<u32>) -> Payload<u32> {
        Payload(number + 1)
    }
    let routes = Router::new().mount(Route::message("/app/order", order).send_to("/queue/orders")).with_state(());
    let granted = Rules::deny_all().allow_subscribe("/queue/orders").allow_send("/queue/open");
    let realtime =
        Realtime::builder(routes).authenticate(Anonymous).authorize(granted).config(config()).build().unwrap();
    let client = TestClient::connect(&realtime, "ada").await;
    client.send("/app/order", &1).await;
    client.send("/queue/open", &2).await;
    client.send("/queue/orders", &3).refused("forbidden").await;
    client.subscribe("/queue/open").refused("forbidden").await;
    let orders = client.subscribe("/queue/orders").await;
    orders.expect_json(2).await;
    orders.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn rule_9_a_handlers_reply_comes_before_what_the_queue_has_and_who_is_refused_gets_nothing() {
    async fn welcome(user: parlor_core::auth::Principal) -> Result<Reply<&'static str>, Rejection> {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        match user.to_string().as_str() {
            "eve" => Err(Rejection::new("not-you", "Not you.")),
            _ => Ok(Reply("welcome")),
        }
    }
    let routes = Router::new().mount(Route::subscribe("/queue/jobs", welcome)).with_state(());
    let realtime =
        Realtime::builder(routes).authenticate(Anonymous).authorize(rules()).config(config()).build().unwrap();
    publish(&realtime, "/queue/jobs", [1]).await;
    let eve = TestClient::connect(&realtime, "eve").await;
    eve.subscribe("/queue/jobs").refused("not-you").await;
    let ada = TestClient::connect(&realtime, "ada").await;
    let jobs = ada.subscribe("/queue/jobs").await;
    jobs.expect_json("welcome").await;
    let given = jobs.expect_json(1).await;
    assert_eq!(given.header("redelivered"), None);
}

#[tokio::test(start_paused = true)]
async fn versions_share_a_queue() {
    let realtime = realtime();
    for (from, to) in [(None, Some("1.2")), (Some("1.2"), None), (Some("1.1"), Some("1.2"))] {
        let sender = TestClient::connect(&realtime, "ada").accept_version(from).await;
        sender.send("/queue/jobs", &1).await;
        let worker = TestClient::connect(&realtime, "bob").accept_version(to).await;
        let jobs = worker.subscribe("/queue/jobs").id("0").ack(AckMode::Client).await;
        let given = jobs.expect_json(1).await;
        worker.ack(&given).await;
        worker.disconnect().await;
    }
    assert_eq!(realtime.broker().waiting_count(&"/queue/jobs".parse().unwrap()), 0);
}

#[tokio::test(start_paused = true)]
async fn patterns_of_queues_cannot_be_subscribed_to() {
    let realtime = builder().config(config().pattern_subscriptions(true)).build().unwrap();
    let client = TestClient::connect(&realtime, "ada").await;
    client.subscribe("/queue/*").refused("forbidden").await;
    client.subscribe("/queue/**").refused("forbidden").await;
}

#[tokio::test(start_paused = true)]
async fn an_unsubscribe_that_crosses_messages_loses_none() {
    let realtime = realtime();
    let first = TestClient::connect(&realtime, "ada").await;
    let second = TestClient::connect(&realtime, "bob").await;
    let one = first.subscribe("/queue/jobs").ack(AckMode::Client).await;
    let other = second.subscribe("/queue/jobs").ack(AckMode::Client).await;
    publish(&realtime, "/queue/jobs", 1..=4).await;
    take(&one, 2).await;
    one.unsubscribe().await;
    assert_eq!(numbers(&second, &other).await, [2, 4, 1, 3]);
    one.assert_silent().during(FIVE_MINUTES - crate::MOMENT).await;
}
