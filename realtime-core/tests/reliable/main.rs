//! Rules 10 to 13 over whole connections: acknowledgement, queues, transactions, and sends that are repeated.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod acknowledgement;
mod bounds;
mod message_key;
mod queues;
mod transactions;

use std::time::Duration;

use parlor_core::{
    Config, Realtime, RealtimeBuilder,
    app::{Router, Rules},
    auth::Anonymous,
    testing::{TestClient, TestMessage, TestSubscription},
};

/// Clients may send to topics and queues, and subscribe to them.
fn rules() -> Rules {
    Rules::deny_all()
        .allow_send("/topic/**")
        .allow_send("/queue/**")
        .allow_send_to_own_user()
        .allow_subscribe("/topic/**")
        .allow_subscribe("/queue/**")
}

/// Without rates, which are tested elsewhere.
fn config() -> Config {
    Config::development()
}

fn builder() -> RealtimeBuilder {
    Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules()).config(config())
}

fn realtime() -> Realtime {
    builder().build().unwrap()
}

async fn publish(realtime: &Realtime, destination: &str, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        realtime.broker().publish(destination, &number).await.unwrap();
    }
}

/// Everything that has come, as numbers.
async fn numbers(client: &TestClient, subscription: &TestSubscription) -> Vec<u32> {
    client.sync().await;
    subscription.messages().iter().map(TestMessage::json).collect()
}

/// So many messages.
async fn take(subscription: &TestSubscription, count: usize) -> Vec<TestMessage> {
    let mut messages = Vec::new();
    for _ in 0..count {
        messages.push(subscription.expect_message().await);
    }
    messages
}

fn is_redelivered(message: &TestMessage) -> bool {
    message.header("redelivered") == Some("true")
}

const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);
const MOMENT: Duration = Duration::from_millis(1);
