//! One suite for every implementation of [`Store`]: what the services rely on.

use crate::store::{NewAccount, NewMessage, NewRoom, Store};

/// Runs the suite on an empty store.
pub(crate) async fn run(store: &impl Store) {
    store.check().await.unwrap();
    names_are_unique_whatever_their_case(store).await;
    rooms_come_with_the_newest_activity_first(store).await;
    messages_page_backwards_without_gaps(store).await;
    a_key_is_stored_once_per_author(store).await;
    a_message_needs_its_room(store).await;
}

/// Runs on a store that [`run`] has filled before it was closed and opened again.
pub(crate) async fn survives_reopening(store: &impl Store) {
    assert!(store.account_by_name("ada").await.unwrap().is_some());
    assert_eq!(store.messages("busy", None, 10).await.unwrap().messages.len(), 10);
}

async fn account(store: &impl Store, name: &str) -> bool {
    let account = NewAccount {
        id: format!("id-{name}"),
        name: name.to_owned(),
        password_hash: format!("hash of {name}"),
        created_at: 1,
    };
    store.create_account(account).await.unwrap().is_some()
}

async fn room(store: &impl Store, id: &str, created_at: i64) {
    let room = NewRoom {
        id: id.to_owned(),
        name: id.to_uppercase(),
        subject: String::new(),
        created_by: "Ada".to_owned(),
        created_at,
    };
    store.create_room(room).await.unwrap();
}

fn message(room: &str, key: &str, sent_at: i64) -> NewMessage {
    NewMessage {
        room: room.to_owned(),
        author_id: "id-Ada".to_owned(),
        author_name: "Ada".to_owned(),
        text: format!("text of {key} \u{0} 'quoted' \"too\" %_ 😀"),
        key: key.to_owned(),
        sent_at,
    }
}

async fn names_are_unique_whatever_their_case(store: &impl Store) {
    assert!(account(store, "Ada").await);
    assert!(account(store, "Bob").await);
    assert!(!account(store, "ADA").await);
    let (found, hash) = store.account_by_name("aDA").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.name.as_str(), hash.as_str()), ("id-Ada", "Ada", "hash of Ada"));
    assert!(store.account_by_name("nobody").await.unwrap().is_none());
}

async fn rooms_come_with_the_newest_activity_first(store: &impl Store) {
    room(store, "old", 10).await;
    room(store, "busy", 5).await;
    room(store, "new", 20).await;
    store.add_message(message("busy", "first", 30)).await.unwrap().unwrap();
    let rooms = store.rooms(10).await.unwrap();
    let ids: Vec<&str> = rooms.iter().map(|room| room.id.as_str()).collect();
    assert_eq!(ids, ["busy", "new", "old"]);
    assert_eq!(rooms[0].last_message_at, Some(30));
    assert_eq!(store.rooms(2).await.unwrap(), rooms[..2]);
    assert_eq!(store.room("old").await.unwrap().unwrap().name, "OLD");
    assert!(store.room("nowhere").await.unwrap().is_none());
}

async fn messages_page_backwards_without_gaps(store: &impl Store) {
    for number in 0..24 {
        store.add_message(message("busy", &format!("k{number}"), 100 + number)).await.unwrap().unwrap();
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store.messages("busy", before, 10).await.unwrap();
        let ids: Vec<i64> = page.messages.iter().map(|message| message.id).collect();
        assert!(ids.is_sorted());
        before = ids.first().copied();
        seen.splice(0..0, page.messages);
        if !page.more {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.windows(2).all(|pair| pair[0].id < pair[1].id));
    assert_eq!(seen[1].text, "text of k0 \u{0} 'quoted' \"too\" %_ 😀");
    let exact = store.messages("busy", None, 25).await.unwrap();
    assert_eq!((exact.messages.len(), exact.more), (25, false));
}

async fn a_key_is_stored_once_per_author(store: &impl Store) {
    let first = store.add_message(message("new", "again", 200)).await.unwrap().unwrap();
    let second = store.add_message(NewMessage { text: "other".into(), ..message("new", "again", 201) }).await.unwrap();
    assert_eq!(second.unwrap(), first);
    assert!(store.add_message(message("old", "again", 202)).await.unwrap().is_none());
    let bobs = NewMessage { author_id: "id-Bob".into(), author_name: "Bob".into(), ..message("new", "again", 202) };
    assert_ne!(store.add_message(bobs).await.unwrap().unwrap().id, first.id);
    assert_eq!(store.messages("new", None, 10).await.unwrap().messages.len(), 2);
}

async fn a_message_needs_its_room(store: &impl Store) {
    assert!(store.add_message(message("nowhere", "lost", 300)).await.unwrap().is_none());
    assert!(store.messages("nowhere", None, 10).await.unwrap().messages.is_empty());
}
