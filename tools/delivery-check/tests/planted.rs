//! The program finds bugs that were planted in logs, names what they happened to, and finds nothing in sound ones.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

use std::{path::Path, process::Command};

/// The exit code and the output of `check` for planted logs.
fn check(names: &[&str]) -> (Option<i32>, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planted");
    let logs = names.iter().map(|name| folder.join(name));
    let output = Command::new(env!("CARGO_BIN_EXE_delivery-check")).arg("check").args(logs).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

/// That one sentence stands between the counts and the verdict.
fn assert_refuted(name: &str, sentence: &str) {
    let (code, output) = check(&[name]);
    assert_eq!(code, Some(1), "{output}");
    let lines: Vec<_> = output.lines().skip(1).collect();
    assert_eq!(lines, [sentence, "refuted: 1 violations"], "{output}");
}

#[test]
fn a_sound_log_is_proved() {
    let (code, output) = check(&["sound.jsonl"]);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("5 messages sent, 5 with a receipt, 10 deliveries to 2 subscriptions"), "{output}");
    assert!(output.ends_with("proved: nothing lost, nothing doubled, every order kept\n"), "{output}");
}

#[test]
fn a_loss_is_found() {
    assert_refuted("loss.jsonl", "lost: a2 of ada never reached dora at /topic/rooms/7");
}

#[test]
fn a_duplicate_is_found() {
    assert_refuted("duplicate.jsonl", "duplicate: a2 reached dora at /topic/rooms/7 twice");
}

#[test]
fn a_swap_of_one_publishers_messages_is_found_also_where_all_subscribers_agree_on_it() {
    let (code, output) = check(&["publishers_order.jsonl"]);
    assert_eq!(code, Some(1), "{output}");
    for subscriber in ["cleo", "dora"] {
        let sentence = format!(
            "publisher's order: ada sent a1 before a2, and {subscriber} got them at /topic/rooms/7 the other way round"
        );
        assert!(output.contains(&sentence), "{output}");
    }
    assert!(output.ends_with("refuted: 2 violations\n"), "{output}");
}

#[test]
fn two_subscribers_with_different_orders_are_found() {
    assert_refuted(
        "subscribers_order.jsonl",
        "subscribers' order: at /topic/rooms/7 cleo got a1 before b1, and dora the other way round",
    );
}

#[test]
fn a_hole_is_excused_where_the_application_was_told_and_found_behind_recovered_true() {
    let (code, output) = check(&["told_hole.jsonl"]);
    assert_eq!(code, Some(0), "{output}");
    let (code, output) = check(&["hidden_hole.jsonl"]);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("lost: a2 of ada never reached dora at /topic/rooms/7\n"), "{output}");
    assert!(output.contains("lost: b2 of bob never reached dora at /topic/rooms/7\n"), "{output}");
}

#[test]
fn what_is_no_log_is_not_judged() {
    for (names, sentence) in [
        (["sound.jsonl", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["sound.jsonl", "../planted.rs"], "does not begin with {\"log\":\"parlor-delivery\",\"version\":1}"),
        (["sound.jsonl", "broken.jsonl"], "line 3 of "),
    ] {
        let (code, output) = check(&names);
        assert_eq!(code, Some(2), "{output}");
        assert!(output.contains(sentence), "{output}");
    }
}
