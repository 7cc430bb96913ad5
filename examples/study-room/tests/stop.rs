//! SIGTERM to the real program while many publish: nobody is left without a word, and what a receipt promised is kept.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail, on the real clock"
)]

mod support;

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parlor::stomp::ClientEvent;
use support::{Client, Folder, Room};

/// Tabs that publish at the same time.
const PUBLISHERS: usize = 20;

/// Messages of one tab that are sent ahead of their receipts.
const AHEAD: usize = 4;

/// Messages of one tab: all tabs are one user's, who may send 400 frames at once.
const MESSAGES: usize = 15;

/// Receipts, over all tabs, after which the stop comes.
const UNDER_LOAD: usize = 100;

/// A drain that has to give up takes 40 s; with handlers as quick as these it must not, also on a slow machine.
const IN_TIME: Duration = Duration::from_secs(35);

/// What one tab saw.
struct Seen {
    receipts: Vec<String>,
    status: u16,
    retry_after: u64,
}

/// Publishes until the server closes. `count` counts receipts, and `loaded` is told when there are enough.
fn publish(mut client: Client, room: &str, tab: usize, count: &AtomicUsize, loaded: &mpsc::Sender<()>) -> Seen {
    let mut receipts = Vec::new();
    let mut sent = 0;
    let mut is_closing = false;
    loop {
        while !is_closing && sent < MESSAGES && sent - receipts.len() < AHEAD {
            let key = format!("{tab}-{sent}");
            // What fails now was refused by a server that is going; its close frame is still to be read.
            is_closing = client.try_say(room, &key, &key).is_err();
            sent += 1;
        }
        match client.next_or_end() {
            Ok(ClientEvent::Receipt(key)) => {
                receipts.push(key);
                if count.fetch_add(1, Ordering::Relaxed) + 1 == UNDER_LOAD {
                    loaded.send(()).unwrap();
                }
            }
            Ok(other) => panic!("{other:?}"),
            Err(frame) => {
                let frame = frame.expect("the close has a status and a reason");
                let after = frame.reason.strip_prefix("retry-after=").expect("the close says when to come back");
                return Seen { receipts, status: frame.code.into(), retry_after: after.parse().unwrap() };
            }
        }
    }
}

/// The keys of everything that was ever said in a room.
fn kept(room: &Room, cookie: &str, id: &str) -> HashSet<String> {
    let mut keys = HashSet::new();
    let mut before = String::new();
    loop {
        let page = room.request("GET", &format!("/api/rooms/{id}/messages{before}"), Some(cookie), None).json;
        let messages = page["messages"].as_array().unwrap();
        keys.extend(messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()));
        if page["more"] == false {
            return keys;
        }
        before = format!("?before={}", messages[0]["id"]);
    }
}

#[test]
fn rule_27_sigterm_under_load_tells_everyone_and_loses_no_receipted_message() {
    let folder = Folder::new();
    let url = format!("sqlite://{}", folder.database().display());
    let mut program = Command::new(env!("CARGO_BIN_EXE_study-room"))
        .env_clear()
        .env("STUDY_ROOM_ADDR", "127.0.0.1:0")
        .env("DATABASE_URL", url)
        .env("JWT_SECRET", "only for tests, thirty-two octets")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let room = Room::at(line.strip_prefix("Study room: open http://").unwrap().trim().parse().unwrap());
    let cookie = room.sign_up("Ada");
    let id = room.create_room(&cookie, "Algebra");
    let (loaded, is_loaded) = mpsc::channel();
    let count = Arc::new(AtomicUsize::new(0));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|tab| {
            let client = Client::connect(&room, Some(&cookie)).unwrap();
            let (id, count, loaded) = (id.clone(), Arc::clone(&count), loaded.clone());
            thread::spawn(move || publish(client, &id, tab, &count, &loaded))
        })
        .collect();
    is_loaded.recv().unwrap();
    let begin = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
    let seen: Vec<Seen> = publishers.into_iter().map(|publisher| publisher.join().unwrap()).collect();
    assert!(program.wait().unwrap().success());
    assert!(begin.elapsed() < IN_TIME, "{:?}", begin.elapsed());
    assert!(seen.iter().all(|seen| seen.status == 1012));
    let times: HashSet<u64> = seen.iter().map(|seen| seen.retry_after).collect();
    assert_eq!(times.len(), PUBLISHERS, "everyone comes back at another time: {times:?}");
    let after = Room::start(&folder.database());
    let kept = kept(&after, &after.request("POST", "/api/login", None, Some(&account())).cookie(), &id);
    let receipted: Vec<&String> = seen.iter().flat_map(|seen| &seen.receipts).collect();
    assert!(receipted.len() >= UNDER_LOAD);
    let lost: Vec<_> = receipted.iter().filter(|key| !kept.contains(**key)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), receipted.len());
}

/// The account that [`Room::sign_up`] makes for Ada.
fn account() -> serde_json::Value {
    serde_json::json!({ "name": "Ada", "password": "correct horse" })
}
