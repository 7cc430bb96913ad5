//! What every store must do with direct messages; a part of the [suite](crate::store::conformance) of all.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use crate::store::{Conversation, Direct, NewDirect, Store, direct::MOST_UNREAD};

/// Runs on a store that has the accounts `id-Ada`, `id-Bob` and `id-Cy`, and no direct message.
pub(in crate::store) async fn run(store: &impl Store) {
    an_account_is_found_by_its_id(store).await;
    messages_of_two_page_backwards_and_are_theirs_alone(store).await;
    a_key_is_stored_once_per_author(store).await;
    a_message_needs_its_reader(store).await;
    conversations_come_with_the_newest_first_and_count_what_is_unread(store).await;
    unread_messages_are_counted_up_to_a_bound(store).await;
}

/// Runs on a store that [`run`] has filled before it was closed and opened again.
pub(in crate::store) async fn survives_reopening(store: &impl Store) {
    assert_eq!(store.direct_messages("id-Ada", "id-Bob", None, 50).await.unwrap().messages.len(), 27);
    assert_eq!(unread(store, "id-Bob").await, [("Ada".to_owned(), 3)]);
}

/// The accounts are `id-Ada` and `id-Dee`. Between two people, whoever has seen a message has missed none before it, whichever node they look at.
pub(in crate::store) async fn run_on_two_nodes<S: Store + Clone>(one: &S, two: &S) {
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let store = if writer % 2 == 0 { one.clone() } else { two.clone() };
        // Both ways at once, and each message twice.
        let (from, to) = if writer < 2 { ("id-Ada", "id-Dee") } else { ("id-Dee", "id-Ada") };
        writers.spawn(async move {
            for number in 0..20 {
                let message = direct(from, to, &format!("d{}-{number}", writer / 2));
                store.add_direct(message).await.unwrap().unwrap();
            }
        });
    }
    let mut seen: Vec<Direct> = Vec::new();
    let mut looks = [one, two].into_iter().cycle();
    let mut is_over = false;
    while !is_over {
        while let Some(written) = writers.try_join_next() {
            written.unwrap();
        }
        is_over = writers.is_empty();
        let look = looks.next().unwrap().direct_messages("id-Ada", "id-Dee", None, 100).await.unwrap().messages;
        assert_eq!(look[..seen.len().min(look.len())], seen, "a message has come before one that was seen");
        seen = look;
    }
    let keys: BTreeSet<&str> = seen.iter().map(|message| message.key.as_str()).collect();
    assert_eq!((seen.len(), keys.len()), (40, 40));
}

fn direct(from: &str, to: &str, key: &str) -> NewDirect {
    NewDirect {
        author_id: from.to_owned(),
        recipient_id: to.to_owned(),
        text: format!("text of {key} 'quoted' %_ 😀"),
        key: key.to_owned(),
        sent_at: 7,
    }
}

async fn add(store: &impl Store, from: &str, to: &str, key: &str) -> Direct {
    store.add_direct(direct(from, to, key)).await.unwrap().unwrap()
}

/// Whose messages somebody has not read, and how many.
async fn unread(store: &impl Store, owner: &str) -> Vec<(String, i64)> {
    let conversations = store.conversations(owner, 10).await.unwrap();
    conversations.into_iter().map(|Conversation { name, unread, .. }| (name, unread)).collect()
}

async fn an_account_is_found_by_its_id(store: &impl Store) {
    assert_eq!(store.account("id-Ada").await.unwrap().unwrap().name, "Ada");
    for id in ["nobody", "id-Ada\0", ""] {
        assert!(store.account(id).await.unwrap().is_none(), "{id:?}");
    }
}

