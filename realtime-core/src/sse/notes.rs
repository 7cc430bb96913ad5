//! The events that Parlor says itself.

use std::time::Duration;

use bytes::Bytes;

use crate::sse::{CLOSED, EXPIRING, SseEvent, event::whole_millis};

/// `parlor.<name>` with `{"<name>":<value>}`. Both are Parlor's own words: `value` is a number, `true` or `false`.
pub(crate) fn note(name: &str, value: &str) -> Vec<u8> {
    SseEvent::message(format!(r#"{{"{name}":{value}}}"#)).named_where_valid(format!("parlor.{name}")).encode()
}

/// An event in front of another one, which says what is true for this stream alone: an [`Annotate`](crate::outbox::Annotate).
pub(crate) fn annotate_event(wire: &Bytes, name: &str, value: &str) -> Bytes {
    let mut noted = note(name, value);
    noted.extend_from_slice(wire);
    noted.into()
}

impl SseEvent<'static> {
    /// The last event of a stream that the server ends, or refuses for now: `parlor.closed`. With `retry` the client may come
    /// back after that time, without it should not by itself.
    ///
    /// ```
    /// use std::time::Duration;
    /// use parlor_core::sse::SseEvent;
    ///
    /// let event = SseEvent::closed("full", Some(Duration::from_secs(5)));
    /// assert_eq!(event.encode(), b"event: parlor.closed\nretry: 5000\ndata: {\"code\":\"full\",\"retry\":5000}\n\n");
    /// ```
    #[must_use]
    pub fn closed(code: &str, retry: Option<Duration>) -> Self {
        let code = serde_json::Value::from(code);
        let event = match retry {
            Some(time) => {
                Self::message(format!(r#"{{"code":{code},"retry":{}}}"#, whole_millis(time))).with_retry(time)
            }
            None => Self::message(format!(r#"{{"code":{code}}}"#)),
        };
        event.named_where_valid(CLOSED)
    }
}

/// How many seconds are left until the token ends.
pub(crate) fn expiring(seconds: u64) -> Vec<u8> {
    SseEvent::message(format!(r#"{{"expires_in":{seconds}}}"#)).named_where_valid(EXPIRING).encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_an_event_in_front() {
        let wire = Bytes::from_static(b"data: a\n\n");
        let noted = annotate_event(&wire, "dropped", "3");
        assert_eq!(noted, "event: parlor.dropped\ndata: {\"dropped\":3}\n\ndata: a\n\n");
    }

    #[test]
    fn the_end_of_a_token_is_told_with_the_seconds_left() {
        assert_eq!(expiring(60), b"event: parlor.expiring\ndata: {\"expires_in\":60}\n\n");
    }

    #[test]
    fn the_last_event_says_why_and_when_to_come_back() {
        let retry = Duration::from_millis(1500);
        let told = "event: parlor.closed\nretry: 1500\ndata: {\"code\":\"going-away\",\"retry\":1500}\n\n";
        assert_eq!(SseEvent::closed("going-away", Some(retry)).encode(), told.as_bytes());
        assert_eq!(SseEvent::closed("gone", None).encode(), b"event: parlor.closed\ndata: {\"code\":\"gone\"}\n\n");
    }
}
