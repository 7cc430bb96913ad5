//! Bans, over real sockets: all that somebody has open ends at once, they come back by no way, and nobody waits for them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and reads the time")]

mod support;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use study_room::{App, Settings};
use support::{Client, Folder, Room};

/// Within this all that was open is closed: a thirtieth of the grace, and enough for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(20);

/// A study room on `database`, in which Ada, who has an account, may ban.
fn settings(database: &Path) -> Settings {
    let mut settings = Settings::for_tests(database);
    (settings.grace, settings.settling) = (Duration::from_secs(600), Duration::ZERO);
    settings.administrators = vec!["ada".to_owned()];
    settings
}

/// The same with the account of Ada, and its cookie.
fn room_of_ada(folder: &Folder) -> (Room, String) {
    let room = Room::start(&folder.database());
    let ada = room.sign_up("Ada");
    room.stop();
    (Room::start_with(settings(&folder.database())), ada)
}

fn id_of(room: &Room, cookie: &str) -> String {
    room.request("GET", "/api/me", Some(cookie), None).json["id"].as_str().unwrap().to_owned()
}

fn log_in(room: &Room, name: &str) -> support::Answer {
    let account = json!({ "name": name, "password": "correct horse" });
    room.request("POST", "/api/login", None, Some(&account))
}

/// The lines of an event stream of one's own notifications, that has begun.
fn event_stream(room: &Room, cookie: &str) -> impl Iterator<Item = String> + use<> {
    let mut stream = TcpStream::connect(room.addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(
        stream,
        "GET /events?destination=/user/queue/notifications HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n",
        room.addr
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "event: unread"));
    lines
}

