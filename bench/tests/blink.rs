//! Every scenario for a blink, in whatever profile the tests are built: nothing is lost, doubled or astray, and the document is
//! written. What the figures are is not looked at.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "the helpers of the tests, too, fail by panicking")]

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
};

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

/// The broker example, beside this package's own programs. `cargo test --workspace` has built it.
fn broker() -> PathBuf {
    static BUILT: Once = Once::new();
    let broker = Path::new(BENCH).with_file_name("examples").join("broker");
    BUILT.call_once(|| {
        if !broker.exists() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
            cargo.args(["build", "--quiet", "-p", "parlor", "--example", "broker"]);
            if !cfg!(debug_assertions) {
                cargo.arg("--release");
            }
            assert!(cargo.status().expect("cargo runs").success(), "the broker is built");
        }
    });
    broker
}

/// Runs a command of the bench for one short round.
fn bench(arguments: &[&str]) -> String {
    let output = Command::new(BENCH)
        .args(arguments)
        .args(["--rounds=1", "--seconds=0.2", "--broker"])
        .arg(broker())
        .output()
        .expect("the bench runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

/// The figures of each contestant, by its label.
fn figures(arguments: &[&str]) -> Vec<(String, Value)> {
    let printed: Value = serde_json::from_str(&bench(&[arguments, &["--json"]].concat())).expect("it is JSON");
    let comparisons = printed.as_array().expect("a list of contests");
    let entries = comparisons.iter().flat_map(|comparison| comparison["entries"].as_array().expect("contestants"));
    entries
        .map(|entry| {
            let label = entry["label"].as_str().expect("a label").to_owned();
            (label, entry["rounds"][0]["figures"].clone())
        })
        .collect()
}

#[test]
fn every_subscriber_gets_every_message_once_and_in_order() {
    for arguments in [
        &["fan-out", "--subscribers=20"][..],
        &["fan-out", "--subscribers=20", "--in-flight=32", "--body=32"],
        &["fan-out", "--subscribers=20", "--rate=200"],
        &["burst", "--subscribers=20"],
        &["rooms", "--rooms=5", "--members=4"],
        &["kinds", "--subscribers=20"],
        &["sse", "--subscribers=20"],
        &["handlers", "--clients=5"],
    ] {
        let contestants = figures(arguments);
        assert!(contestants.len() > 1, "{arguments:?} compares");
        for (label, figures) in contestants {
            assert!(figures["published"].as_f64() > Some(0.0), "{arguments:?}, {label}: {figures}");
            for fault in ["lost", "doubled", "disordered", "strayed"] {
                assert_eq!(figures[fault], 0.0, "{arguments:?}, {label}: {fault}");
            }
        }
    }
}

#[test]
fn the_limit_writes_as_many_octets_as_parlor() {
    let contestants = figures(&["fan-out", "--subscribers=20"]);
    let octets: Vec<_> = contestants
        .iter()
        .map(|(_, figures)| figures["octets_per_delivery"].as_f64().expect("a number").round())
        .collect();
    // Of Parlor's frames some have an id of one digit more.
    assert!((octets[0] - octets[1]).abs() <= 1.0, "{octets:?}");
}

#[test]
fn a_witness_reads_along_as_a_whole_client() {
    for (label, figures) in figures(&["fan-out", "--subscribers=3"]) {
        assert!(figures["witnessed"].as_f64() > Some(1.0), "{label}: {figures}");
    }
}

#[test]
fn sessions_with_tokens_are_weighed_and_come_and_go() {
    let idle = figures(&["idle", "--sessions=50", "--subjects=parlor"]);
    assert!(idle[0].1["octets_per_session"].as_f64() > Some(0.0), "{idle:?}");
    for (label, figures) in figures(&["churn"]) {
        let counted = figures["connects_per_second"].as_f64().or_else(|| figures["beside_per_second"].as_f64());
        // On a busy machine a blink may be too short for one.
        assert!(counted >= Some(0.0), "{label}: {figures}");
    }
}

/// A peer's folder whose scripts say this.
fn peer(folder: &Path, name: &str, install: &str) {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).expect("a folder of the test's own");
    let about = format!("name = \"{name}\"\nversion = \"echo 1.0\"\ndialect = \"raw\"\nnotes = \"nothing | to say\"\n");
    fs::write(folder.join("peer.toml"), about).expect("it can be written");
    for (script, lines) in [("install", install.to_owned()), ("start", format!("exec {BENCH} limit --port=$1"))] {
        fs::write(folder.join(script), format!("#!/bin/sh\n{lines}\n")).expect("it can be written");
        fs::set_permissions(folder.join(script), fs::Permissions::from_mode(0o755)).expect("it is our own");
    }
}

#[test]
fn the_comparison_measures_a_peer_and_has_a_dash_for_one_that_is_missing() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare");
    // What a test before left behind.
    let _ = fs::remove_dir_all(&folder);
    let (peers, output) = (folder.join("peers"), folder.join("docs"));
    peer(&peers, "there", "exit 0");
    peer(&peers, "away", "echo there is no such machine >&2; exit 3");
    let paths = [format!("--peers={}", peers.display()), format!("--output={}", output.display())];
    bench(&["compare", "--subscribers=10", "--only=fan-out-10", &paths[0], &paths[1]]);
    let read = |file| fs::read_to_string(output.join(file)).expect("it was written");
    let document = read("benchmarks.md");
    for part in [
        "| there | 1.0 | nothing \\| to say |",
        "- away: there is no such machine",
        "| away",
        "(benchmarks/fan-out-10.svg)",
    ] {
        assert!(document.contains(part), "{part} is missing in\n{document}");
    }
    let found: Value = serde_json::from_str(&read("benchmarks.json")).expect("it is JSON");
    let there = &found["contests"][0]["comparison"]["entries"][2];
    assert_eq!(there["label"], "there");
    assert!(there["rounds"][0]["figures"]["published"].as_f64() > Some(0.0), "{there}");
    assert!(there["warm_up"]["figures"].is_object(), "a warm-up round is told apart");
    assert!(read("benchmarks/fan-out-10.svg").starts_with("<svg"));
}
