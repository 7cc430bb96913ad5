//! Short runs against a broker of its own: nothing is lost, doubled or reordered, and no hole is silent. `just weekly` has
//! the long ones.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

use std::{path::Path, process::Command};

/// Runs, and shows what the program said where it did not prove everything.
fn run(mode: &str, arguments: &[&str]) -> String {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{mode}.jsonl"));
    let output = Command::new(env!("CARGO_BIN_EXE_delivery-check"))
        .args(["run", "--mode", mode, "--log"])
        .arg(log)
        .args(arguments)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    told
}

#[test]
fn within_the_history_a_hundred_reconnects_lose_nothing_and_double_nothing() {
    let told = run("window", &["--reconnects", "100"]);
    assert!(told.contains("proved: nothing lost, nothing doubled, every order kept"), "{told}");
    assert!(told.contains("and 0 times with a possible hole"), "{told}");
}

#[test]
fn a_history_that_is_too_small_is_told_to_every_subscription() {
    let told = run("small-history", &["--outages", "3"]);
    assert!(told.contains("resumed 0 times without and 72 times with a possible hole"), "{told}");
}

#[test]
fn a_broker_that_was_killed_is_told_to_every_subscription() {
    let told = run("restarts", &["--outages", "3"]);
    assert!(told.contains("resumed 0 times without and 72 times with a possible hole"), "{told}");
}
