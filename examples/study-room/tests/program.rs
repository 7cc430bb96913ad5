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

/// Stops it as an operator would.
#[cfg(unix)]
fn terminated(mut child: Child) -> std::process::ExitStatus {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap()
}

/// Reads the first line of output, and with it the address.
fn opened(child: &mut Child) -> Room {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let addr = line.strip_prefix("Study room: open http://").unwrap().trim();
    Room::at(addr.parse().unwrap())
}

#[test]
fn help_and_version_are_printed_and_nothing_starts() {
    let folder = Folder::new();
    for (argument, said) in [("--help", "DATABASE_URL"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = study_room(&folder, &[]).arg(argument).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{argument}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(said));
    }
    let output = study_room(&folder, &[]).arg("--port").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("`--port`") && said.contains("--help"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_stop_by_signal_leaves_one_file_with_everything_in_it_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mut child = study_room(&folder, &[]).spawn().unwrap();
    let cookie = opened(&mut child).sign_up("Ada");
    let files = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap());
        let mut files: Vec<(String, u32)> = files
            .map(|file| {
                (file.file_name().into_string().unwrap(), file.metadata().unwrap().permissions().mode() & 0o777)
            })
            .collect();
        files.sort();
        files
    };
    assert!(files().iter().any(|(name, _)| name.ends_with("-wal")), "there is something to take away");
    assert!(files().iter().all(|(_, mode)| *mode == 0o600), "{:?}", files());
    assert!(terminated(child).success());
    let tidy = [("jwt-secret".to_owned(), 0o600), ("test.sqlite".to_owned(), 0o600)];
    assert_eq!(files(), tidy);
    let mut again = study_room(&folder, &[]).spawn().unwrap();
    assert_eq!(opened(&mut again).request("GET", "/api/me", Some(&cookie), None).json["name"], "Ada");
    assert!(terminated(again).success());
    assert_eq!(files(), tidy);
}

/// Each hash takes 19 MiB, on whatever thread: what an allocator would keep of that for each of them is not bounded.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_log_ins() {
    const WARM_UP: usize = 4;
    const LOG_INS: usize = 24;
    let folder = Folder::new();
    let mut child = study_room(&folder, &[]).spawn().unwrap();
    let room = opened(&mut child);
    room.sign_up("Ada");
    let account = json!({ "name": "Ada", "password": "correct horse" });
    let log_in = |times| {
        let one_after_another = || {
            (0..times).for_each(|_| assert_eq!(room.request("POST", "/api/login", None, Some(&account)).status, 200))
        };
        std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(one_after_another))));
    };
    let resident_kib = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    log_in(WARM_UP);
    let warm = resident_kib();
    log_in(LOG_INS);
    let grown = resident_kib().saturating_sub(warm);
    assert!(grown < 10 << 10, "{grown} KiB more than {warm} KiB");
    assert!(terminated(child).success());
}

#[test]
fn a_database_that_cannot_be_opened_is_a_sentence_that_says_what_to_do() {
    let folder = Folder::new();
    std::fs::write(folder.database(), "Notes, and no database at all. ".repeat(50)).unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, status, said) in [
        (
            "sqlite:///no/such/folder/x.sqlite".to_owned(),
            2,
            "/no/such/folder, where DATABASE_URL has its file, does not exist",
        ),
        ("study.sqlite".to_owned(), 2, "no scheme. Write sqlite:///"),
        (format!("sqlite://{}", folder.database().display()), 1, "is no SQLite database"),
        (format!("postgres://ada:hush@{nobody}/x"), 1, "No PostgreSQL answers at"),
        ("postgres://ada:hu/sh@localhost/x".to_owned(), 2, "percent-encoded"),
    ] {
        let data = folder.path().join("data");
        let output = study_room(&folder, &[("DATABASE_URL", &url), ("XDG_DATA_HOME", data.to_str().unwrap())]).output();
        let output = output.unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{printed}");
        assert!(printed.contains(said) && printed.contains("DATABASE_URL") && !printed.contains("hush"), "{printed}");
        assert!(printed.trim_end().ends_with('.'), "{printed}");
    }
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
