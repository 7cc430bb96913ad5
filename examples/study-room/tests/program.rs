//! The program itself: what it prints, how it ends, and what it keeps to itself.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use serde_json::json;
use support::{Folder, Room};

/// The program with these variables of its own and none from around it.
fn study_room(folder: &Folder, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_study-room"));
    let url = format!("sqlite://{}", folder.database().display());
    command.env_clear().env("STUDY_ROOM_ADDR", "127.0.0.1:0").env("DATABASE_URL", url);
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Reads the first line of output, and with it the address.
fn opened(child: &mut Child) -> Room {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let addr = line.strip_prefix("Study room: open http://").unwrap().trim();
    Room::at(addr.parse().unwrap())
}

#[test]
fn a_wrong_setting_is_a_sentence_and_status_2() {
    let folder = Folder::new();
    for (name, value) in [
        ("STUDY_ROOM_ADDR", "here"),
        ("STUDY_ROOM_PUBLIC_URL", "study.example"),
        ("DATABASE_URL", "mysql://ada:hush@db/x"),
        ("JWT_SECRET", "hush"),
    ] {
        let output = study_room(&folder, &[(name, value)]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(name) && !said.contains("hush") && said.trim_end().ends_with('.'), "{said}");
    }
}

#[test]
fn an_address_in_use_is_a_sentence_and_status_1() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let output = study_room(&folder, &[("STUDY_ROOM_ADDR", &addr)]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&addr) && said.contains("STUDY_ROOM_ADDR"), "{said}");
}

#[test]
fn logs_hold_no_secret_and_a_second_start_takes_the_cookies_of_the_first() {
    let folder = Folder::new();
    let mut first = study_room(&folder, &[("RUST_LOG", "trace")]).spawn().unwrap();
    // Read beside it, so that a full pipe never stops it.
    let mut stderr = first.stderr.take().unwrap();
    let logs = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let room = opened(&mut first);
    let cookie = room.sign_up("Ada");
    let account = json!({ "name": "Ada", "password": "correct horse" });
    assert_eq!(room.request("POST", "/api/login", None, Some(&account)).status, 200);
    room.create_room(&cookie, "Algebra");
    first.kill().unwrap();
    first.wait().unwrap();
    let logs = logs.join().unwrap();
    assert!(logs.contains("TRACE") || logs.contains("DEBUG"), "there is something to look at");
    let token = cookie.split_once('=').unwrap().1;
    let kept = std::fs::read_to_string(folder.path().join("jwt-secret")).unwrap();
    for secret in ["correct horse", token, &kept, "$argon2"] {
        assert!(!logs.contains(secret));
    }
    let mut second = study_room(&folder, &[]).spawn().unwrap();
    let rooms = opened(&mut second).request("GET", "/api/rooms", Some(&cookie), None);
    second.kill().unwrap();
    second.wait().unwrap();
    assert_eq!((rooms.status, &rooms.json["rooms"][0]["name"]), (200, &json!("Algebra")));
}
