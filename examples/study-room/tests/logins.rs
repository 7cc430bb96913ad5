//! Rule 24 in the study room, over real sockets: refreshing a login, seeing where one is logged in, and ending all of it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use study_room::Settings;
use support::{Client, Folder, Room};

fn log_in(room: &Room) -> String {
    let account = json!({ "name": "Ada", "password": "correct horse" });
    room.request("POST", "/api/login", None, Some(&account)).cookie()
}

fn logins(room: &Room, cookie: &str) -> Vec<Value> {
    let answer = room.request("GET", "/api/logins", Some(cookie), None);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["logins"].as_array().unwrap().clone()
}

#[test]
fn rule_24_a_refresh_renews_the_cookie_of_the_same_login_and_keeps_the_session() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let old = room.sign_up("Ada");
    let algebra = room.create_room(&old, "Algebra");
    let mut client = Client::connect(&room, Some(&old)).unwrap();
    client.enter(&algebra);
    let answer = room.request("POST", "/api/refresh", Some(&old), None);
    assert_eq!(answer.status, 200, "{answer:?}");
    let fresh = answer.cookie();
    let me = room.request("GET", "/api/me", Some(&fresh), None);
    assert_eq!(me.json["expires_at"], answer.json["expires_at"]);
    client.say(&algebra, "still here", "k1");
    client.said();
    assert_eq!(logins(&room, &fresh).len(), 1, "the same login");
    // Logging out ends all cookies of the login, and what they opened, whichever it is done with.
    assert_eq!(room.request("POST", "/api/logout", Some(&old), None).status, 204);
    assert_eq!(client.close_status(), 4401);
    assert_eq!(room.request("GET", "/api/me", Some(&fresh), None).code(), "not-logged-in");
    assert_eq!(room.request("POST", "/api/refresh", Some(&fresh), None).code(), "not-logged-in");
}

#[test]
fn a_refresh_needs_a_login_and_a_page_of_ours() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    assert_eq!(room.request("POST", "/api/refresh", None, None).code(), "not-logged-in");
    let cookie = room.sign_up("Ada");
    let foreign = [("cookie", cookie), ("origin", "https://evil.example".to_owned())];
    for path in ["/api/refresh", "/api/logout-everywhere"] {
        assert_eq!(room.raw_request("POST", path, &foreign, "").code(), "origin-not-allowed");
    }
}

#[test]
fn rule_24_logging_out_everywhere_ends_every_login_of_the_account_and_no_other() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let here = room.sign_up("Ada");
    let (there, bob) = (log_in(&room), room.sign_up("Bob"));
    let mut sessions = [&here, &there].map(|cookie| Client::connect(&room, Some(cookie)).unwrap());
    let answer = room.request("POST", "/api/logout-everywhere", Some(&here), None);
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").unwrap().starts_with("token=; "));
    for session in &mut sessions {
        assert_eq!(session.close_status(), 4401);
    }
    for cookie in [&here, &there] {
        assert_eq!(Client::connect(&room, Some(cookie)).err(), Some(401), "not even at once");
        assert_eq!(room.request("POST", "/api/refresh", Some(cookie), None).code(), "not-logged-in");
    }
    assert_eq!(room.request("GET", "/api/me", Some(&bob), None).status, 200);
    room.stop();
    let room = Room::start(&folder.database());
    assert_eq!(room.request("GET", "/api/me", Some(&there), None).code(), "not-logged-in", "nor after a restart");
    let again = log_in(&room);
    assert_eq!(logins(&room, &again).len(), 1, "and the account is not locked out");
}

