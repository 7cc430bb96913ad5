//! What is published while a subscription's handler runs waits for its reply (rule 9), within bounds (rule 26).

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use parlor_core::{
    Config, Realtime,
    app::{Route, Router, Rules},
    auth::Anonymous,
    broker::{Broker, DeliveryRules, OutboxLimits, Publication},
    extract::Reply,
    history::Retain,
    testing::TestClient,
};
use support::{Client, body, header, user};

const CHAT: &str = "/topic/chat";

/// An endpoint whose handler of SUBSCRIBE publishes so many bodies of that size before it replies.
fn publishing(messages: usize, octets: usize, config: Config) -> Realtime {
    endpoint(Arc::new(AtomicUsize::new(messages)), octets, config, DeliveryRules::default())
}

fn endpoint(messages: Arc<AtomicUsize>, octets: usize, config: Config, delivery: DeliveryRules) -> Realtime {
    let handler = move |broker: Broker| {
        let messages = messages.load(Ordering::Acquire);
        async move {
            for _ in 0..messages {
                let publication = Publication::bytes("x".repeat(octets));
                broker.publish_message(CHAT.parse().unwrap(), publication).await.unwrap();
            }
            Reply("reply")
        }
    };
    Realtime::builder(Router::new().mount(Route::subscribe(CHAT, handler)).with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all())
        .config(config)
        .delivery(delivery)
        .build()
        .unwrap()
}

/// Subscribes; how many messages came behind the reply, or the code and status that the connection ended with.
async fn subscribe(realtime: &Realtime) -> Result<usize, (String, u16)> {
    let mut client = Client::connect(realtime, user("ada")).await;
    client.send(&format!("SUBSCRIBE\nid:0\ndestination:{CHAT}\nreceipt:r\n\n")).await;
    let mut messages = 0;
    loop {
        let frame = client.frame().await;
        if frame.starts_with("ERROR") {
            let (error, status) = (header(&frame, "code").unwrap().to_owned(), client.next().await);
            let support::Received::Close(status, _) = status else { panic!("{status:?}") };
            return Err((error, status));
        }
        match header(&frame, "receipt-id") {
            Some(_) => return Ok(messages),
            None if messages == 0 && body(&frame) == "\"reply\"" => {}
            None => messages += 1,
        }
    }
}

fn too_slow() -> Result<usize, (String, u16)> {
    Err(("slow-handler".to_owned(), 1013))
}

#[tokio::test(start_paused = true)]
async fn what_is_published_while_a_subscription_is_made_is_held_back_up_to_a_number_and_not_one_beyond() {
    let config = || Config::default().max_held_messages(3);
    assert_eq!(subscribe(&publishing(3, 1, config())).await, Ok(3));
    assert_eq!(subscribe(&publishing(4, 1, config())).await, too_slow());
    // By default, where the outbox takes all of them at once.
    let outbox = OutboxLimits::default().max_messages(usize::MAX).max_bytes(usize::MAX);
    let roomy = Config::default().outbox(outbox).max_held_bytes(usize::MAX);
    assert_eq!(subscribe(&publishing(1024, 1, roomy.clone())).await, Ok(1024));
    assert_eq!(subscribe(&publishing(1025, 1, roomy)).await, too_slow());
}

#[tokio::test(start_paused = true)]
async fn what_is_published_while_a_subscription_is_made_is_held_back_up_to_so_many_octets_and_not_one_beyond() {
    // Each counts as 256 octets and its destination more than its body.
    let each = |body: usize| 256 + CHAT.len() + body;
    let config = Config::default().max_held_bytes(2 * each(100));
    assert_eq!(subscribe(&publishing(2, 100, config.clone())).await, Ok(2));
    assert_eq!(subscribe(&publishing(2, 101, config.clone())).await, too_slow());
    assert_eq!(subscribe(&publishing(3, 0, config)).await, too_slow());
}

#[tokio::test(start_paused = true)]
async fn who_resumes_is_given_from_the_history_what_is_beyond() {
    const BEYOND: usize = 10;
    let messages = Arc::new(AtomicUsize::new(0));
    let delivery = DeliveryRules::default().history(CHAT, Retain::last(100));
    let realtime = endpoint(Arc::clone(&messages), 1, Config::default().max_held_messages(3), delivery);
    let ada = TestClient::connect(&realtime, "ada").await;
    let began = ada.subscribe(CHAT).await.position().unwrap().to_owned();
    messages.store(BEYOND, Ordering::Release);
    let chat = ada.subscribe(CHAT).resume_from(&began).await;
    assert_eq!(chat.recovered(), Some(true));
    chat.expect_json("reply").await;
    for _ in 0..BEYOND {
        chat.expect_text("x").await;
    }
    chat.assert_silent().await;
    // Where nothing can be proved, the reply and what follows would pass for everything.
    drop(chat);
    let bob = TestClient::connect(&realtime, "bob").await;
    let _chat = bob.subscribe(CHAT).resume_from("forged").unconfirmed();
    bob.expect_closed("slow-handler").await;
}
