//! What went over a connection, kept to be shown when a test fails.

use std::{collections::VecDeque, fmt};

use parlor_stomp::{Command, Headers};

/// How many frames are kept: what led to a failure, and not the whole test.
const KEPT: usize = 24;

/// How much of a frame is shown, in characters.
const SHOWN: usize = 240;

/// Headers that say nothing to whoever reads a failure.
const UNINTERESTING: &[&str] = &["content-length", "content-type", "message-id", "accept-version", "host", "ack"];

/// The last frames of a connection, oldest first.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: VecDeque<String>,
    dropped: usize,
}

impl Trace {
    /// Notes a frame that the client sent.
    pub(super) fn sent(&mut self, command: Command, headers: &Headers, body: &[u8]) {
        self.push('>', &frame(command, headers, body));
    }

    /// Notes a frame that the server sent.
    pub(super) fn received(&mut self, command: Command, headers: &Headers, body: &[u8]) {
        self.push('<', &frame(command, headers, body));
    }

    /// Notes anything else that the server did.
    pub(super) fn server(&mut self, what: &str) {
        self.push('<', what);
    }

    /// Notes anything else that the client did.
    pub(super) fn client(&mut self, what: &str) {
        self.push('>', what);
    }

    fn push(&mut self, direction: char, what: &str) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back(format!("{direction} {what}"));
    }
}

/// A frame on one line.
fn frame(command: Command, headers: &Headers, body: &[u8]) -> String {
    let mut line = command.to_string();
    for (name, value) in headers.iter().filter(|(name, _)| !UNINTERESTING.contains(name)) {
        // `Debug` of headers hides credentials; so does this.
        let value = if matches!(name, "login" | "passcode" | "authorization") { "(hidden)" } else { value };
        line.push_str(&format!(" {name}:{value}"));
    }
    if !body.is_empty() {
        line.push_str("  ");
        line.push_str(&shown(body));
    }
    line
}

/// A body as a test's author wants to read it: text where it is text, and not endless.
pub(super) fn shown(body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else { return format!("({} octets that are not text)", body.len()) };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} octets)", &text[..end], body.len()),
        None => text.to_owned(),
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            write!(f, "\n    ({} earlier ones)", self.dropped)?;
        }
        self.lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_keeps_the_last_frames_and_says_how_many_came_before() {
        let mut trace = Trace::default();
        for number in 0..30 {
            trace.server(&number.to_string());
        }
        let text = trace.to_string();
        assert!(text.starts_with("\n    (6 earlier ones)\n    < 6\n") && text.ends_with("\n    < 29"), "{text}");
    }

    #[test]
    fn a_frame_is_one_line_without_secrets_and_of_bounded_length() {
        let headers: Headers =
            [("destination", "/app/a"), ("content-length", "3"), ("passcode", "s3cret")].into_iter().collect();
        let line = frame(Command::Send, &headers, "ü".repeat(300).as_bytes());
        assert_eq!(line, format!("SEND destination:/app/a passcode:(hidden)  {}… (600 octets)", "ü".repeat(240)));
        assert_eq!(shown(&[0xFF, 0]), "(2 octets that are not text)");
    }
}
