//! The JSON API and the pages, over a real socket.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod support;

use serde_json::json;
use study_room::Settings;
use support::{Answer, Asked, Client, Folder, Room};

#[test]
fn an_account_is_made_once_and_logs_in_and_out() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let ada = json!({ "name": "Ada", "password": "correct horse" });
    let made = room.request("POST", "/api/signup", None, Some(&ada));
    assert_eq!((made.status, &made.json), (201, &json!({ "name": "Ada" })));
    let set_cookie = made.header("set-cookie").unwrap();
    assert!(set_cookie.contains("HttpOnly") && set_cookie.contains("SameSite=Lax"), "{set_cookie}");
    let again = room.request("POST", "/api/signup", None, Some(&json!({ "name": "ADA", "password": "another one" })));
    assert_eq!((again.status, again.code()), (409, "name-taken"));
    let wrong = room.request("POST", "/api/login", None, Some(&json!({ "name": "Ada", "password": "wrong horse" })));
    let unknown = room.request("POST", "/api/login", None, Some(&json!({ "name": "Bob", "password": "wrong horse" })));
    assert_eq!((wrong.status, wrong.code()), (401, "wrong-credentials"));
    assert_eq!((unknown.status, unknown.json), (401, wrong.json));
    let back = room.request("POST", "/api/login", None, Some(&ada));
    assert_eq!(back.status, 200);
    let cookie = back.cookie();
    let me = room.request("GET", "/api/me", Some(&cookie), None);
    assert_eq!((me.status, &me.json["name"]), (200, &json!("Ada")));
    assert_eq!(me.header("cache-control"), Some("no-store"));
    let out = room.request("POST", "/api/logout", Some(&cookie), Some(&json!({})));
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").unwrap().starts_with("token=; "));
    assert_eq!(room.request("GET", "/api/me", None, None).code(), "not-logged-in");
}

#[test]
fn rule_24_a_copied_cookie_ends_at_log_out_and_another_login_does_not() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let here = room.sign_up("Ada");
    let account = json!({ "name": "Ada", "password": "correct horse" });
    let elsewhere = room.request("POST", "/api/login", None, Some(&account)).cookie();
    let stolen = here.clone();
    assert_eq!(room.request("POST", "/api/logout", Some(&here), None).status, 204);
    assert_eq!(room.request("GET", "/api/me", Some(&stolen), None).code(), "not-logged-in");
    assert_eq!(room.request("GET", "/rooms", Some(&stolen), None).status, 303, "the door");
    assert_eq!(Client::connect(&room, Some(&stolen)).err(), Some(401));
    assert_eq!(room.request("GET", "/api/me", Some(&elsewhere), None).status, 200);
    assert!(Client::connect(&room, Some(&elsewhere)).is_ok());
}

#[test]
fn a_copied_cookie_stays_out_after_a_restart_and_another_login_does_not() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let stolen = room.sign_up("Ada");
    let account = json!({ "name": "Ada", "password": "correct horse" });
    let elsewhere = room.request("POST", "/api/login", None, Some(&account)).cookie();
    assert_eq!(room.request("POST", "/api/logout", Some(&stolen), None).status, 204);
    room.stop();
    let room = Room::start(&folder.database());
    assert_eq!(room.request("GET", "/api/me", Some(&stolen), None).code(), "not-logged-in");
    assert_eq!(Client::connect(&room, Some(&stolen)).err(), Some(401));
    assert_eq!(room.request("GET", "/api/me", Some(&elsewhere), None).status, 200);
    assert!(Client::connect(&room, Some(&elsewhere)).is_ok());
}

#[test]
fn bad_names_and_passwords_are_told_at_their_field() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    for (name, password, field) in
        [("a", "correct horse", "name"), ("<b>", "correct horse", "name"), ("Ada", "short", "password")]
    {
        let answer = room.request("POST", "/api/signup", None, Some(&json!({ "name": name, "password": password })));
        assert_eq!((answer.status, &answer.json["field"]), (422, &json!(field)), "{name}");
    }
    let both = room.request("POST", "/api/signup", None, Some(&json!({ "name": "<b>", "password": "short" }))).json;
    assert_eq!((&both["field"], &both["others"][0]["field"]), (&json!("name"), &json!("password")), "all at once");
    room.sign_up("Ada");
    let taken = room.request("POST", "/api/signup", None, Some(&json!({ "name": "ada", "password": "short" })));
    assert_eq!((taken.code(), &taken.json["others"][0]["code"]), ("name-taken", &json!("bad-password")));
    let not_json = room.raw_request("POST", "/api/signup", &[("content-type", "text/plain".into())], "{}");
    assert_eq!((not_json.status, not_json.code()), (415, "json-expected"));
    let malformed = room.request("POST", "/api/signup", None, Some(&json!({ "name": 1 })));
    assert_eq!((malformed.status, malformed.code()), (422, "bad-json"));
    let huge = room.request("POST", "/api/signup", None, Some(&json!({ "name": "x".repeat(20_000), "password": "" })));
    assert_eq!(huge.status, 413);
}

