//! The study room on PostgreSQL, over real sockets. The store's own tests stand beside it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use parlor::stomp::ClientEvent;
use serde_json::{Value, json};
use support::{Client, Folder, Room, cluster::Cluster};

/// Says something and waits until it is kept.
fn said(client: &mut Client, room: &str, text: &str) {
    client.say(room, text, text);
    while client.next() != ClientEvent::Receipt(text.to_owned()) {}
}

fn texts(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[test]
fn accounts_and_conversations_outlive_the_program() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.new_database();
    let room = Room::start_on(&url);
    let ada = room.sign_up("Ada");
    let id = room.create_room(&ada, "Algebra");
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    assert_eq!(client.enter(&id)["messages"], json!([]));
    said(&mut client, &id, "kept");
    drop(client);
    room.stop();
    let room = Room::start_on(&url);
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    assert_eq!(texts(&client.enter(&id)["messages"]), ["kept"]);
    let account = json!({ "name": "ADA", "password": "correct horse" });
    assert_eq!(room.request("POST", "/api/login", None, Some(&account)).status, 200);
}

#[test]
fn a_copied_cookie_stays_out_after_a_restart() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.new_database();
    let room = Room::start_on(&url);
    let stolen = room.sign_up("Ada");
    assert_eq!(room.request("POST", "/api/logout", Some(&stolen), None).status, 204);
    room.stop();
    let room = Room::start_on(&url);
    assert_eq!(room.request("GET", "/api/me", Some(&stolen), None).code(), "not-logged-in");
    assert_eq!(Client::connect(&room, Some(&stolen)).err(), Some(401));
}

#[test]
fn two_programs_on_one_database_keep_one_order() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.new_database();
    let (one, two) = (Room::start_on(&url), Room::start_on(&url));
    let ada = one.sign_up("Ada");
    let taken = two.request("POST", "/api/signup", None, Some(&json!({ "name": "ada", "password": "another one" })));
    assert_eq!(taken.status, 409);
    let id = two.create_room(&two.sign_up("Bob"), "Algebra");
    let mut clients = [&one, &two].map(|room| Client::connect(room, Some(&ada)).unwrap());
    for number in 0..10 {
        said(&mut clients[number % 2], &id, &number.to_string());
    }
    let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let histories =
        [&one, &two].map(|room| room.request("GET", &format!("/api/rooms/{id}/messages"), Some(&ada), None));
    for history in &histories {
        assert_eq!(texts(&history.json["messages"]), expected);
    }
    assert_eq!(histories[0].json, histories[1].json);
}

#[test]
fn what_no_database_can_hold_is_not_found_and_no_failure() {
    let Some(cluster) = Cluster::shared() else { return };
    let room = Room::start_on(&cluster.new_database());
    let ada = room.sign_up("Ada");
    for path in ["/api/rooms/%00", "/api/rooms/%00/messages"] {
        assert_eq!(room.request("GET", path, Some(&ada), None).code(), "room-not-found");
    }
    let nobody = json!({ "name": "\u{0}", "password": "correct horse" });
    assert_eq!(room.request("POST", "/api/login", None, Some(&nobody)).code(), "wrong-credentials");
}

#[test]
fn a_database_that_has_gone_is_told_and_the_program_goes_on() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.new_database();
    let room = Room::start_on(&url);
    assert_eq!(room.request("GET", "/healthz", None, None).status, 200);
    let ada = room.sign_up("Ada");
    cluster.run("postgres", &format!("DROP DATABASE {} WITH (FORCE)", url.rsplit('/').next().unwrap()));
    let gone = room.request("GET", "/healthz", None, None);
    assert_eq!((gone.status, gone.code()), (503, "unavailable"));
    let account = json!({ "name": "Ada", "password": "correct horse" });
    for answer in [
        room.request("GET", "/api/rooms", Some(&ada), None),
        room.request("GET", "/api/notifications", Some(&ada), None),
        room.request("POST", "/api/login", None, Some(&account)),
    ] {
        assert_eq!((answer.status, answer.code(), answer.header("retry-after")), (503, "unavailable", Some("1")));
    }
    assert_eq!(room.request("GET", "/", None, None).status, 200);
    let out = room.request("POST", "/api/logout", Some(&ada), None);
    assert_eq!((out.status, out.code()), (503, "unavailable"), "a log-out that would not last is none");
    assert_eq!(room.request("GET", "/api/me", Some(&ada), None).status, 200);
}

#[test]
fn the_password_of_the_database_is_nowhere_in_what_the_program_says() {
    let Some(cluster) = Cluster::shared() else { return };
    let (url, folder) = (cluster.new_database(), Folder::new());
    let mut child = Command::new(env!("CARGO_BIN_EXE_study-room"))
        .env_clear()
        .envs([("STUDY_ROOM_ADDR", "127.0.0.1:0"), ("DATABASE_URL", &url), ("RUST_LOG", "trace")])
        .env("XDG_DATA_HOME", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Read beside it, so that a full pipe never stops it.
    let mut stderr = child.stderr.take().unwrap();
    let logs = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    stdout.read_line(&mut printed).unwrap();
    let addr = printed.strip_prefix("Study room: open http://").unwrap().trim().parse().unwrap();
    Room::at(addr).sign_up("Ada");
    cluster.run("postgres", &format!("DROP DATABASE {} WITH (FORCE)", url.rsplit('/').next().unwrap()));
    assert_eq!(Room::at(addr).request("GET", "/healthz", None, None).status, 503);
    child.kill().unwrap();
    child.wait().unwrap();
    stdout.read_to_string(&mut printed).unwrap();
    let logs = logs.join().unwrap();
    assert!(printed.contains("the PostgreSQL database test_") && printed.contains(&cluster.server()), "{printed}");
    assert!(logs.contains("DEBUG") && logs.contains("the database does not answer"), "there is something to look at");
    for text in [&printed, &logs] {
        assert!(!text.contains("hush"));
    }
    assert!(
        folder.path().join("study-room/jwt-secret").exists(),
        "the secret lies on this machine, not in the database"
    );
}
