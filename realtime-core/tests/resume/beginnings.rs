//! Rules 14 and 15: the RECEIPT of a SUBSCRIBE names the place that it begins at, so that a client that is cut off before its
//! first message loses nothing either.

use super::{journals::Late, races::Chance, *};

#[tokio::test(start_paused = true)]
async fn rule_14_a_client_that_is_cut_off_before_its_first_message_goes_on_from_where_it_began() {
    let realtime = realtime(retaining(100));
    publish(realtime.broker(), 0).await;
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).await;
    assert_eq!(chat.recovered(), None);
    let began = chat.position().unwrap().to_owned();
    ada.abort().await;
    for number in 1..4 {
        publish(realtime.broker(), number).await;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&began).await;
    assert_eq!(chat.recovered(), Some(true));
    // What went on from a place begins there.
    assert_eq!(chat.position(), Some(&*began));
    expect_numbers(&chat, 1..4).await;
    chat.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_who_is_told_of_a_hole_is_told_where_it_ends() {
    let realtime = realtime(retaining(2));
    let position = seen_the_first(&realtime).await;
    for number in 1..6 {
        publish(realtime.broker(), number).await;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    assert_eq!(chat.recovered(), Some(false));
    let began = chat.position().unwrap().to_owned();
    ada.abort().await;
    publish(realtime.broker(), 6).await;
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&began).await;
    assert_eq!(chat.recovered(), Some(true), "one hole is told once");
    expect_numbers(&chat, 6..7).await;
}

/// Its reply may have been made before a message that was published while it ran.
#[tokio::test(start_paused = true)]
async fn rule_14_with_a_subscribe_handler_it_begins_before_the_handler_ran() {
    let replies = Route::subscribe(CHAT, async |broker: Broker| {
        broker.publish(CHAT, &1).await.unwrap();
        Reply("replied")
    });
    let realtime = with_routes(Router::new().mount(replies), retaining(100));
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).await;
    let began = chat.position().unwrap().to_owned();
    chat.expect_json("replied").await;
    chat.expect_json(1).await;
    let again = ada.subscribe(CHAT).resume_from(&began).await;
    assert_eq!(again.recovered(), Some(true));
    again.expect_json("replied").await;
    // What it published while it ran the first time, and then the second.
    again.expect_json(1).await;
    again.expect_json(1).await;
}

#[tokio::test(start_paused = true)]
async fn what_has_no_history_names_no_place() {
    let realtime = realtime(DeliveryRules::default().history(CHAT, Retain::last(9)));
    let ada = TestClient::connect(&realtime, "ada").await;
    for destination in ["/topic/plain", "/topic/*", "/queue/jobs", "/user/queue/notes"] {
        assert_eq!(ada.subscribe(destination).await.position(), None, "{destination}");
    }
    assert!(ada.subscribe(CHAT).await.position().is_some());
}

/// Two clients begin at one place while a publisher publishes: one is cut off before it has seen a message, and again and again
/// after a few, and goes on from the last place that it was told of; the other is not. Both see the same, but for what a journal
/// had accepted before the place and delivers behind it.
async fn cut_off_early(seed: u64, journal: Option<Late>) {
    const MESSAGES: usize = 40;
    let is_late = journal.is_some();
    let realtime = realtime(match journal {
        Some(journal) => retaining(1000).journal(journal),
        None => retaining(1000),
    });
    let mut chance = Chance(seed);
    let begun = Arc::new(AtomicUsize::new(0));
    let publisher = tokio::spawn({
        let (broker, mut chance, begun) = (realtime.broker().clone(), Chance(!seed), Arc::clone(&begun));
        async move {
            for number in 0..MESSAGES {
                begun.store(number + 1, Ordering::Release);
                publish(&broker, number).await;
                chance.pause().await;
            }
        }
    });
    chance.pause().await;
    let bob = TestClient::connect(&realtime, "bob").await;
    let uncut = bob.subscribe(CHAT).await;
    let mut position = uncut.position().unwrap().to_owned();
    // Whatever is published from now on is owed.
    let owed = begun.load(Ordering::Acquire);
    let mut seen: Vec<usize> = Vec::new();
    while seen.last().is_none_or(|last| last + 1 < MESSAGES) {
        let ada = TestClient::connect(&realtime, "ada").await;
        let chat = ada.subscribe(CHAT).resume_from(&position).await;
        assert_eq!(chat.recovered(), Some(true), "seed {seed}");
        chat.position().unwrap().clone_into(&mut position);
        chance.pause().await;
        for message in chat.messages().into_iter().take(chance.below(4) as usize) {
            message.position().unwrap().clone_into(&mut position);
            seen.push(message.json());
        }
        ada.abort().await;
    }
    publisher.await.unwrap();
    let first_hand: Vec<usize> = uncut.messages().iter().map(|message| message.json()).collect();
    let first = first_hand[0];
    assert_eq!(first_hand, (first..MESSAGES).collect::<Vec<_>>(), "seed {seed}");
    assert!(first <= owed && seen[0] <= if is_late { owed } else { first }, "seed {seed}: {} came first", seen[0]);
    assert_eq!(seen, (seen[0]..MESSAGES).collect::<Vec<_>>(), "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn rule_14_whoever_is_cut_off_early_loses_nothing_and_sees_nothing_twice() {
    for seed in 0..50 {
        cut_off_early(seed, None).await;
        cut_off_early(seed, Some(Late::new(seed))).await;
    }
}