/// Failed log-ins at once: many more than the ten that a name or an address has, and fewer than may wait. An attempt counts
/// when it comes and not when its password was looked at, so it does not matter how fast that is; and of those that come back
/// every six seconds there would have to be twenty meanwhile.
const AT_ONCE: usize = 30;

/// Fails to log in so often at once, under the names and with the headers that are given for each attempt.
fn failed_log_ins(room: &Room, attempt: impl Fn(usize) -> (String, Vec<(&'static str, String)>)) -> Vec<Answer> {
    let begin = |number| {
        let (name, mut headers) = attempt(number);
        headers.push(("content-type", "application/json".to_owned()));
        let body = json!({ "name": name, "password": "wrong horse" }).to_string();
        room.begin_request("POST", "/api/login", &headers, &body)
    };
    let asked: Vec<_> = (0..AT_ONCE).map(begin).collect();
    asked.into_iter().map(Asked::answer).collect()
}

#[test]
fn failed_log_ins_are_throttled_and_other_names_of_the_address_too() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    for (name, let_in) in [("Ada", 10), ("Bob", 0)] {
        let answers = failed_log_ins(&room, |_| (name.to_owned(), Vec::new()));
        let (refused, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 429);
        assert!(others.len() >= let_in && others.iter().all(|answer| answer.status == 401), "{name}: {others:?}");
        let answer = refused.first().unwrap_or_else(|| panic!("{name} is not throttled"));
        assert_eq!(answer.code(), "slow-down");
        assert!((1..=6).contains(&answer.header("retry-after").unwrap().parse::<u64>().unwrap()));
    }
}

#[test]
fn a_forwarded_address_counts_only_where_the_proxy_is_trusted() {
    let folder = Folder::new();
    let mut settings = Settings::for_tests(&folder.database());
    let statuses = |room: &Room| -> Vec<u16> {
        let forwarded = |number| vec![("x-forwarded-for", format!("203.0.113.{number}"))];
        let answers = failed_log_ins(room, |number| (format!("Name {number}"), forwarded(number)));
        answers.iter().map(|answer| answer.status).collect()
    };
    let room = Room::start_with(settings.clone());
    assert!(statuses(&room).contains(&429), "spoofed headers must not move the bucket");
    drop(room);
    settings.trusted_proxies = "127.0.0.1".parse().unwrap();
    assert_eq!(statuses(&Room::start_with(settings)), [401; AT_ONCE]);
}

#[test]
fn a_log_out_needs_no_body_and_no_login_but_a_page_of_ours() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    assert_eq!(room.raw_request("POST", "/api/logout", &[], "").status, 204);
    let foreign = [("content-type", "text/plain".to_owned()), ("origin", "https://evil.example".to_owned())];
    assert_eq!(room.raw_request("POST", "/api/logout", &foreign, "").code(), "origin-not-allowed");
    assert_eq!(room.request("POST", "/api/logout", Some("token=garbage"), Some(&json!({}))).status, 204);
}

#[test]
fn over_https_the_cookie_is_bound_to_its_host() {
    let folder = Folder::new();
    let mut settings = Settings::for_tests(&folder.database());
    settings.public_url = Some("https://study.example".to_owned());
    let room = Room::start_with(settings);
    let account = json!({ "name": "Ada", "password": "correct horse" });
    let answer = room.request("POST", "/api/signup", None, Some(&account));
    let set_cookie = answer.header("set-cookie").unwrap();
    assert!(set_cookie.starts_with("__Host-token=") && set_cookie.contains("; Secure"), "{set_cookie}");
    let headers = |origin: &str| {
        let origin = ("origin", origin.to_owned());
        [("content-type", "application/json".to_owned()), ("cookie", answer.cookie()), origin]
    };
    let create = |origin| room.raw_request("POST", "/api/rooms", &headers(origin), "{\"name\":\"x\"}").status;
    assert_eq!(create("https://study.example"), 201);
    assert_eq!(create(&format!("http://{}", room.addr)), 403, "the address behind the proxy is nobody's page");
    let policy = room.request("GET", "/", None, None).header("content-security-policy").unwrap().to_owned();
    assert!(policy.contains("connect-src 'self' wss://study.example;"), "{policy}");
}

