//! Direct messages: to all tabs of both, to nobody else, and kept.

use super::*;

const QUEUE: &str = "/user/queue/direct";

/// Hears what comes to somebody.
async fn hear(client: &TestClient) -> TestSubscription {
    client.subscribe(QUEUE).await
}

async fn write(client: &TestClient, to: &str, text: &str, key: &str) {
    client.send(&format!("/app/direct/id-{to}"), &json!({ "text": text, "key": key })).await;
}

#[tokio::test]
async fn what_one_writes_comes_to_all_tabs_of_both_and_to_nobody_else() {
    let study = StudyRoom::open().await;
    let (ada, bob, cy) = (study.client("Ada").await, study.client("Bob").await, study.client("Cy").await);
    let (adas_tab, bobs_tab) = (study.returning("Ada").await, study.returning("Bob").await);
    let both = [hear(&ada).await, hear(&adas_tab).await, hear(&bob).await, hear(&bobs_tab).await];
    let other = hear(&cy).await;
    write(&ada, "Bob", "hello", "k1").await;
    for tab in &both {
        let event: Value = tab.expect().await;
        let message = &event["message"];
        assert_eq!(
            (&event["type"], &message["text"], &message["key"]),
            (&json!("message"), &json!("hello"), &json!("k1"))
        );
        assert_eq!((&message["author_id"], &message["author"]), (&json!("id-Ada"), &json!("Ada")));
        assert_eq!((&message["recipient_id"], &message["recipient"]), (&json!("id-Bob"), &json!("Bob")));
        tab.assert_silent().await;
    }
    other.assert_silent().await;
}

#[tokio::test]
async fn a_receipt_means_that_a_direct_message_is_kept_and_again_is_kept_once() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    write(&ada, "Bob", "once", "same").await;
    ada.abort().await;
    let study = study.restarted().await;
    drop(bob);
    let (ada, bob) = (study.returning("Ada").await, study.returning("Bob").await);
    let heard = hear(&bob).await;
    write(&ada, "Bob", "once", "same").await;
    let again: Value = heard.expect().await;
    let kept = study.store.direct_messages("id-Ada", "id-Bob", None, 10).await.unwrap().messages;
    assert_eq!(kept.iter().map(|message| message.id).collect::<Vec<_>>(), [again["message"]["id"].as_i64().unwrap()]);
}

#[tokio::test]
async fn what_was_read_in_one_tab_is_read_in_the_others() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    write(&ada, "Bob", "hello", "k1").await;
    let unread = async || study.store.conversations("id-Bob", 10).await.unwrap()[0].unread;
    assert_eq!(unread().await, 1);
    let tab = hear(&study.returning("Bob").await).await;
    let id = study.store.conversations("id-Bob", 10).await.unwrap()[0].last_id;
    bob.send("/app/direct/id-Ada/read", &json!({ "up_to": id })).await;
    tab.expect_json(json!({ "type": "read", "with": "id-Ada", "up_to": id })).await;
    assert_eq!(unread().await, 0);
}

#[tokio::test]
async fn whoever_opens_a_conversation_gets_what_was_written_and_then_what_follows() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    write(&ada, "Bob", "before", "k1").await;
    let heard = hear(&bob).await;
    let opened: Value = bob.subscribe("/app/direct/id-Ada").await.expect().await;
    assert_eq!(opened["with"], json!({ "id": "id-Ada", "name": "Ada" }));
    assert_eq!((&opened["messages"][0]["text"], &opened["more"]), (&json!("before"), &json!(false)));
    let list: Value = bob.subscribe("/app/direct").await.expect().await;
    let [only] = list["conversations"].as_array().unwrap().as_slice() else { panic!("one conversation: {list}") };
    assert_eq!((&only["name"], &only["last_text"], &only["unread"]), (&json!("Ada"), &json!("before"), &json!(1)));
    write(&ada, "Bob", "after", "k2").await;
    assert_eq!(heard.expect::<Value>().await["message"]["text"], "after");
    for (who, code) in [("nobody", "person-not-found"), ("id-Bob", "to-oneself")] {
        bob.subscribe(&format!("/app/direct/{who}")).refused(code).await;
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_with_its_reason_and_nobody_hears_it() {
    let study = StudyRoom::open().await;
    let (ada, bob, _cy) = (study.client("Ada").await, study.client("Bob").await, study.client("Cy").await);
    let nobody = TestClient::anonymous(&study.realtime).await;
    let heard = hear(&bob).await;
    write(&ada, "Bob", "first", "used").await;
    heard.expect_message().await;
    for (to, text, key, code) in [
        ("id-Bob", " ", "k1", "bad-text"),
        ("id-Bob", &"x".repeat(4001), "k2", "bad-text"),
        ("id-Bob", "fine", "not a key", "bad-key"),
        ("id-Ada", "fine", "k3", "to-oneself"),
        ("nobody", "fine", "k4", "person-not-found"),
        ("id-Cy", "moved", "used", "key-used"),
    ] {
        ada.send(&format!("/app/direct/{to}"), &json!({ "text": text, "key": key })).refused(code).await;
    }
    let draft = json!({ "text": "hello", "key": "k5" });
    nobody.send("/app/direct/id-Bob", &draft).refused("not-logged-in").await;
    nobody.send("/app/direct/id-Bob/read", &json!({ "up_to": 1 })).refused("not-logged-in").await;
    ada.send(QUEUE, &draft).refused("forbidden").await;
    heard.assert_silent().await;
}

#[tokio::test]
async fn nobody_writes_faster_than_ten_at_once() {
    let study = StudyRoom::open().await;
    let (ada, _bob) = (study.client("Ada").await, study.client("Bob").await);
    let _clock = TestClock::hold();
    for number in 0..10 {
        write(&ada, "Bob", "hello", &format!("k{number}")).await;
    }
    let draft = json!({ "text": "hello", "key": "k10" });
    ada.send("/app/direct/id-Bob", &draft).refused("rate-limited").await;
}
