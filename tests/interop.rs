//! Real clients from npm and PyPI, unmodified, and Chromium against the broker example. `tests/interop/setup` installs
//! them.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    net::TcpListener,
    path::Path,
    sync::{Mutex, PoisonError},
};

use support::{Server, available, has, installed, run_in_place};

const REQUIRED: &str = "PARLOR_REQUIRE_INTEROP";

/// Short heart-beats, so that a test of them takes seconds.
const HEART_BEAT: [&str; 2] = ["--heartbeat", "500,500"];

/// Held while Chromium runs: ten pages that are cut leave little of the machine to one that must answer pings in time.
static CHROMIUM: Mutex<()> = Mutex::new(());

#[test]
fn stompjs_speaks_every_version_with_receipts_heart_beats_and_200_clients() {
    let present = has("node") && installed().join("node_modules/@stomp/stompjs").exists();
    if available("@stomp/stompjs", present, REQUIRED) {
        let broker = Server::broker(&HEART_BEAT);
        let url = format!("ws://{}/ws", broker.addr);
        run_in_place(Path::new("node"), "interop/stompjs.mjs", &[("BROKER_URL", url)]);
    }
}

#[test]
fn eventsource_is_cut_a_thousand_times_and_misses_nothing() {
    let present = has("node") && installed().join("node_modules/eventsource").exists();
    if available("eventsource", present, REQUIRED) {
        cut_a_thousand_times("interop/eventsource.mjs");
    }
}

#[test]
fn event_sources_of_chromium_are_cut_a_thousand_times_and_miss_nothing() {
    if has_browser() {
        let _alone = CHROMIUM.lock().unwrap_or_else(PoisonError::into_inner);
        cut_a_thousand_times("browser/event-source.mjs");
    }
}

#[test]
fn rule_26_a_hidden_tab_whose_beats_are_late_stays_connected() {
    if has_browser() {
        let _alone = CHROMIUM.lock().unwrap_or_else(PoisonError::into_inner);
        // Free, and the broker's word for where the page comes from.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let origin = format!("http://127.0.0.1:{port}");
        // Three beats are less than the second that Chromium lets a hidden page's timers wait.
        let broker = Server::broker(&["--heartbeat", "330,330", "--origin", &origin]);
        let url = format!("http://{}", broker.addr);
        let variables = [("BROKER_URL", url), ("ORIGIN", origin), chromium()];
        run_in_place(Path::new("node"), "browser/hidden-tab.mjs", &variables);
    }
}

fn has_browser() -> bool {
    let modules = ["playwright-core", "ws"].map(|name| installed().join("node_modules").join(name).exists());
    let present = has("node") && has("chromium") && modules.iter().all(|exists| *exists);
    available("Chromium, playwright-core or ws", present, "PARLOR_REQUIRE_BROWSER")
}

/// What tells a script which browser to start.
fn chromium() -> (&'static str, String) {
    ("CHROMIUM", "/usr/bin/chromium".to_owned())
}

/// Runs a script whose event streams are cut: they come back at once, and the broker keeps all of the seconds that it takes.
fn cut_a_thousand_times(script: &str) {
    let retry = ["--sse-retry", "10ms", "--retain"];
    let broker = Server::broker(&[&retry[..], &["100000"]].concat());
    let small = Server::broker(&[&retry[..], &["5"]].concat());
    let url = |server: &Server| format!("http://{}", server.addr);
    let variables =
        [("BROKER_URL", url(&broker)), ("SMALL_URL", url(&small)), ("CHROMIUM", "/usr/bin/chromium".to_owned())];
    run_in_place(Path::new("node"), script, &variables);
}

#[test]
fn stomp_py_speaks_1_2_over_websocket() {
    let python = installed().join("venv/bin/python");
    if available("stomp.py", python.exists(), REQUIRED) {
        let broker = Server::broker(&HEART_BEAT);
        let url = format!("ws://{}/ws", broker.addr);
        run_in_place(&python, "interop/stomp_py.py", &[("BROKER_URL", url)]);
    }
}

#[test]
fn the_websocket_suite_finds_nothing() {
    let python = installed().join("venv/bin/python");
    if available("kosoku", installed().join("venv/bin/kosoku").exists(), REQUIRED) {
        let broker = Server::broker(&[]);
        let address = format!("{}/echo", broker.addr);
        run_in_place(&python, "interop/autobahn.py", &[("ECHO_ADDRESS", address)]);
    }
}
