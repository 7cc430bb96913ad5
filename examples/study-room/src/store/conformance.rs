//! One suite for every implementation of [`Store`]: what the services rely on.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use crate::store::{EndedLogin, Login, Message, NewAccount, NewMessage, NewRoom, Store, bans, direct, notifications};

/// Messages that each writer of [`run_on_two_nodes`] sends, and writers on each node.
const MESSAGES: usize = 25;
const WRITERS: usize = 3;

/// Runs the suite on an empty store.
pub(crate) async fn run(store: &impl Store) {
    store.check().await.unwrap();
    names_are_unique_whatever_their_case(store).await;
    rooms_come_with_the_newest_activity_first(store).await;
    messages_page_backwards_without_gaps(store).await;
    a_key_is_stored_once_per_author(store).await;
    a_message_needs_its_room(store).await;
    the_newest_activity_never_goes_back(store).await;
    what_no_text_holds_is_not_found(store).await;
    an_ended_login_is_known_until_it_expires(store).await;
    logins_are_listed_by_when_they_were_seen(store).await;
    a_login_that_ended_is_neither_seen_nor_extended(store).await;
    logins_end_together_with_all_of_their_cookies(store).await;
    of_ended_logins_those_that_expire_last_are_kept(store).await;
    for name in ["Cy", "Cy2"] {
        assert!(account(store, name).await);
    }
    direct::conformance::run(store).await;
    notifications::conformance::run(store).await;
    bans::conformance::run(store).await;
}

/// Runs on two openings of one empty database, as two nodes have it.
pub(crate) async fn run_on_two_nodes<S: Store + Clone>(one: &S, two: &S) {
    a_name_that_many_want_goes_to_one(one, two).await;
    room(one, "busy", 1).await;
    a_key_that_comes_twice_at_once_is_stored_once(one, two).await;
    whoever_has_seen_a_message_has_missed_none_before_it(one, two).await;
    logins_that_end_at_once_have_all_ended(one, two).await;
    assert!(account(one, "Dee").await);
    direct::conformance::run_on_two_nodes(one, two).await;
    notifications::conformance::run_on_two_nodes(one, two).await;
    a_login_that_is_extended_while_all_end_opens_nothing(one, two).await;
}

