//! Bounds of queues and of what is not acknowledged, each at its limit and one beyond.

use bytes::Bytes;
use parlor_core::{
    Config, Realtime,
    broker::{Publication, PublishError, Published},
    limits::QueueLimits,
    stomp::AckMode,
    testing::TestClient,
};

use crate::{builder, config, numbers, publish, take};

/// What a message to a destination counts beside its body.
fn overhead(destination: &str) -> usize {
    256 + destination.len()
}

fn realtime(config: Config) -> Realtime {
    builder().config(config).build().unwrap()
}

fn queues(change: impl FnOnce(QueueLimits) -> QueueLimits) -> Realtime {
    let config = config();
    let limits = change(config.queues);
    realtime(config.queues(limits))
}

async fn send(realtime: &Realtime, queue: &str, octets: usize) -> Result<Published, PublishError> {
    let publication = Publication::bytes(Bytes::from(vec![b'1'; octets]));
    realtime.broker().publish_message(queue.parse().unwrap(), publication).await
}

fn is_full(result: &Result<Published, PublishError>) -> bool {
    matches!(result, Err(PublishError::QueueFull { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_queue_holds_so_many_messages_and_not_one_more() {
    let realtime = queues(|limits| limits.max_messages(3));
    publish(&realtime, "/queue/a", 1..=3).await;
    assert!(is_full(&send(&realtime, "/queue/a", 0).await));
    let client = TestClient::connect(&realtime, "ada").await;
    client.send("/queue/a", &4).refused("queue-full").await;
    publish(&realtime, "/queue/b", 1..=3).await;
    let worker = TestClient::connect(&realtime, "bob").await;
    let jobs = worker.subscribe("/queue/a").ack(AckMode::ClientIndividual).await;
    let given = take(&jobs, 3).await;
    client.send("/queue/a", &4).refused("queue-full").await;
    worker.ack(&given[1]).await;
    client.send("/queue/a", &4).await;
    jobs.expect_json(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_holds_so_many_octets_and_not_one_more() {
    let realtime = queues(|limits| limits.max_bytes(2 * overhead("/queue/a") + 100));
    send(&realtime, "/queue/a", 50).await.unwrap();
    assert!(is_full(&send(&realtime, "/queue/a", 51).await));
    send(&realtime, "/queue/a", 50).await.unwrap();
    assert!(is_full(&send(&realtime, "/queue/a", 0).await));
}

#[tokio::test(start_paused = true)]
async fn all_queues_hold_so_many_octets_and_not_one_more() {
    let realtime = realtime(config().max_queued_bytes(2 * overhead("/queue/a") + 100));
    send(&realtime, "/queue/a", 50).await.unwrap();
    assert!(is_full(&send(&realtime, "/queue/b", 51).await));
    send(&realtime, "/queue/b", 50).await.unwrap();
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/a").ack(AckMode::ClientIndividual).await;
    let given = take(&jobs, 1).await;
    assert!(is_full(&send(&realtime, "/queue/c", 0).await), "in flight counts");
    worker.ack(&given[0]).await;
    send(&realtime, "/queue/c", 50).await.unwrap();
    assert!(is_full(&send(&realtime, "/queue/a", 0).await));
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_queues_and_not_one_more_and_those_that_are_empty_are_none() {
    let realtime = realtime(config().max_queues(2));
    let client = TestClient::connect(&realtime, "ada").await;
    send(&realtime, "/queue/a", 1).await.unwrap();
    let b = client.subscribe("/queue/b").await;
    assert!(is_full(&send(&realtime, "/queue/c", 1).await));
    client.send("/queue/c", &1).refused("queue-full").await;
    client.subscribe("/queue/c").refused("too-many-queues").await;
    // Those that are there go on.
    send(&realtime, "/queue/a", 1).await.unwrap();
    client.subscribe("/queue/b").await;
    let a = client.subscribe("/queue/a").await;
    assert_eq!(numbers(&client, &a).await.len(), 2);
    a.unsubscribe().await;
    client.subscribe("/queue/c").await;
    drop(b);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fits_nowhere_leaves_no_queue_behind() {
    let config = config();
    let small = config.queues.max_bytes(overhead("/queue/a") + 10);
    let realtime = realtime(config.queues(small).max_queues(1));
    assert!(is_full(&send(&realtime, "/queue/a", 11).await));
    send(&realtime, "/queue/b", 10).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_queue_whose_session_is_gone_makes_room_for_another() {
    let realtime = realtime(config().max_queues(1));
    for queue in ["/queue/a", "/queue/b", "/queue/c"] {
        let client = TestClient::connect(&realtime, "ada").await;
        let jobs = client.subscribe(queue).ack(AckMode::Client).await;
        publish(&realtime, queue, [1]).await;
        client.ack(&jobs.expect_json(1).await).await;
        client.abort().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_has_so_many_messages_without_ack_and_not_one_more() {
    let realtime = queues(|limits| limits.max_unacknowledged(2));
    let worker = TestClient::connect(&realtime, "ada").await;
    for asked in [None, Some(100)] {
        let jobs = worker.subscribe("/queue/a").ack(AckMode::Client);
        let jobs = match asked {
            Some(asked) => jobs.prefetch(asked).await,
            None => jobs.await,
        };
        publish(&realtime, "/queue/a", 1..=3).await;
        let given = take(&jobs, 2).await;
        jobs.assert_silent().await;
        worker.ack(&given[1]).await;
        let last = jobs.expect_json(3).await;
        worker.ack(&last).await;
        jobs.unsubscribe().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_has_so_many_octets_without_ack_and_the_message_that_reaches_them() {
    let realtime = queues(|limits| limits.max_unacknowledged_bytes(2 * overhead("/queue/a") + 20));
    let worker = TestClient::connect(&realtime, "ada").await;
    let jobs = worker.subscribe("/queue/a").ack(AckMode::Client).await;
    for octets in [10, 9, 1000, 0] {
        send(&realtime, "/queue/a", octets).await.unwrap();
    }
    take(&jobs, 3).await;
    jobs.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn who_acknowledges_a_topic_too_slowly_is_a_slow_consumer_at_the_bound_and_not_before() {
    for (messages, octets) in [(3, usize::MAX), (usize::MAX, 3 * (overhead("/topic/a") + 1))] {
        let config = config();
        let limits = config.acknowledgements.max_messages(messages).max_bytes(octets);
        let realtime = realtime(config.acknowledgements(limits));
        let client = TestClient::connect(&realtime, "ada").await;
        let heard = client.subscribe("/topic/a").ack(AckMode::Client).prefetch(1).await;
        publish(&realtime, "/topic/a", 1..=3).await;
        let given = heard.expect_json(1).await;
        heard.assert_silent().await;
        client.ack(&given).await;
        publish(&realtime, "/topic/a", [4]).await;
        heard.expect_json(2).await;
        assert!(client.is_open());
        publish(&realtime, "/topic/a", [5]).await;
        client.expect_closed("slow-consumer").await;
    }
}
