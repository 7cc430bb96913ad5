//! The encoder of server-sent events, on fields of any text.
//!
//! A client that reads the octets by the algorithm of the standard (HTML, sections 9.2.5 and 9.2.6), cut anywhere, gets exactly
//! the events that were written: no text forges a field or an event, or breaks the stream.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parlor_core::sse::SseEvent;

/// What an application says in one event.
#[derive(Arbitrary, Debug)]
struct Said {
    name: Option<String>,
    id: Option<String>,
    data: Option<String>,
    comment: Option<String>,
    retry: Option<u32>,
}

/// What a client has been given, and what it keeps between events.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    /// Name, last id and data.
    events: Vec<(String, String, String)>,
    last_event_id: String,
    retry: Option<u64>,
}

/// A reader of the standard, octet by octet.
#[derive(Default)]
struct Reader {
    heard: Heard,
    line: Vec<u8>,
    /// The line end before was a CR: a LF belongs to it.
    after_cr: bool,
    name: String,
    data: String,
    id: String,
}

impl Reader {
    fn read(&mut self, octets: &[u8]) {
        for &octet in octets {
            let after_cr = std::mem::take(&mut self.after_cr);
            match octet {
                b'\n' if after_cr => {}
                b'\r' | b'\n' => {
                    self.after_cr = octet == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.line(std::str::from_utf8(&line).expect("a stream is UTF-8"));
                }
                _ => self.line.push(octet),
            }
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit()) => {
                self.heard.retry = value.parse().ok();
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        self.heard.last_event_id.clone_from(&self.id);
        let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if data.pop().is_none() {
            return;
        }
        let name = if name.is_empty() { "message".to_owned() } else { name };
        self.heard.events.push((name, self.id.clone(), data));
    }
}

fuzz_target!(|input: (Vec<Said>, usize)| {
    let (said, cut) = input;
    let (mut octets, mut expected) = (Vec::new(), Heard::default());
    for Said { name, id, data, comment, retry } in &said {
        let mut event = match (data, comment) {
            (Some(data), _) => SseEvent::message(data.as_str()),
            (None, Some(comment)) => SseEvent::comment(comment.as_str()),
            (None, None) => SseEvent::default(),
        };
        let is_field = |text: &str| !text.contains(['\r', '\n', '\0']);
        if let Some(name) = name {
            match event.clone().named(name.as_str()) {
                Ok(named) => event = named,
                Err(_) => assert!(!is_field(name), "{name:?} was refused"),
            }
        }
        if let Some(id) = id {
            match event.clone().with_id(id.as_str()) {
                Ok(marked) => {
                    event = marked;
                    expected.last_event_id.clone_from(id);
                }
                Err(_) => assert!(!is_field(id), "{id:?} was refused"),
            }
        }
        if let Some(millis) = retry {
            event = event.with_retry(Duration::from_millis(u64::from(*millis)));
            expected.retry = Some(u64::from(*millis));
        }
        octets.extend(event.encode());
        if let Some(data) = data {
            let name = event.name().filter(|name| !name.is_empty()).unwrap_or("message").to_owned();
            let data = data.replace("\r\n", "\n").replace('\r', "\n");
            expected.events.push((name, expected.last_event_id.clone(), data));
        }
    }
    // One BOM at the very beginning would be skipped by a client; no field of ours begins with one.
    assert!(!octets.starts_with("\u{feff}".as_bytes()));
    let mut reader = Reader::default();
    let (one, other) = octets.split_at(cut % (octets.len() + 1));
    reader.read(one);
    reader.read(other);
    assert!(reader.line.is_empty(), "the last line has its end");
    assert_eq!(reader.heard, expected);
});