/// Runs on a store that [`run`] has filled before it was closed and opened again.
pub(crate) async fn survives_reopening(store: &impl Store) {
    assert!(store.account_by_name("ada").await.unwrap().is_some());
    assert_eq!(store.messages("busy", None, 10).await.unwrap().messages.len(), 10);
    assert_eq!(ended(store, 0).await, ["e7", "e6", "e5"]);
    direct::conformance::survives_reopening(store).await;
    notifications::conformance::survives_reopening(store).await;
    bans::conformance::survives_reopening(store).await;
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
        text: format!("text of {key} 'quoted' \"too\" %_ 😀"),
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
    assert_eq!(seen[1].text, "text of k0 'quoted' \"too\" %_ 😀");
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

async fn the_newest_activity_never_goes_back(store: &impl Store) {
    store.add_message(message("busy", "ahead", 9_000)).await.unwrap().unwrap();
    let behind = store.add_message(message("busy", "behind", 8_000)).await.unwrap().unwrap();
    assert_eq!(store.messages("busy", None, 1).await.unwrap().messages, [behind], "by id, whatever the clocks say");
    assert_eq!(store.room("busy").await.unwrap().unwrap().last_message_at, Some(9_000));
}

async fn what_no_text_holds_is_not_found(store: &impl Store) {
    let nul = "\u{0}";
    assert!(store.account_by_name(nul).await.unwrap().is_none());
    assert!(store.room(nul).await.unwrap().is_none());
    assert!(store.messages(nul, None, 10).await.unwrap().messages.is_empty());
    assert!(store.add_message(message(nul, "nul", 300)).await.unwrap().is_none());
}

async fn end(store: &impl Store, id: &str, expires_at: i64, now: i64, most: u32) {
    store.end_login(EndedLogin { id: id.to_owned(), expires_at }, now, most).await.unwrap();
}

async fn ended(store: &impl Store, now: i64) -> Vec<String> {
    store.ended_logins(now, 10).await.unwrap().into_iter().map(|login| login.id).collect()
}

async fn an_ended_login_is_known_until_it_expires(store: &impl Store) {
    end(store, "short", 100, 0, 10).await;
    end(store, "long", 200, 0, 10).await;
    end(store, "long", 200, 0, 10).await;
    assert_eq!(ended(store, 99).await, ["long", "short"]);
    assert_eq!(ended(store, 100).await, ["long"]);
    assert_eq!(ended(store, 200).await, [""; 0]);
    end(store, "next", 300, 100, 10).await;
    assert_eq!(ended(store, 0).await, ["next", "long"], "what has expired is no longer kept");
}

async fn of_ended_logins_those_that_expire_last_are_kept(store: &impl Store) {
    for (id, expires_at) in [("e5", 1005), ("e7", 1007), ("e6", 1006)] {
        end(store, id, expires_at, 300, 3).await;
    }
    assert_eq!(ended(store, 0).await, ["e7", "e6", "e5"], "as many as may be");
    end(store, "e4", 1004, 300, 3).await;
    assert_eq!(ended(store, 0).await, ["e7", "e6", "e5"], "and not one more");
    let newest = store.ended_logins(0, 1).await.unwrap();
    assert_eq!(newest, [EndedLogin { id: "e7".to_owned(), expires_at: 1007 }]);
}

fn login(id: &str, account: &str, seen: i64) -> Login {
    Login {
        id: id.to_owned(),
        account_id: format!("id-{account}"),
        agent: "Firefox on Linux".to_owned(),
        created_at: 10,
        last_seen_at: seen,
        expires_at: 500,
    }
}

async fn seen(store: &impl Store, account: &str, now: i64) -> Vec<(String, i64, i64)> {
    let logins = store.logins(&format!("id-{account}"), now).await.unwrap();
    logins.into_iter().map(|login| (login.id, login.last_seen_at, login.expires_at)).collect()
}

async fn logins_are_listed_by_when_they_were_seen(store: &impl Store) {
    for (id, account, at) in [("l1", "Ada", 20), ("l2", "Ada", 30), ("l3", "Bob", 40), ("l4", "nobody", 50)] {
        store.see_login(login(id, account, at)).await.unwrap();
    }
    store.see_login(Login { agent: "other".to_owned(), expires_at: 9, ..login("l1", "Ada", 45) }).await.unwrap();
    store.see_login(login("l1", "Ada", 15)).await.unwrap();
    assert_eq!(seen(store, "Ada", 60).await, [("l1".to_owned(), 45, 500), ("l2".to_owned(), 30, 500)]);
    assert_eq!(store.logins("id-Ada", 60).await.unwrap()[0].agent, "Firefox on Linux", "as it began");
    assert_eq!(seen(store, "Ada", 500).await, [], "they have expired");
    assert!(store.extend_login("l2", 900, 70, 9).await.unwrap());
    assert!(store.extend_login("l2", 600, 60, 9).await.unwrap(), "and nothing goes back");
    assert_eq!(seen(store, "Ada", 500).await, [("l2".to_owned(), 70, 900)]);
    assert!(!store.extend_login("l2", 950, 80, 10).await.unwrap(), "it was begun too long ago");
    assert!(!store.extend_login("l9", 950, 80, 9).await.unwrap(), "it was never kept");
}

async fn a_login_that_ended_is_neither_seen_nor_extended(store: &impl Store) {
    let ended = store.end_login(EndedLogin { id: "l2".to_owned(), expires_at: 500 }, 300, 10).await.unwrap();
    assert_eq!(ended.expires_at, 900, "the last of its cookies, not the one that it was ended with");
    store.see_login(login("l2", "Ada", 310)).await.unwrap();
    assert!(!store.extend_login("l2", 950, 310, 9).await.unwrap());
    assert_eq!(seen(store, "Ada", 310).await, [("l1".to_owned(), 45, 500)]);
}

async fn logins_end_together_with_all_of_their_cookies(store: &impl Store) {
    for (id, at) in [("l5", 50), ("l6", 60), ("l7", 70)] {
        store.see_login(login(id, "Ada", at)).await.unwrap();
    }
    let ended = store.end_logins("id-Ada", 2, 300, 10).await.unwrap();
    let mut ids: Vec<_> = ended.into_iter().map(|login| login.id).collect();
    ids.sort();
    assert_eq!(ids, ["l1", "l5"], "those seen longest ago");
    assert_eq!(store.end_logins("id-Ada", 0, 300, 10).await.unwrap().len(), 2);
    assert_eq!(seen(store, "Ada", 300).await, []);
    assert_eq!(seen(store, "Bob", 300).await.len(), 1, "another account");
    let known = store.ended_logins(300, 20).await.unwrap();
    assert!(["l1", "l5", "l6", "l7"].iter().all(|id| known.iter().any(|login| login.id == *id)), "{known:?}");
    store.end_logins("id-Bob", 0, 1000, 10).await.unwrap();
}

/// Whoever is told that a login was extended makes a cookie; so the end must know of that cookie.
async fn a_login_that_is_extended_while_all_end_opens_nothing(one: &impl Store, two: &impl Store) {
    for round in 0..20 {
        let id = format!("x{round}");
        one.see_login(Login { expires_at: 20_000, ..login(&id, "Ada", 10) }).await.unwrap();
        let (extended, ended) =
            tokio::join!(one.extend_login(&id, 90_000, 10_000, 9), two.end_logins("id-Ada", 0, 10_000, 100));
        let (extended, ended) = (extended.unwrap(), ended.unwrap());
        let end = ended.iter().find(|login| login.id == id).unwrap().expires_at;
        assert_eq!(end, if extended { 90_000 } else { 20_000 }, "round {round}");
    }
}

async fn logins_that_end_at_once_have_all_ended<S: Store + Clone>(one: &S, two: &S) {
    let mut ends = JoinSet::new();
    for number in 0..20 {
        let store = if number % 2 == 0 { one.clone() } else { two.clone() };
        // Every second one has expired already, so that each call forgets while others keep.
        ends.spawn(async move { end(&store, &format!("e{number}"), 100 + number % 2, 100, 20).await });
    }
    ends.join_all().await;
    let known = two.ended_logins(100, 20).await.unwrap();
    assert_eq!(known.len(), 10, "{known:?}");
}

async fn a_name_that_many_want_goes_to_one<S: Store + Clone>(one: &S, two: &S) {
    let mut attempts = JoinSet::new();
    for (number, name) in ["Cy", "cy", "CY", "cY"].into_iter().cycle().take(12).enumerate() {
        let store = if number % 2 == 0 { one.clone() } else { two.clone() };
        attempts.spawn(async move {
            let account = NewAccount {
                id: number.to_string(),
                name: name.to_owned(),
                password_hash: String::new(),
                created_at: 1,
            };
            store.create_account(account).await.unwrap()
        });
    }
    let made: Vec<_> = attempts.join_all().await.into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    assert_eq!(two.account_by_name("cy").await.unwrap().unwrap().0, made[0]);
}

async fn a_key_that_comes_twice_at_once_is_stored_once<S: Store + Clone>(one: &S, two: &S) {
    assert!(account(one, "Ada").await);
    let mut attempts = JoinSet::new();
    for store in [one, two, one, two] {
        let store = store.clone();
        attempts.spawn(async move { store.add_message(message("busy", "at-once", 2)).await.unwrap().unwrap() });
    }
    let ids: BTreeSet<i64> = attempts.join_all().await.into_iter().map(|message| message.id).collect();
    assert_eq!(ids.len(), 1);
}

/// While both nodes write, each look at the room begins with what the look before has shown, on either node.
async fn whoever_has_seen_a_message_has_missed_none_before_it<S: Store + Clone>(one: &S, two: &S) {
    let mut writers = JoinSet::new();
    for writer in 0..2 * WRITERS {
        let store = if writer % 2 == 0 { one.clone() } else { two.clone() };
        writers.spawn(async move {
            for number in 0..MESSAGES {
                let key = format!("w{writer}-{number}");
                store.add_message(message("busy", &key, 3)).await.unwrap().unwrap();
            }
        });
    }
    let mut seen: Vec<Message> = Vec::new();
    let mut looks = [one, two].into_iter().cycle();
    let mut is_over = false;
    while !is_over {
        while let Some(written) = writers.try_join_next() {
            written.unwrap();
        }
        is_over = writers.is_empty();
        let look = looks.next().unwrap().messages("busy", None, 1_000).await.unwrap().messages;
        assert_eq!(look[..seen.len().min(look.len())], seen, "a message has come before one that was seen");
        seen = look;
    }
    for writer in 0..2 * WRITERS {
        let own = format!("w{writer}-");
        let keys: Vec<&str> = seen.iter().filter_map(|message| message.key.strip_prefix(&own)).collect();
        assert_eq!(keys, (0..MESSAGES).map(|number| number.to_string()).collect::<Vec<_>>(), "each writer's own order");
    }
}
