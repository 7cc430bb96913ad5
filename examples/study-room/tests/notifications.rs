//! Notifications over HTTP: read, acknowledged, and as an event stream.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use parlor::stomp::ClientEvent;
use serde_json::{Value, json};
use support::{Client, Folder, Room};

const EVENTS: &str = "/events?destination=/user/queue/notifications";

/// An event stream's fields, without what HTTP has between them.
fn listen(room: &Room, cookie: &str) -> impl Iterator<Item = (String, Value)> + use<> {
    let mut stream = TcpStream::connect(room.addr).unwrap();
    // It ends a test that would never end.
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET {EVENTS} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n", room.addr).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    std::iter::from_fn(move || {
        let event = lines.find_map(|line| line.strip_prefix("event: ").map(str::to_owned))?;
        let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned))?;
        Some((event, serde_json::from_str(&data).unwrap()))
    })
}

/// Says something, and waits until it is kept and whoever it names is notified.
fn say(client: &mut Client, room: &str, text: &str, key: &str) {
    client.say(room, text, key);
    assert_eq!(client.next(), ClientEvent::Receipt(key.to_owned()));
}

#[test]
fn a_mention_waits_over_a_restart_and_is_read_once_for_all() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let (ada, bob) = (room.sign_up("Ada"), room.sign_up("Bob"));
    let id = room.create_room(&ada, "Algebra");
    say(&mut Client::connect(&room, Some(&ada)).unwrap(), &id, "@Bob, look", "k1");
    room.stop();

    let room = Room::start(&folder.database());
    let mut events = listen(&room, &bob);
    let (event, unread) = events.next().unwrap();
    assert_eq!((event.as_str(), &unread["more"]), ("unread", &json!(false)));
    let first = unread["notifications"][0].clone();
    assert_eq!(
        (&first["kind"], &first["payload"]["by"], &first["payload"]["text"]),
        (&json!("mention"), &json!("Ada"), &json!("@Bob, look"))
    );
    say(&mut Client::connect(&room, Some(&ada)).unwrap(), &id, "@Bob, and this", "k2");
    let (event, second) = events.next().unwrap();
    assert_eq!((event.as_str(), &second["payload"]["text"]), ("notification", &json!("@Bob, and this")));

    let rest =
        room.request("GET", &format!("/api/notifications?after={}", first["id"].as_str().unwrap()), Some(&bob), None);
    assert_eq!((rest.status, &rest.json["notifications"][0]["id"]), (200, &second["id"]));
    assert_eq!(rest.header("cache-control"), Some("no-store"));
    let acknowledge =
        |cookie, which: Value| room.request("POST", "/api/notifications/acknowledge", cookie, Some(&which));
    let which = json!({ "up_to": second["id"] });
    assert_eq!(acknowledge(Some(&ada), which.clone()).json, json!({ "ids": [] }), "it is not hers");
    assert_eq!(acknowledge(Some(&bob), which.clone()).json, json!({ "ids": [first["id"], second["id"]] }));
    let (event, told) = events.next().unwrap();
    assert_eq!((event.as_str(), &told["ids"]), ("acknowledged", &json!([first["id"], second["id"]])));
    assert_eq!(acknowledge(Some(&bob), which).json, json!({ "ids": [] }));
    assert_eq!(room.request("GET", "/api/notifications", Some(&bob), None).json["notifications"], json!([]));
}

#[test]
fn nobody_reads_or_acknowledges_without_a_login_from_elsewhere_or_what_makes_no_sense() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    for (method, path) in [("GET", "/api/notifications"), ("POST", "/api/notifications/acknowledge"), ("GET", EVENTS)] {
        let body = json!({ "ids": [] });
        assert_eq!(room.request(method, path, None, (method == "POST").then_some(&body)).status, 401, "{path}");
    }
    let elsewhere = [
        ("cookie", ada.clone()),
        ("origin", "https://evil.example".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    for (method, path) in [("POST", "/api/notifications/acknowledge"), ("GET", EVENTS)] {
        assert_eq!(room.raw_request(method, path, &elsewhere, r#"{"ids":[]}"#).status, 403, "{path}");
    }
    for body in [json!({}), json!({ "ids": ["x"] }), json!({ "ids": [], "up_to": "1" }), json!({ "up_to": 1 })] {
        let answer = room.request("POST", "/api/notifications/acknowledge", Some(&ada), Some(&body));
        assert_eq!(answer.code(), "bad-json", "{body}");
    }
    assert_eq!(room.request("GET", "/api/notifications?after=x", Some(&ada), None).code(), "bad-query");
}

#[test]
fn rule_24_a_log_out_ends_the_event_streams_of_its_login() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    let mut events = listen(&room, &ada);
    assert_eq!(events.next().unwrap().0, "unread");
    assert_eq!(room.request("POST", "/api/logout", Some(&ada), Some(&json!({}))).status, 204);
    let (event, told) = events.next().unwrap();
    assert_eq!((event.as_str(), &told["code"], told.get("retry")), ("parlor.closed", &json!("logged-out"), None));
    assert_eq!(room.request("GET", EVENTS, Some(&ada), None).status, 401);
}
