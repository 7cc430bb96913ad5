//! The example of key rotation does what `docs/security.md` says of it.

mod support;

use std::process::Command;

use support::built;

#[test]
fn the_old_key_opens_nothing_in_the_end_and_the_new_one_nothing_at_first() {
    let output = Command::new(built("examples/key_rotation")).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).expect("it prints text");
    let answers = output.lines().filter_map(|line| line.split_once("key: ")).map(|(_, answer)| answer);
    let statuses: Vec<&str> = answers.filter_map(|answer| answer.get(..3)).collect();
    assert_eq!(statuses, ["101", "401", "101", "101", "401", "101"], "{output}");
}