#[test]
fn rule_19_a_ban_ends_all_sessions_and_streams_at_once_and_refuses_the_return() {
    let folder = Folder::new();
    let (room, ada) = room_of_ada(&folder);
    let (bob, cy) = (room.sign_up("Bob"), room.sign_up("Cy"));
    let second = log_in(&room, "Bob").cookie();
    let bobs_id = id_of(&room, &bob);
    let mut sessions = [&bob, &second, &cy].map(|cookie| Client::connect(&room, Some(cookie)).unwrap());
    let stream = event_stream(&room, &bob);

    let answer = room.request("POST", "/api/bans", Some(&ada), Some(&json!({ "user": bobs_id })));
    let banned = Instant::now();
    assert_eq!(answer.status, 204, "{answer:?}");
    for session in &mut sessions[..2] {
        assert_eq!(session.close_status(), 4403);
    }
    let last: Vec<String> =
        stream.skip_while(|line| line != "event: parlor.closed").take_while(|line| !line.is_empty()).collect();
    assert!(last.iter().any(|line| line.contains(r#""code":"banned""#)), "{last:?}");
    assert!(!last.iter().any(|line| line.contains("retry")), "it shall not come back: {last:?}");
    assert!(banned.elapsed() < AT_ONCE, "{:?}", banned.elapsed());

    for cookie in [&bob, &second] {
        assert_eq!(Client::connect(&room, Some(cookie)).err(), Some(401), "the return is refused");
        assert_eq!(room.request("POST", "/api/refresh", Some(cookie), None).code(), "not-logged-in");
        assert_eq!(room.request("GET", "/api/rooms", Some(cookie), None).status, 401);
    }
    let refused = log_in(&room, "Bob");
    assert_eq!((refused.status, refused.code()), (403, "banned"), "the right password opens nothing");
    assert!(refused.header("set-cookie").is_none());
    let wrong = json!({ "name": "Bob", "password": "wrong horse" });
    let guessed = room.request("POST", "/api/login", None, Some(&wrong));
    assert_eq!(guessed.code(), "wrong-credentials", "who does not know it learns nothing");
    sessions[2].hear_errors();

    room.stop();
    let room = Room::start_with(settings(&folder.database()));
    assert_eq!(Client::connect(&room, Some(&bob)).err(), Some(401), "nor after a restart");
    assert_eq!(log_in(&room, "Bob").code(), "banned");
    assert_eq!(room.request("DELETE", &format!("/api/bans/{bobs_id}"), Some(&ada), None).status, 204);
    assert_eq!(log_in(&room, "Bob").status, 200, "until he is let in again");
    assert_eq!(Client::connect(&room, Some(&bob)).err(), Some(401), "his old cookies stay ended");
}

#[test]
fn rule_20_whoever_is_banned_has_left_at_once_also_while_away() {
    let folder = Folder::new();
    let (room, ada) = room_of_ada(&folder);
    let algebra = room.create_room(&ada, "Algebra");
    let mut witness = Client::connect(&room, Some(&ada)).unwrap();
    witness.enter(&algebra);
    let told = |event: &str, name: &str| (event.to_owned(), name.to_owned());
    assert_eq!(witness.announced(), told("entered", "Ada"));
    for (name, is_away) in [("Bob", false), ("Cy", true)] {
        let cookie = room.sign_up(name);
        let user = id_of(&room, &cookie);
        let mut client = Client::connect(&room, Some(&cookie)).unwrap();
        client.enter(&algebra);
        assert_eq!(witness.announced(), told("entered", name));
        if is_away {
            drop(client);
            room.wait_until_away(&cookie);
        }
        assert_eq!(room.request("POST", "/api/bans", Some(&ada), Some(&json!({ "user": user }))).status, 204);
        assert_eq!(witness.announced(), told("left", name), "long before the grace is over");
    }
}

#[test]
fn only_administrators_ban_and_none_of_them_is_banned() {
    let folder = Folder::new();
    let (room, ada) = room_of_ada(&folder);
    let bob = room.sign_up("Bob");
    let (adas_id, bobs_id) = (id_of(&room, &ada), id_of(&room, &bob));
    let ban = |cookie: Option<&str>, user: &str| {
        room.request("POST", "/api/bans", cookie, Some(&json!({ "user": user }))).code().to_owned()
    };
    assert_eq!(ban(None, &bobs_id), "missing-credentials");
    assert_eq!(ban(Some(&bob), &adas_id), "not-administrator");
    assert_eq!(ban(Some(&bob), &bobs_id), "not-administrator");
    assert_eq!(ban(Some(&ada), &adas_id), "administrator");
    for nobody in ["nobody", "", "a\u{0}b", &"x".repeat(10_000)] {
        assert_eq!(ban(Some(&ada), nobody), "no-such-account", "{nobody:?}");
    }
    let path = format!("/api/bans/{bobs_id}");
    assert_eq!(room.request("DELETE", &path, Some(&bob), None).code(), "not-administrator");
    assert_eq!(room.request("DELETE", &path, Some(&ada), None).code(), "not-banned");
    assert_eq!(room.request("GET", "/api/bans", Some(&bob), None).code(), "not-administrator");
    let is_administrator = |cookie| room.request("GET", "/api/me", Some(cookie), None).json["is_administrator"].clone();
    assert_eq!((is_administrator(&ada), is_administrator(&bob)), (json!(true), json!(false)));

    let banned = |room: &Room| -> Vec<Value> {
        let answer = room.request("GET", "/api/bans", Some(&ada), None);
        answer.json["bans"].as_array().unwrap().iter().map(|ban| ban["name"].clone()).collect()
    };
    assert!(banned(&room).is_empty());
    for _ in 0..2 {
        assert_eq!(ban(Some(&ada), &bobs_id), "", "again it changes nothing");
        assert_eq!(banned(&room), ["Bob"]);
    }
}

#[tokio::test]
async fn an_administrator_without_an_account_is_an_error_at_the_start() {
    let folder = Folder::new();
    let error = App::start(settings(&folder.database())).await.unwrap_err().to_string();
    assert!(error.contains("STUDY_ROOM_ADMINS names `ada`") && error.contains("sign up"), "{error}");
}