#[test]
fn what_the_api_does_not_take_is_said_as_json() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let cookie = room.sign_up("Ada");
    let id = room.create_room(&cookie, "Algebra");
    let other_method = room.request("DELETE", &format!("/api/rooms/{id}"), Some(&cookie), None);
    assert_eq!((other_method.status, other_method.code()), (405, "method-not-allowed"));
    let query = room.request("GET", &format!("/api/rooms/{id}/messages?before=x"), Some(&cookie), None);
    assert_eq!((query.status, query.code()), (400, "bad-query"));
    let subject = json!({ "name": "x", "subject": "y".repeat(121) });
    let nameless = json!({ "name": "", "subject": "y".repeat(121) });
    let both = room.request("POST", "/api/rooms", Some(&cookie), Some(&nameless)).json;
    assert_eq!((&both["field"], &both["others"][0]["field"]), (&json!("name"), &json!("subject")));
    let long = room.request("POST", "/api/rooms", Some(&cookie), Some(&subject));
    assert_eq!((long.status, long.code(), &long.json["field"]), (422, "bad-subject", &json!("subject")));
}

#[test]
fn rooms_are_made_listed_and_looked_up_by_those_who_are_logged_in() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    assert_eq!(room.request("GET", "/api/rooms", None, None).status, 401);
    let cookie = room.sign_up("Ada");
    assert_eq!(room.request("GET", "/api/rooms", Some(&cookie), None).json, json!({ "rooms": [] }));
    let id = room.create_room(&cookie, " Algebra ");
    let listed = room.request("GET", "/api/rooms", Some(&cookie), None).json;
    let expected = json!({ "id": id, "name": "Algebra", "subject": "", "created_by": "Ada", "last_message_at": null });
    assert_eq!(listed, json!({ "rooms": [expected] }));
    assert_eq!(room.request("GET", &format!("/api/rooms/{id}"), Some(&cookie), None).json, expected);
    for path in ["/api/rooms/none", "/api/rooms/none/messages"] {
        assert_eq!(room.request("GET", path, Some(&cookie), None).code(), "room-not-found");
    }
    let nameless = room.request("POST", "/api/rooms", Some(&cookie), Some(&json!({ "name": "\u{202E}x" })));
    assert_eq!((nameless.status, &nameless.json["field"]), (422, &json!("name")));
}

#[test]
fn another_page_cannot_act_for_somebody() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let cookie = room.sign_up("Ada");
    let json_type = ("content-type", "application/json".to_owned());
    for origin in [None, Some("https://evil.example"), Some("null")] {
        let mut headers = vec![json_type.clone(), ("cookie", cookie.clone())];
        headers.extend(origin.map(|origin| ("origin", origin.to_owned())));
        let answer = room.raw_request("POST", "/api/rooms", &headers, "{\"name\":\"x\"}");
        assert_eq!((answer.status, answer.code()), (403, "origin-not-allowed"), "{origin:?}");
    }
    let from_elsewhere = [("cookie", cookie.clone()), ("sec-fetch-site", "cross-site".to_owned())];
    assert_eq!(room.raw_request("GET", "/api/rooms", &from_elsewhere, "").status, 403);
    let upgrade = |origin: &str| {
        let pairs = [
            ("cookie", cookie.as_str()),
            ("origin", origin),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        room.raw_request("GET", "/ws", &pairs.map(|(name, value)| (name, value.to_owned())), "")
    };
    assert_eq!(upgrade("https://evil.example").code(), "origin-not-allowed");
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        let origin = format!("http://{name}:{}", room.addr.port());
        let headers = [json_type.clone(), ("cookie", cookie.clone()), ("origin", origin)];
        assert_eq!(room.raw_request("POST", "/api/rooms", &headers, "{\"name\":\"x\"}").status, 201, "{name}");
    }
}

