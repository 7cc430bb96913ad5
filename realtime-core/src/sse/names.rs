//! Names of events: Parlor's own, and which ones an application may use.

use crate::sse::SseEvent;

/// A message whose body is not UTF-8, in base64 (RFC 4648 section 4).
pub const BINARY: &str = "parlor.binary";

/// The last event of a stream that the server ends: `{"code":"…","retry":<ms>}`.
pub const CLOSED: &str = "parlor.closed";

/// Messages are missing in front of the next one: `{"dropped":<n>}`.
pub const DROPPED: &str = "parlor.dropped";

/// The stream's token ends soon: `{"expires_in":<seconds>}`.
pub const EXPIRING: &str = "parlor.expiring";

/// Whether nothing is missing since the position that the client named: `{"recovered":true}`.
pub const RECOVERED: &str = "parlor.recovered";

/// Whether an application may not use that name: all that begin with `parlor.`, and `error` and `open`, which `EventSource`
/// fires for the connection itself.
///
/// ```
/// use parlor_core::sse::is_reserved;
///
/// assert!(is_reserved("parlor.closed") && is_reserved("error"));
/// assert!(!is_reserved("typing"));
/// ```
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.starts_with("parlor.") || matches!(name, "error" | "open")
}

/// The name that a publisher chose, where a stream can have it: a text in one line that is not reserved.
pub(crate) fn application_name(chosen: Option<&str>) -> Option<&str> {
    chosen.filter(|name| !is_reserved(name) && SseEvent::default().named(*name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_reserved_or_would_break_the_stream_is_none() {
        let refused = ["parlor.closed", "parlor.", "error", "open", "a\nb", "a\rb", "a\0b"];
        assert!(refused.iter().all(|name| application_name(Some(name)).is_none()));
        let taken = ["typing", "parlor", "Error", " a", ""];
        assert!(taken.iter().all(|name| application_name(Some(name)) == Some(name)));
    }
}
