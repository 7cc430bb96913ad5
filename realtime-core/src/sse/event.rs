//! One event and its octets.

use std::{borrow::Cow, time::Duration};

use serde::Serialize;

/// A unit of an event stream: any of event name, id, data, reconnection time and comment.
///
/// Data and comments may hold any text; a name or id that would break the stream is refused when it is set, so encoding
/// cannot fail. A conformant client gets exactly this event, with each line end of the data (CRLF, CR or LF) read as LF.
///
/// ```
/// use parlor_core::sse::SseEvent;
///
/// let event = SseEvent::message("two\r\nlines").named("note")?.with_id("7")?;
/// assert_eq!(event.encode(), b"event: note\nid: 7\ndata: two\ndata: lines\n\n");
/// assert!(SseEvent::default().named("a\ndata: forged").is_err());
/// # Ok::<(), parlor_core::sse::SseFieldError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent<'a> {
    name: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    data: Option<Cow<'a, str>>,
    retry: Option<Duration>,
    comment: Option<Cow<'a, str>>,
}

/// Why a text cannot be a field of an event.
///
/// ```
/// use parlor_core::sse::SseEvent;
///
/// let error = SseEvent::message("hello").named("two\nlines").unwrap_err();
/// assert!(!error.to_string().is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SseFieldError {
    /// A line end would begin another field.
    #[error("there is a CR or LF in the {field} of an event; leave it out")]
    LineEnd {
        /// `name` or `id`.
        field: &'static str,
    },
    /// A client ignores an id with a NUL, and would go on from an older one.
    #[error("there is a NUL in the {field} of an event; leave it out")]
    Nul {
        /// `name` or `id`.
        field: &'static str,
    },
}

impl<'a> SseEvent<'a> {
    /// An event with data. One without is not dispatched by clients: it can only set id and reconnection time.
    #[must_use]
    pub fn message(data: impl Into<Cow<'a, str>>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// An event whose data is a value as JSON, in one line.
    ///
    /// ```
    /// use parlor_core::sse::SseEvent;
    ///
    /// let event = SseEvent::json(&[1, 2])?.named("figures")?;
    /// assert_eq!(event.encode(), b"event: figures\ndata: [1,2]\n\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When `value` cannot be represented in JSON, for example a map with keys that are not strings.
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        Ok(Self::message(serde_json::to_string(value)?))
    }

    /// A comment, which clients skip: it keeps the connection in use.
    #[must_use]
    pub fn comment(text: impl Into<Cow<'a, str>>) -> Self {
        Self { comment: Some(text.into()), ..Self::default() }
    }

    /// Names the event; without a name, or with an empty one, clients call it `message`.
    ///
    /// # Errors
    /// [`SseFieldError`]: CR, LF or NUL.
    pub fn named(mut self, name: impl Into<Cow<'a, str>>) -> Result<Self, SseFieldError> {
        self.name = Some(checked("name", name.into())?);
        Ok(self)
    }

    /// Sets where a client goes on from after a reconnect (`Last-Event-ID`). An empty id makes it forget what it had.
    ///
    /// # Errors
    /// [`SseFieldError`]: CR, LF or NUL.
    pub fn with_id(mut self, id: impl Into<Cow<'a, str>>) -> Result<Self, SseFieldError> {
        self.id = Some(checked("id", id.into())?);
        Ok(self)
    }

    /// The event's name, where it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Names the event where such a name can stand there.
    pub(crate) fn named_where_valid(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = checked("name", name.into()).ok();
        self
    }

    /// Sets the id where such an id can stand there.
    pub(crate) fn with_id_where_valid(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        self.id = checked("id", id.into()).ok();
        self
    }

    /// Sets how long a client waits before it reconnects, told in whole milliseconds, rounded up.
    #[must_use]
    pub fn with_retry(mut self, time: Duration) -> Self {
        self.retry = Some(time);
        self
    }

    /// The octets, the blank line at the end included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.data.as_ref().map_or(0, |data| data.len()));
        if let Some(comment) = &self.comment {
            lines(comment).for_each(|line| field(&mut out, "", line));
        }
        if let Some(name) = &self.name {
            field(&mut out, "event", name);
        }
        if let Some(id) = &self.id {
            field(&mut out, "id", id);
        }
        if let Some(time) = self.retry {
            field(&mut out, "retry", &whole_millis(time).to_string());
        }
        if let Some(data) = &self.data {
            lines(data).for_each(|line| field(&mut out, "data", line));
        }
        out.push(b'\n');
        out
    }
}

/// Rounded up: a client that waits so long has waited long enough.
pub(super) fn whole_millis(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000)
}

/// Writes one line. The blank behind the colon is always there, so that one of the value's own is not taken for it.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

/// The lines of a text; CRLF, CR and LF end one.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\r', '\n']) else { return rest.take() };
        let (line, behind) = text.split_at(end);
        let behind = behind.strip_prefix("\r\n").or_else(|| behind.strip_prefix(['\r', '\n']));
        rest = behind;
        Some(line)
    })
}

