//! Chat over real WebSockets, with Parlor's own client state machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod support;

use parlor::stomp::ClientEvent;
use serde_json::json;
use support::{Client, Folder, Room};

#[test]
fn two_people_chat_and_a_third_reads_the_history() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let (ada, bob) = (room.sign_up("Ada"), room.sign_up("Bob"));
    let id = room.create_room(&ada, "Algebra");
    let mut one = Client::connect(&room, Some(&ada)).unwrap();
    let mut two = Client::connect(&room, Some(&bob)).unwrap();
    assert_eq!(one.enter(&id)["messages"], json!([]));
    two.enter(&id);
    one.say(&id, "hello", "k1");
    let said = two.said();
    assert_eq!((&said["author"], &said["text"], &said["key"]), (&json!("Ada"), &json!("hello"), &json!("k1")));
    assert_eq!(one.said(), said, "the author hears it too");
    two.say(&id, "hi", "k2");
    assert_eq!(one.said()["author"], "Bob");
    let mut three = Client::connect(&room, Some(&room.sign_up("Cy"))).unwrap();
    let history = three.enter(&id);
    let texts: Vec<&str> =
        history["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["hello", "hi"]);
    assert_eq!(history["more"], json!(false));
}

#[test]
fn a_receipt_means_that_the_message_is_kept_and_a_restart_keeps_it() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    let id = room.create_room(&ada, "Algebra");
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    client.say(&id, "kept", "k1");
    assert_eq!(client.next(), ClientEvent::Receipt("k1".to_owned()));
    let stopping = std::thread::spawn(move || room.stop());
    assert_eq!(client.close_status(), 1012);
    drop(client);
    stopping.join().unwrap();
    let room = Room::start(&folder.database());
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    assert_eq!(client.enter(&id)["messages"][0]["text"], "kept", "and the cookie is still good");
}

#[test]
fn nobody_gets_in_without_a_good_cookie() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    assert_eq!(Client::connect(&room, None).err(), Some(401));
    assert_eq!(Client::connect(&room, Some("token=garbage")).err(), Some(401));
    let forged = format!("{}x", ada);
    assert_eq!(Client::connect(&room, Some(&forged)).err(), Some(401));
    assert!(Client::connect(&room, Some(&ada)).is_ok());
}

#[test]
fn sending_a_message_again_keeps_it_once() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    let id = room.create_room(&ada, "Algebra");
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    client.enter(&id);
    client.say(&id, "once", "same");
    client.say(&id, "once", "same");
    assert_eq!(client.said()["id"], client.said()["id"]);
    let page = room.request("GET", &format!("/api/rooms/{id}/messages"), Some(&ada), None).json;
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_said_is_refused_with_its_reason_and_the_session_goes_on() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    let id = room.create_room(&ada, "Algebra");
    let other = room.create_room(&ada, "Botany");
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    client.hear_errors();
    client.say(&id, "first", "used");
    assert_eq!(client.next(), ClientEvent::Receipt("used".to_owned()));
    for (to, text, key, code) in [
        (id.as_str(), "", "k1", "bad-text"),
        (&id, " \n", "k2", "bad-text"),
        (&id, "a\u{0}b", "k0", "bad-text"),
        (&id, &"x".repeat(4001), "k3", "bad-text"),
        (&id, "fine", "not a key", "bad-key"),
        ("none", "fine", "k5", "room-not-found"),
        (&other, "moved", "used", "key-used"),
    ] {
        client.say(to, text, key);
        let refusal = client.message();
        assert_eq!(refusal.headers.get("code"), Some(code));
        assert_eq!(refusal.headers.get("receipt-id"), Some(key));
    }
    client.say(&id, &"x".repeat(4000), "k6");
    assert_eq!(client.next(), ClientEvent::Receipt("k6".to_owned()));
}

#[test]
fn nobody_writes_to_a_room_past_its_handler() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    let id = room.create_room(&ada, "Algebra");
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    client.hear_errors();
    client.send_to(&format!("/topic/rooms/{id}/chat"));
    assert_eq!(client.message().headers.get("code"), Some("forbidden"));
    client.subscribe_to("/topic/anything");
    assert_eq!(client.message().headers.get("code"), Some("forbidden"));
}

#[test]
fn a_room_that_is_not_there_cannot_be_entered() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let mut client = Client::connect(&room, Some(&room.sign_up("Ada"))).unwrap();
    client.hear_errors();
    client.subscribe_to("/topic/rooms/none/chat");
    assert_eq!(client.message().headers.get("code"), Some("room-not-found"));
}

#[test]
fn a_long_conversation_is_read_page_by_page() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    let id = room.create_room(&ada, "Algebra");
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    for number in 0..60 {
        let key = format!("k{number}");
        client.say(&id, &number.to_string(), &key);
        assert_eq!(client.next(), ClientEvent::Receipt(key));
    }
    let history = client.enter(&id);
    let newest = history["messages"].as_array().unwrap();
    assert_eq!((newest.len(), &newest[0]["text"], &history["more"]), (50, &json!("10"), &json!(true)));
    let path = format!("/api/rooms/{id}/messages?before={}", newest[0]["id"]);
    let older = room.request("GET", &path, Some(&ada), None).json;
    let texts: Vec<&str> = older["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(older["more"], json!(false));
}

#[test]
fn a_log_out_closes_the_sessions_of_that_login_and_no_other() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let here = room.sign_up("Ada");
    let account = json!({ "name": "Ada", "password": "correct horse" });
    let there = room.request("POST", "/api/login", None, Some(&account)).cookie();
    let mut one = Client::connect(&room, Some(&here)).unwrap();
    let mut two = Client::connect(&room, Some(&there)).unwrap();
    assert_eq!(room.request("POST", "/api/logout", Some(&here), Some(&json!({}))).status, 204);
    assert_eq!(one.close_status(), 4401);
    two.hear_errors();
}
