//! `docs/limits.md` is true: every field of the settings stands there with its default, and nothing else does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of the tests, too, fail by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

use parlor_core::{Config, history::MemoryLimits, notifications::NotificationLimits, presence::PresenceLimits};

/// The fields of the settings and their defaults, by path (`websocket.max_message_bytes`), as `Debug` shows them.
fn settings() -> BTreeMap<String, String> {
    let mut all = fields(&[], &format!("{:#?}", Config::default()));
    // Declared where they count, beside the settings.
    all.extend(fields(&["presence"], &format!("{:#?}", PresenceLimits::default())));
    // Declared with the histories, beside the settings.
    all.extend(fields(&["history_memory"], &format!("{:#?}", MemoryLimits::default())));
    all.extend(fields(&["notifications"], &format!("{:#?}", NotificationLimits::default())));
    all
}

fn fields(within: &[&str], text: &str) -> BTreeMap<String, String> {
    let (mut fields, mut folder) = (BTreeMap::new(), within.iter().map(ToString::to_string).collect::<Vec<_>>());
    for line in text.lines().skip(1) {
        let line = line.trim();
        match line.split_once(": ") {
            Some((name, opening)) if opening.ends_with('{') && !opening.ends_with("{}") => folder.push(name.to_owned()),
            Some((name, value)) => {
                let path = folder.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
                fields.insert(path, value.trim_end_matches(',').to_owned());
            }
            None => {
                folder.pop();
            }
        }
    }
    fields
}

/// The rows of the tables whose first column is an option: its default, and the whole row.
fn documented() -> BTreeMap<String, (String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/limits.md");
    let text = fs::read_to_string(path).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let option = cells[0].trim_matches('`').to_owned();
        let known = rows.insert(option.clone(), (cells[2].to_owned(), line.to_owned()));
        assert!(known.is_none(), "{option} stands there twice");
    }
    rows
}

/// A default as both sides write it: `1,048,576` and `10 s` are `1048576` and `10s`.
fn plain(default: &str) -> String {
    let mut out = String::new();
    let all: Vec<char> = default.chars().collect();
    for (index, &char) in all.iter().enumerate() {
        let between_digits = index > 0 && all[index - 1].is_ascii_digit();
        let before_digit = all.get(index + 1).is_some_and(char::is_ascii_digit);
        let is_noise = char == '`' || char == '"' || (char == ',' && between_digits && before_digit) || char == ' ';
        if !is_noise {
            out.push(char);
        }
    }
    out
}

#[test]
fn every_setting_is_documented_with_its_default_and_nothing_else_is() {
    let (settings, documented) = (settings(), documented());
    for (option, default) in &settings {
        let Some((said, _)) = documented.get(option) else { panic!("docs/limits.md lacks {option} ({default})") };
        assert_eq!(plain(said), plain(default), "the default of {option}");
    }
    for option in documented.keys() {
        assert!(settings.contains_key(option), "docs/limits.md has {option}, which is no setting");
    }
}

#[test]
fn every_limit_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (option, (_, row)) in documented() {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        for named in cells.last().unwrap().split(", ").filter(|named| named.starts_with('`')) {
            let (file, test) = named.trim_matches('`').split_once("::").unwrap();
            let text = fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("{option} names {file}"));
            assert!(text.contains(&format!("fn {test}(")), "{option} names {test}, which {file} has not");
        }
    }
}