async fn messages_of_two_page_backwards_and_are_theirs_alone(store: &impl Store) {
    for number in 0..25 {
        let (from, to) = if number % 2 == 0 { ("id-Ada", "id-Bob") } else { ("id-Bob", "id-Ada") };
        let message = add(store, from, to, &format!("p{number}")).await;
        assert_eq!((message.author_id.as_str(), message.recipient_id.as_str()), (from, to));
        assert_eq!((format!("id-{}", message.author), format!("id-{}", message.recipient)), (from.into(), to.into()));
        assert_eq!(message.text, format!("text of p{number} 'quoted' %_ 😀"));
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        // Whoever of the two looks.
        let page = store.direct_messages("id-Bob", "id-Ada", before, 10).await.unwrap();
        assert_eq!(page, store.direct_messages("id-Ada", "id-Bob", before, 10).await.unwrap());
        before = page.messages.first().map(|message| message.id);
        seen.splice(0..0, page.messages);
        if !page.more {
            break;
        }
    }
    let keys: Vec<&str> = seen.iter().map(|message| message.key.as_str()).collect();
    assert_eq!(keys, (0..25).map(|number| format!("p{number}")).collect::<Vec<_>>());
    for (one, other) in [("id-Ada", "id-Cy"), ("id-Cy", "id-Bob"), ("id-Ada", "id-Ada"), ("id-Ada", "\0")] {
        assert_eq!(store.direct_messages(one, other, None, 10).await.unwrap().messages, [], "{one} {other}");
    }
}

async fn a_key_is_stored_once_per_author(store: &impl Store) {
    let first = add(store, "id-Ada", "id-Bob", "again").await;
    assert_eq!(add(store, "id-Ada", "id-Bob", "again").await, first);
    assert_eq!(store.add_direct(direct("id-Ada", "id-Cy", "again")).await.unwrap(), None, "used for another");
    assert_eq!(unread(store, "id-Cy").await, []);
    assert_ne!(add(store, "id-Cy", "id-Ada", "again").await.id, first.id, "another author's key is another");
}

async fn a_message_needs_its_reader(store: &impl Store) {
    for nobody in ["nobody", "id-Ada\0"] {
        assert_eq!(store.add_direct(direct("id-Ada", nobody, "lost")).await.unwrap(), None);
    }
}

async fn conversations_come_with_the_newest_first_and_count_what_is_unread(store: &impl Store) {
    assert_eq!(unread(store, "id-Ada").await, [("Cy".to_owned(), 1), ("Bob".to_owned(), 12)]);
    assert_eq!(unread(store, "id-Bob").await, [("Ada".to_owned(), 14)], "one's own are not counted");
    let page = store.direct_messages("id-Bob", "id-Ada", None, 5).await.unwrap();
    let [before, .., last] = page.messages.as_slice() else { panic!("five messages") };
    let newest = store.conversations("id-Bob", 1).await.unwrap().remove(0);
    assert_eq!((newest.last_id, newest.last_text, newest.last_author), (last.id, last.text.clone(), "Ada".to_owned()));
    // p21 and p23 are Bob's; of the last five, p22, p24 and the one above are Ada's.
    store.mark_read("id-Bob", "id-Ada", before.id).await.unwrap();
    store.mark_read("id-Bob", "id-Ada", 0).await.unwrap();
    store.mark_read("id-Bob", "\0", 9).await.unwrap();
    let left = unread(store, "id-Bob").await;
    store.mark_read("id-Ada", "id-Bob", i64::MAX).await.unwrap();
    assert_eq!(unread(store, "id-Ada").await, [("Cy".to_owned(), 1), ("Bob".to_owned(), 0)]);
    add(store, "id-Bob", "id-Ada", "after").await;
    assert_eq!(unread(store, "id-Ada").await[0], ("Bob".to_owned(), 1), "what was not written yet cannot be read");
    assert_eq!(left, [("Ada".to_owned(), 3)]);
    assert_eq!(store.conversations("id-Ada", 1).await.unwrap().len(), 1);
}

async fn unread_messages_are_counted_up_to_a_bound(store: &impl Store) {
    for number in 0..=MOST_UNREAD {
        add(store, "id-Cy", "id-Cy2", &format!("many{number}")).await;
    }
    assert_eq!(unread(store, "id-Cy2").await, [("Cy".to_owned(), MOST_UNREAD)]);
}
