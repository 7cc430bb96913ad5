//! Rules 1 to 9: destinations, users, delivery and order, over whole connections.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail")]

mod support;

use parlor_core::{
    Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::{Anonymous, Principal},
    broker::Broker,
    extract::{Path, Payload, Reply, SendToUser},
};
use support::{Client, assert_silent, body, header, user};

fn realtime(router: Router<()>) -> Realtime {
    let rules = Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/open/**").allow_send_to_own_user();
    Realtime::builder(router.with_state(())).authenticate(Anonymous).authorize(rules).build().unwrap()
}

async fn shout(Path(room): Path<String>, Payload(text): Payload<String>) -> Payload<String> {
    Payload(format!("{room}: {}", text.to_uppercase()))
}

#[tokio::test(start_paused = true)]
async fn rule_1_app_goes_to_handlers_and_topic_fans_out_to_every_subscription() {
    let realtime =
        realtime(Router::new().mount(Route::message("/app/rooms/{room}/shout", shout).send_to("/topic/rooms/{room}")));
    let mut ada = Client::connect(&realtime, user("ada")).await;
    let mut bob = Client::connect(&realtime, user("bob")).await;
    ada.subscribe("a", "/topic/rooms/7").await;
    ada.subscribe("b", "/topic/rooms/7").await;
    bob.subscribe("0", "/topic/rooms/7").await;
    bob.send("SEND\ndestination:/app/rooms/7/shout\n\n\"hi\"").await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let frame = ada.frame().await;
        assert_eq!(body(&frame), "\"7: HI\"");
        assert_eq!(header(&frame, "destination"), Some("/topic/rooms/7"));
        assert_eq!(header(&frame, "content-type"), Some("application/json"));
        ids.push(header(&frame, "subscription").unwrap().to_owned());
    }
    ids.sort();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(header(&bob.frame().await, "subscription"), Some("0"));
    assert_silent(&mut ada).await;
}

#[tokio::test(start_paused = true)]
async fn rule_2_a_client_may_not_send_to_a_topic_unless_a_rule_grants_it() {
    let realtime = realtime(Router::new());
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("open", "/topic/open/a").await;
    client.send("SEND\ndestination:/topic/open/a\n\nyes").await;
    assert_eq!(body(&client.frame().await), "yes");
    client.send("SEND\ndestination:/topic/closed\nreceipt:1\n\nno").await;
    let (error, status) = client.error_and_close().await;
    assert_eq!(header(&error, "code"), Some("forbidden"));
    assert_eq!(status, 1008);
}

#[tokio::test(start_paused = true)]
async fn rule_3_a_destination_is_refused_and_never_repaired() {
    let realtime = realtime(Router::new());
    for destination in ["/topic//a", "/topic/a/", "/topic/../a", "/topic/a%2fb", "/topic/\\\\a", "topic/a"] {
        let mut client = Client::connect(&realtime, user("ada")).await;
        client.send(&format!("SUBSCRIBE\nid:0\ndestination:{destination}\n\n")).await;
        let (error, _) = client.error_and_close().await;
        let code = header(&error, "code").unwrap();
        assert!(matches!(code, "invalid-destination" | "no-such-destination"), "{destination}: {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_5_patterns_are_off_by_default() {
    let realtime = realtime(Router::new());
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/*\n\n").await;
    let (error, _) = client.error_and_close().await;
    assert_eq!(header(&error, "code"), Some("not-supported"));
}

async fn members_only(user: Principal) -> Result<Reply<&'static str>, Rejection> {
    match user.display_name() {
        Some("ada") => Ok(Reply("welcome")),
        _ => Err(Rejection::new("members-only", "This room is for members.")),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_5_a_pattern_cannot_go_around_the_handler_that_judges_a_destination() {
    let routes = Router::new().mount(Route::subscribe("/topic/club/{room}", members_only)).with_state(());
    let realtime = Realtime::builder(routes)
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .config(parlor_core::Config::default().pattern_subscriptions(true))
        .build()
        .unwrap();
    for pattern in ["/topic/**", "/topic/*/x", "/topic/club/*"] {
        let mut client = Client::connect(&realtime, user("eve")).await;
        client.send(&format!("SUBSCRIBE\nid:0\ndestination:{pattern}\n\n")).await;
        let (error, _) = client.error_and_close().await;
        assert_eq!(header(&error, "code"), Some("forbidden"), "{pattern}");
    }
    let mut client = Client::connect(&realtime, user("eve")).await;
    client.subscribe("0", "/topic/news/*").await;
    realtime.broker().publish("/topic/news/a", "x").await.unwrap();
    assert_eq!(header(&client.frame().await, "destination"), Some("/topic/news/a"));
}

#[tokio::test(start_paused = true)]
async fn rule_6_user_destinations_reach_their_own_user_and_show_the_name_that_was_subscribed_to() {
    let realtime = realtime(Router::new());
    let mut ada = Client::connect(&realtime, user("ada")).await;
    let mut bob = Client::connect(&realtime, user("bob")).await;
    ada.subscribe("0", "/user/queue/notes").await;
    bob.subscribe("0", "/user/queue/notes").await;
    let sent = realtime.broker().send_to_user(&"ada".parse().unwrap(), "/queue/notes", &1).await.unwrap();
    assert_eq!((sent.sessions, sent.subscriptions), (1, 1));
    let frame = ada.frame().await;
    assert_eq!((header(&frame, "destination"), body(&frame)), (Some("/user/queue/notes"), "1"));
    assert_silent(&mut bob).await;
}

#[tokio::test(start_paused = true)]
async fn rule_6_another_users_destination_cannot_be_subscribed_to() {
    let realtime = realtime(Router::new());
    for destination in ["/user/bob/queue/notes", "/user/ada/queue/notes", "/user/bob", "/user"] {
        let mut client = Client::connect(&realtime, user("ada")).await;
        client.send(&format!("SUBSCRIBE\nid:0\ndestination:{destination}\n\n")).await;
        let (error, _) = client.error_and_close().await;
        assert!(matches!(header(&error, "code"), Some("forbidden" | "no-such-destination")), "{destination}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_6_an_anonymous_session_is_its_own_user() {
    let realtime = realtime(Router::new());
    let mut one = Client::connect(&realtime, Principal::anonymous()).await;
    let mut two = Client::connect(&realtime, Principal::anonymous()).await;
    one.subscribe("0", "/user/queue/notes").await;
    two.subscribe("0", "/user/queue/notes").await;
    one.send("SEND\ndestination:/user/queue/notes\n\nmine").await;
    assert_eq!(body(&one.frame().await), "mine");
    assert_silent(&mut two).await;
}

async fn sum(Payload((a, b)): Payload<(i32, i32)>) -> SendToUser<i32> {
    SendToUser::new("/queue/sums", a + b)
}

async fn sum_here(Payload((a, b)): Payload<(i32, i32)>) -> SendToUser<i32> {
    SendToUser::new("/queue/sums", a + b).to_this_session()
}

#[tokio::test(start_paused = true)]
async fn rule_7_a_message_to_a_user_reaches_all_sessions_or_the_one_that_asked() {
    let realtime =
        realtime(Router::new().mount(Route::message("/app/sum", sum)).mount(Route::message("/app/sum-here", sum_here)));
    let mut tab = Client::connect(&realtime, user("ada")).await;
    let mut other = Client::connect(&realtime, user("ada")).await;
    tab.subscribe("0", "/user/queue/sums").await;
    other.subscribe("0", "/user/queue/sums").await;
    tab.send("SEND\ndestination:/app/sum\n\n[1,2]").await;
    assert_eq!(body(&tab.frame().await), "3");
    assert_eq!(body(&other.frame().await), "3");
    tab.send("SEND\ndestination:/app/sum-here\n\n[2,2]").await;
    assert_eq!(body(&tab.frame().await), "4");
    assert_silent(&mut other).await;
}

#[tokio::test(start_paused = true)]
async fn rule_8_a_message_reaches_a_confirmed_subscription_once() {
    let realtime = realtime(Router::new());
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/topic/a").await;
    let published = realtime.broker().publish("/topic/a", "x").await.unwrap();
    assert_eq!(published.subscriptions, 1);
    client.frame().await;
    assert_silent(&mut client).await;
    client.send("UNSUBSCRIBE\nid:0\nreceipt:u\n\n").await;
    client.receipt("u").await;
    assert_eq!(realtime.broker().publish("/topic/a", "x").await.unwrap().subscriptions, 0);
    assert_eq!(realtime.broker().destination_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_9_all_subscriptions_see_one_order_across_publishers_and_destinations() {
    let realtime = realtime(Router::new());
    let mut listeners = Vec::new();
    for name in ["ada", "bob"] {
        let mut client = Client::connect(&realtime, user(name)).await;
        client.subscribe("0", "/topic/open/a").await;
        client.subscribe("1", "/topic/open/b").await;
        listeners.push(client);
    }
    let mut publishers = Vec::new();
    for name in ["p", "q"] {
        publishers.push(Client::connect(&realtime, user(name)).await);
    }
    for round in 0..50 {
        for (number, publisher) in publishers.iter_mut().enumerate() {
            let destination = ["/topic/open/a", "/topic/open/b"][round % 2];
            publisher.send(&format!("SEND\ndestination:{destination}\n\n{number}:{round}")).await;
        }
    }
    let mut seen = Vec::new();
    for listener in &mut listeners {
        let mut bodies = Vec::new();
        for _ in 0..100 {
            bodies.push(body(&listener.frame().await).to_owned());
        }
        for publisher in ["0:", "1:"] {
            let rounds: Vec<usize> =
                bodies.iter().filter_map(|text| text.strip_prefix(publisher)?.parse().ok()).collect();
            assert_eq!(rounds, (0..50).collect::<Vec<_>>(), "the publisher's order, across destinations");
        }
        seen.push(bodies.into_iter().filter(|text| text.ends_with(['0', '2', '4', '6', '8'])).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1], "one destination has one order for all");
}

async fn slow_snapshot(broker: Broker) -> Reply<&'static str> {
    broker.publish("/topic/rooms/1", "live, published while the snapshot was made").await.unwrap();
    Reply("snapshot")
}

#[tokio::test(start_paused = true)]
async fn rule_9_a_reply_precedes_the_first_live_message_and_none_is_missed() {
    let realtime = realtime(Router::new().mount(Route::subscribe("/topic/rooms/{room}", slow_snapshot)));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/rooms/1\nreceipt:r\n\n").await;
    assert_eq!(body(&client.frame().await), "\"snapshot\"");
    assert!(body(&client.frame().await).starts_with("\"live"));
    client.receipt("r").await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_under_the_application_prefix_gets_its_reply_alone() {
    let realtime = realtime(Router::new().mount(Route::subscribe("/app/welcome", members_only)));
    let ada = user("ada").with_name("ada");
    let mut client = Client::connect(&realtime, ada).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/app/welcome\nreceipt:r\n\n").await;
    let reply = client.frame().await;
    assert_eq!((header(&reply, "subscription"), body(&reply)), (Some("0"), "\"welcome\""));
    client.receipt("r").await;
    client.send("UNSUBSCRIBE\nid:0\nreceipt:u\n\n").await;
    client.receipt("u").await;
}

async fn many(broker: Broker, user: Principal) {
    for n in 0..2000 {
        broker.send_to_user(user.id().unwrap(), "/queue/n", &n).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_messages_to_its_own_user_lets_the_connection_write() {
    let realtime = realtime(Router::new().mount(Route::message("/app/many", many)));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("n", "/user/queue/n").await;
    client.send("SEND\ndestination:/app/many\n\n").await;
    for n in 0..2000 {
        assert_eq!(body(&client.frame().await), n.to_string());
    }
}