#[test]
fn pages_lead_through_the_door_and_are_closed_to_foreign_scripts() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let door = room.request("GET", "/", None, None);
    assert_eq!(door.status, 200);
    let policy = door.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(door.header("x-content-type-options"), Some("nosniff"));
    let refused = room.request("GET", "/rooms/abc", None, None);
    assert_eq!((refused.status, refused.header("location")), (303, Some("/?next=/rooms/abc")));
    let cookie = room.sign_up("Ada");
    assert_eq!(room.request("GET", "/", Some(&cookie), None).header("location"), Some("/rooms"));
    assert_eq!(room.request("GET", "/rooms", Some(&cookie), None).status, 200);
    let script = room.request("GET", "/assets/stomp.js", None, None);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    let known = [("if-none-match", script.header("etag").unwrap().to_owned())];
    assert_eq!(room.raw_request("GET", "/assets/stomp.js", &known, "").status, 304);
    for path in ["/assets/none.js", "/assets/../Cargo.toml", "/assets/room.html", "/none", "/api/none"] {
        assert_eq!(room.request("GET", path, None, None).status, 404, "{path}");
    }
    assert_eq!(room.request("GET", "/healthz", None, None).text, "ok");
    assert_eq!(room.request("GET", "/readyz", None, None).text, "ready\n");
    assert_eq!(room.request("GET", "/livez", None, None).text, "alive\n");
}

#[test]
fn an_unknown_address_is_a_page_with_a_way_on_and_for_the_api_json() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    for path in ["/none", "/rooms/", "/rooms/a/b", "/ws/none", "/index.html"] {
        let answer = room.request("GET", path, None, None);
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html; charset=utf-8")), "{path}");
        assert!(answer.text.contains("href=\"/\"") && answer.text.contains("Nothing here"), "{path}");
        assert!(
            answer.header("content-security-policy").is_some() && answer.header("cache-control") == Some("no-store")
        );
    }
    for path in ["/api", "/api/", "/api/none", "/api/rooms/a/b", "/assets/none.js"] {
        let answer = room.request("GET", path, None, None);
        assert_eq!((answer.status, answer.code()), (404, "not-found"), "{path}");
    }
    let known = [("if-none-match", room.request("GET", "/none", None, None).header("etag").unwrap_or("*").to_owned())];
    assert_eq!(room.raw_request("GET", "/none", &known, "").status, 404, "it is not taken for a page that is there");
}

#[test]
fn direct_messages_are_read_page_by_page_by_the_two_alone() {
    let folder = Folder::new();
    let room = Room::start(&folder.database());
    let (ada, bob) = (room.sign_up("Ada"), room.sign_up("Bob"));
    let get = |path: &str, cookie: &str| room.request("GET", path, Some(cookie), None);
    let id = |cookie: &str| get("/api/me", cookie).json["id"].as_str().unwrap().to_owned();
    let (adas, bobs) = (id(&ada), id(&bob));
    assert_eq!(get("/api/direct", &ada).json, json!({ "conversations": [] }));
    let begun = get(&format!("/api/direct/{bobs}"), &ada).json;
    assert_eq!(begun, json!({ "with": { "id": bobs, "name": "Bob" }, "messages": [], "more": false }));
    let mut client = Client::connect(&room, Some(&ada)).unwrap();
    client.write(&bobs, "hello", "k1");
    client.write(&bobs, "again", "k2");
    let both = get(&format!("/api/direct/{adas}"), &bob).json["messages"].clone();
    let older = get(&format!("/api/direct/{adas}?before={}", both[1]["id"]), &bob).json;
    assert_eq!((&older["messages"], &older["more"]), (&json!([both[0]]), &json!(false)));
    assert_eq!(get("/api/direct", &bob).json["conversations"][0]["unread"], 2);
    let cy = room.sign_up("Cy");
    assert_eq!(get(&format!("/api/direct/{adas}"), &cy).json["messages"], json!([]));
    assert_eq!(get("/api/direct/nobody", &cy).code(), "person-not-found");
    assert_eq!(get(&format!("/api/direct/{adas}"), &ada).code(), "to-oneself");
    assert_eq!(room.request("GET", "/api/direct", None, None).status, 401);
    assert_eq!(get(&format!("/messages/{adas}"), &bob).status, 200);
    assert_eq!(room.request("GET", "/messages", None, None).status, 303, "the door");
}