fn checked<'a>(field: &'static str, text: Cow<'a, str>) -> Result<Cow<'a, str>, SseFieldError> {
    if text.contains(['\r', '\n']) {
        return Err(SseFieldError::LineEnd { field });
    }
    if text.contains('\0') {
        return Err(SseFieldError::Nul { field });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// What a client knows and has been given, by the algorithm of the standard (sections 9.2.5 and 9.2.6).
    #[derive(Debug, Default)]
    struct Client {
        events: Vec<(String, String, String)>,
        last_event_id: String,
        retry: Option<u64>,
        data: String,
        name: String,
        id: String,
    }

    impl Client {
        fn read(octets: &[u8]) -> Self {
            let mut client = Self::default();
            let text = std::str::from_utf8(octets).expect("a stream is UTF-8");
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            // Nothing is dispatched without its blank line.
            let mut rest = text;
            while let Some(end) = rest.find(['\r', '\n']) {
                let line = &rest[..end];
                rest = &rest[end..];
                rest = rest.strip_prefix("\r\n").unwrap_or_else(|| &rest[1..]);
                client.line(line);
            }
            assert_eq!(rest, "", "the last line has no end");
            client
        }

        fn line(&mut self, line: &str) {
            if line.is_empty() {
                return self.dispatch();
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => self.name = value.to_owned(),
                "data" => {
                    self.data.push_str(value);
                    self.data.push('\n');
                }
                "id" if !value.contains('\0') => self.id = value.to_owned(),
                "retry" if !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit()) => {
                    self.retry = value.parse().ok();
                }
                _ => {}
            }
        }

        fn dispatch(&mut self) {
            self.last_event_id.clone_from(&self.id);
            let (mut data, name) = (std::mem::take(&mut self.data), std::mem::take(&mut self.name));
            if data.is_empty() {
                return;
            }
            data.pop();
            let name = if name.is_empty() { "message".to_owned() } else { name };
            self.events.push((name, self.last_event_id.clone(), data));
        }
    }

    fn normalised(text: &str) -> String {
        text.replace("\r\n", "\n").replace('\r', "\n")
    }

    #[test]
    fn every_line_end_begins_a_line_of_data_and_blanks_are_kept() {
        let cases: [(&str, &[u8]); 6] = [
            ("", b"data: \n\n"),
            (" a", b"data:  a\n\n"),
            ("a\r\nb", b"data: a\ndata: b\n\n"),
            ("a\rb\n", b"data: a\ndata: b\ndata: \n\n"),
            ("\n\r", b"data: \ndata: \ndata: \n\n"),
            ("\u{feff}\0", b"data: \xef\xbb\xbf\0\n\n"),
        ];
        for (data, octets) in cases {
            assert_eq!(SseEvent::message(data).encode(), octets, "{data:?}");
        }
    }

    #[test]
    fn an_id_without_data_is_remembered_and_dispatches_nothing() {
        let event = SseEvent::default().with_id("here").unwrap().with_retry(Duration::from_micros(2500));
        let client = Client::read(&event.encode());
        assert_eq!((client.events.len(), client.last_event_id.as_str(), client.retry), (0, "here", Some(3)));
    }

    /// Text that is full of what matters to the format.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\r\n".to_owned()),
            "[\\r\\n\\x00 :]",
            Just("data: x".to_owned()),
            Just("\nid: forged\n\n".to_owned()),
            Just("\u{feff}".to_owned()),
            any::<char>().prop_map(String::from),
        ];
        vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_conformant_client_gets_exactly_what_was_said(
            units in vec((proptest::option::of(text()), proptest::option::of(text()), proptest::option::of(text()),
                proptest::option::of(text()), proptest::option::of(0_u64..100_000)), 0..6),
        ) {
            let (mut octets, mut expected, mut last_id, mut last_retry) = (Vec::new(), Vec::new(), String::new(), None);
            for (name, id, data, comment, retry) in units {
                let mut event = SseEvent { comment: comment.map(Cow::Owned), ..SseEvent::default() };
                event.data = data.clone().map(Cow::Owned);
                if let Some(name) = &name {
                    event = match event.clone().named(name.as_str()) {
                        Ok(named) => named,
                        Err(_) => { prop_assert!(name.contains(['\r', '\n', '\0'])); event }
                    };
                }
                if let Some(id) = &id {
                    event = match event.clone().with_id(id.as_str()) {
                        Ok(marked) => { last_id.clone_from(id); marked }
                        Err(_) => { prop_assert!(id.contains(['\r', '\n', '\0'])); event }
                    };
                }
                if let Some(ms) = retry {
                    event = event.with_retry(Duration::from_millis(ms));
                    last_retry = Some(ms);
                }
                octets.extend(event.encode());
                if let Some(data) = &data {
                    let name = event.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("message");
                    expected.push((name.to_owned(), last_id.clone(), normalised(data)));
                }
            }
            let client = Client::read(&octets);
            prop_assert_eq!(client.events, expected);
            prop_assert_eq!((client.last_event_id, client.retry), (last_id, last_retry));
        }
    }
}
