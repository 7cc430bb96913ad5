//! Real browsers and real clients in the study room. `tests/interop/setup` installs them.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "../../../tests/support/mod.rs"]
mod programs;
mod support;

use std::path::Path;

use programs::{available, has, installed, root, run_in_place};
use support::{Folder, Room};

#[test]
fn two_browsers_chat_and_survive_a_restart_and_a_third_is_refused() {
    run_with_browser("browser/chat.mjs");
}

#[test]
fn rule_15_browsers_that_were_cut_off_miss_nothing_see_nothing_twice_and_are_told() {
    run_with_browser("browser/resume.mjs");
}

#[test]
fn a_late_comer_sees_the_same_timer_and_people_type_and_write_to_each_other_without_barriers() {
    run_with_browser("browser/together.mjs");
}

#[test]
fn rule_17_people_are_announced_and_not_their_tabs_through_a_whole_day_of_a_room() {
    run_with_browser("browser/day.mjs");
}

#[test]
fn what_one_was_away_for_waits_and_eight_tabs_need_one_event_stream() {
    run_with_browser("browser/bell.mjs");
}

#[test]
fn rule_24_the_end_of_a_login_is_told_can_be_put_off_and_makes_no_storm() {
    run_with_browser("browser/login.mjs");
}

#[test]
fn rule_20_whoever_is_banned_is_at_the_door_at_once_and_nobody_waits_for_them() {
    run_with_browser("browser/ban.mjs");
}

#[test]
fn rule_26_eight_tabs_of_one_person_stay_connected_although_nobody_looks_at_them() {
    run_with_browser("browser/hidden-tabs.mjs");
}

/// Runs a script that starts the study room and browsers by itself.
fn run_with_browser(script: &str) {
    let present = has("node")
        && has("chromium")
        && ["playwright-core", "axe-core", "ws"]
            .iter()
            .all(|name| installed().join("node_modules").join(name).exists());
    if available("Chromium, playwright-core or axe-core", present, "PARLOR_REQUIRE_BROWSER") {
        let folder = Folder::new();
        let variables = [
            ("STUDY_ROOM", env!("CARGO_BIN_EXE_study-room").to_owned()),
            ("STUDY_ROOM_FOLDER", folder.path().display().to_string()),
            ("SCREENSHOTS", root().join("target/screenshots").display().to_string()),
            ("CHROMIUM", "/usr/bin/chromium".to_owned()),
        ];
        run_in_place(Path::new("node"), script, &variables);
    }
}

#[test]
fn stompjs_and_stomp_py_chat() {
    let python = installed().join("venv/bin/python");
    let present = has("node") && python.exists() && installed().join("node_modules/@stomp/stompjs").exists();
    if available("@stomp/stompjs or stomp.py", present, "PARLOR_REQUIRE_INTEROP") {
        let folder = Folder::new();
        let room = Room::start(&folder.database());
        let cookie = room.sign_up("Ada");
        let id = room.create_room(&cookie, "Algebra");
        let variables = [("STUDY_ROOM_URL", format!("http://{}", room.addr)), ("COOKIE", cookie), ("ROOM", id)];
        run_in_place(Path::new("node"), "interop/study_room.mjs", &variables);
        run_in_place(&python, "interop/study_room.py", &variables);
    }
}