#[test]
fn an_account_sees_its_own_logins() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let here = room.sign_up("Ada");
    room.sign_up("Bob");
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let account = json!({ "name": "Ada", "password": "correct horse" }).to_string();
    let headers = [("content-type", "application/json".to_owned()), ("user-agent", agent.to_owned())];
    let there = room.raw_request("POST", "/api/login", &headers, &account).cookie();
    let _open = Client::connect(&room, Some(&there)).unwrap();
    let shown = logins(&room, &here);
    assert_eq!(shown.len(), 2);
    let there = shown.iter().find(|login| login["is_this_one"] == json!(false)).unwrap();
    assert_eq!((&there["agent"], &there["is_open"]), (&json!("Firefox on Linux"), &json!(true)));
    let here_too = shown.iter().find(|login| login["is_this_one"] == json!(true)).unwrap();
    assert_eq!((&here_too["agent"], &here_too["is_open"]), (&json!("Another program"), &json!(false)));
    assert!(shown.iter().all(|login| login["created_at"].as_i64() <= login["last_seen_at"].as_i64()), "{shown:?}");
    assert_eq!(room.request("GET", "/api/logins", None, None).code(), "not-logged-in");
}

#[test]
fn rule_24_one_login_is_ended_from_another_and_only_by_its_own_account() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let (here, bob) = (room.sign_up("Ada"), room.sign_up("Bob"));
    let there = log_in(&room);
    let mut sessions = [&here, &there].map(|cookie| Client::connect(&room, Some(cookie)).unwrap());
    let shown = logins(&room, &here);
    let other = shown.iter().find(|login| login["is_this_one"] == json!(false)).unwrap();
    let path = format!("/api/logins/{}", other["id"].as_str().unwrap());
    assert_eq!(room.request("DELETE", &path, None, None).code(), "not-logged-in");
    assert_eq!(room.request("DELETE", &path, Some(&bob), None).code(), "login-not-found");
    assert_eq!(room.request("GET", "/api/me", Some(&there), None).status, 200, "nobody else ends it");
    assert_eq!(room.request("DELETE", &path, Some(&here), None).status, 204);
    assert_eq!(sessions[1].close_status(), 4401);
    assert_eq!(Client::connect(&room, Some(&there)).err(), Some(401));
    assert_eq!(room.request("DELETE", &path, Some(&here), None).code(), "login-not-found", "once");
    assert_eq!(logins(&room, &here).len(), 1);
    sessions[0].hear_errors();
}

#[test]
fn one_login_too_many_ends_the_one_seen_longest_ago() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let mut cookies = vec![room.sign_up("Ada")];
    let mut first = Client::connect(&room, Some(&cookies[0])).unwrap();
    while cookies.len() < 20 {
        cookies.push(log_in(&room));
    }
    assert_eq!(logins(&room, &cookies[19]).len(), 20);
    cookies.push(log_in(&room));
    assert_eq!(logins(&room, &cookies[20]).len(), 20);
    assert_eq!(first.close_status(), 4401);
    assert_eq!(room.request("GET", "/api/me", Some(&cookies[0]), None).code(), "not-logged-in");
    assert_eq!(room.request("GET", "/api/me", Some(&cookies[1]), None).status, 200);
}

#[test]
fn rule_19_whoever_logs_out_has_left_at_once_here_everywhere_and_while_away() {
    let folder = Folder::new();
    let mut settings = Settings::for_tests(&folder.database());
    (settings.grace, settings.settling) = (Duration::from_secs(600), Duration::ZERO);
    let room = Room::start_with(settings);
    let (bob, mut cookie) = (room.sign_up("Bob"), room.sign_up("Ada"));
    let algebra = room.create_room(&bob, "Algebra");
    let mut witness = Client::connect(&room, Some(&bob)).unwrap();
    witness.enter(&algebra);
    let told = |event: &str, name: &str| (event.to_owned(), name.to_owned());
    assert_eq!(witness.announced(), told("entered", "Bob"));
    for (path, away) in [("logout", false), ("logout", true), ("logout-everywhere", false), ("logout-everywhere", true)]
    {
        let mut ada = Client::connect(&room, Some(&cookie)).unwrap();
        ada.enter(&algebra);
        assert_eq!(witness.announced(), told("entered", "Ada"));
        if away {
            drop(ada);
            room.wait_until_away(&cookie);
        }
        assert_eq!(room.request("POST", &format!("/api/{path}"), Some(&cookie), None).status, 204);
        assert_eq!(witness.announced(), told("left", "Ada"), "{path}, long before the grace is over");
        cookie = log_in(&room);
    }
}
