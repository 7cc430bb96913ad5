//! What every store must do with mailboxes: Parlor's own suite, and what the study room adds to it.

use parlor::{notifications::NewNotification, testing::check_notification_store};
use serde_json::json;
use tokio::task::JoinSet;

use crate::store::Store;

/// Runs on a store that has the accounts `id-Ada` and `id-Bob`, and no mailbox. Leaves one behind, of `id-Ada`.
pub(in crate::store) async fn run(store: &impl Store) {
    check_notification_store(store).await;
    accounts_are_found_by_their_names_whatever_their_case(store).await;
    for kind in ["first", "second"] {
        append(store, kind).await;
    }
}

/// Runs on a store that [`run`] has filled before it was closed and opened again: also ids go on.
pub(in crate::store) async fn survives_reopening(store: &impl Store) {
    let ada = "id-Ada".parse().unwrap();
    append(store, "third").await;
    let unread = store.unread(&ada, None, 10).await.unwrap().notifications;
    let kinds: Vec<&str> = unread.iter().map(|notification| notification.kind.as_str()).collect();
    assert_eq!(kinds, ["first", "second", "third"]);
}

/// The bound holds, and whoever has seen a notification has missed none before it, whichever node they look at.
pub(in crate::store) async fn run_on_two_nodes<S: Store + Clone>(one: &S, two: &S) {
    let ada = "id-Ada".parse().unwrap();
    let mut writers = JoinSet::new();
    for store in [one, two, one, two] {
        let (store, ada) = (store.clone(), "id-Ada".parse().unwrap());
        writers.spawn(async move {
            let mut kept = 0;
            for number in 0..15 {
                kept += usize::from(store.append(&ada, NewNotification::new("x", json!(number), 7), 40).await.is_ok());
            }
            kept
        });
    }
    let (mut seen, mut kept) = (Vec::new(), 0);
    let mut looks = [one, two].into_iter().cycle();
    while !writers.is_empty() {
        while let Some(written) = writers.try_join_next() {
            kept += written.unwrap();
        }
        let unread = looks.next().unwrap().unread(&ada, None, 100).await.unwrap().notifications;
        let ids: Vec<_> = unread.iter().map(|notification| notification.id).collect();
        assert!(ids.starts_with(&seen), "a notification has come before one that was seen");
        seen = ids;
    }
    assert_eq!((kept, one.unread(&ada, None, 100).await.unwrap().notifications.len()), (40, 40));
}

async fn append(store: &impl Store, kind: &str) {
    store.append(&"id-Ada".parse().unwrap(), NewNotification::new(kind, json!({}), 7), 10).await.unwrap();
}

async fn accounts_are_found_by_their_names_whatever_their_case(store: &impl Store) {
    let names = ["ADA", "nobody", "bob", "ada", "Ada\0", "'; --"].map(str::to_owned);
    let mut found = store.accounts_named(&names).await.unwrap();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(found.iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), ["id-Ada", "id-Bob"]);
    assert_eq!(store.accounts_named(&[]).await.unwrap(), []);
}
