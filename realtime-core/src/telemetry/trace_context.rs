//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>) as STOMP headers: `traceparent` and `tracestate`.
//!
//! A frame's context is parsed strictly once; what is malformed is ignored as if it had not been sent. It goes with the frame:
//! into its span, to its handler, and onto every MESSAGE that is published while the frame is answered.

use std::{fmt, future::Future, sync::Arc};

use parlor_stomp::Headers;

use crate::telemetry::frame;

/// The header that names a trace and the span that the message came from.
pub const TRACEPARENT: &str = "traceparent";

/// The header in which tracing systems keep what is theirs.
pub const TRACESTATE: &str = "tracestate";

/// The length of version 00 of the header: `00-` trace id `-` parent id `-` flags.
const LENGTH: usize = 55;

/// The most members of a `tracestate` (section 3.3.1.1).
const MAX_STATE_MEMBERS: usize = 32;

/// The longest `tracestate` that is carried, in octets: what section 3.3.1.5 asks for.
const LONGEST_STATE: usize = 512;

/// The flags that have a meaning: sampled, and (level 2) a random trace id.
const KNOWN_FLAGS: u8 = 0b11;

/// Which trace a message belongs to, and which span it came from.
///
/// As an argument of a handler it is that of the frame; take `Option<TraceContext>` where a client may send none.
///
/// ```
/// use parlor_core::telemetry::TraceContext;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = TraceContext::parse(header, None).unwrap();
/// assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert_eq!(context.parent_id(), "00f067aa0ba902b7");
/// assert!(context.is_sampled());
/// assert_eq!(context.traceparent(), header);
/// assert!(TraceContext::parse("00-0-0-01", None).is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
    state: Option<Arc<str>>,
}

impl TraceContext {
    /// Reads the two headers. None where `traceparent` is not exactly what the specification says; a malformed `tracestate`
    /// alone is left out (section 3.3).
    #[must_use]
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let text = traceparent.as_bytes();
        if text.len() < LENGTH || !traceparent.is_ascii() {
            return None;
        }
        let version = hex(&traceparent[..2])?;
        // A later version may go on behind a hyphen (section 3.2.4); the first one is complete.
        let is_complete = text.len() == LENGTH || (version > 0 && text[LENGTH] == b'-');
        let has_hyphens = [2, 35, 52].into_iter().all(|place| text[place] == b'-');
        if version == 0xff || !is_complete || !has_hyphens {
            return None;
        }
        let trace_id = hex(&traceparent[3..35]).filter(|id| *id != 0)?;
        let parent_id = hex(&traceparent[36..52]).filter(|id| *id != 0)?;
        let flags = hex(&traceparent[53..55])?;
        Some(Self {
            trace_id,
            parent_id: u64::try_from(parent_id).ok()?,
            flags: u8::try_from(flags).ok()? & KNOWN_FLAGS,
            state: tracestate.filter(|state| is_state(state)).map(Into::into),
        })
    }

    /// The context of a frame's or a publication's headers.
    #[must_use]
    pub fn from_headers(headers: &Headers) -> Option<Self> {
        Self::parse(headers.get(TRACEPARENT)?, headers.get(TRACESTATE))
    }

    /// That of the frame that is being answered: inside a handler, a rule or a listener, and inside [`scope`](Self::scope).
    #[must_use]
    pub fn current() -> Option<Self> {
        frame::with_current(|frame| frame.and_then(|frame| frame.trace.clone()))
    }

    /// Runs `future`; what it publishes carries this context. Inside a handler this is so already: use it where a task of your
    /// own goes on with a handler's work, or where an HTTP request brought the context.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        frame::scope(frame::FrameInFlight::of_trace(self), future)
    }

    /// The trace, as 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The span that the message came from, as 16 hexadecimal digits.
    #[must_use]
    pub fn parent_id(&self) -> String {
        format!("{:016x}", self.parent_id)
    }

    /// Whether the sender records this trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The flags; unknown ones are zero.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// The `tracestate`, where there is a well-formed one.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The header `traceparent`, in version 00.
    #[must_use]
    pub fn traceparent(&self) -> String {
        self.to_string()
    }

    /// Adds the headers.
    pub fn write_to(&self, headers: &mut Headers) {
        headers.push(TRACEPARENT, &self.traceparent());
        if let Some(state) = &self.state {
            headers.push(TRACESTATE, state);
        }
    }
}

/// The header `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

/// Lower-case hexadecimal digits and nothing else.
fn hex(text: &str) -> Option<u128> {
    let is_hex = text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// Whether a text is a list of section 3.3.1.
fn is_state(text: &str) -> bool {
    if text.len() > LONGEST_STATE {
        return false;
    }
    let members = text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
    let mut keys = Vec::new();
    for member in members {
        let Some((key, value)) = member.split_once('=') else { return false };
        if keys.len() == MAX_STATE_MEMBERS || keys.contains(&key) || !is_key(key) || !is_value(value) {
            return false;
        }
        keys.push(key);
    }
    !keys.is_empty()
}

fn is_key(key: &str) -> bool {
    let part = |text: &str, longest: usize| {
        let first = text.bytes().next().is_some_and(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit());
        let rest =
            text.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"_-*/".contains(&octet));
        first && rest && text.len() <= longest
    };
    match key.split_once('@') {
        Some((tenant, system)) => part(tenant, 241) && part(system, 14),
        None => part(key, 256),
    }
}

fn is_value(value: &str) -> bool {
    let characters = value.bytes().all(|octet| matches!(octet, 0x20..=0x2b | 0x2d..=0x3c | 0x3e..=0x7e));
    !value.is_empty() && value.len() <= 256 && characters && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_not_exactly_a_traceparent_is_none() {
        let bad = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "00-4bf92f3577b34da6a3ce929d0e0e473ü-00f067aa0ba902b7-01",
            "üü-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ];
        for text in bad {
            assert_eq!(TraceContext::parse(text, None), None, "{text:?}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known_and_passed_on_as_version_00() {
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what.comes.next";
        let context = TraceContext::parse(later, None).unwrap();
        assert_eq!(context.traceparent(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");
    }

    #[test]
    fn a_malformed_tracestate_is_left_out_and_the_traceparent_stays() {
        let many = |count: usize| (0..count).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
        let key = "k".repeat(256);
        let good = [
            "congo=t61rcWkgMzE".to_owned(),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE".to_owned(),
            "a=1, ,b=2,\tc=3".to_owned(),
            "fw529a3039@dt=FfAb".to_owned(),
            "0a_-*/=!~".to_owned(),
            many(32),
            format!("{key}={}", "v".repeat(255)),
        ];
        for state in &good {
            let context = TraceContext::parse(GOOD, Some(state)).unwrap();
            assert_eq!(context.state(), Some(state.as_str()));
        }
        let bad = [
            String::new(),
            ",".to_owned(),
            "congo".to_owned(),
            "=v".to_owned(),
            "a=".to_owned(),
            "A=1".to_owned(),
            "a=1,a=2".to_owned(),
            "a=b=c".to_owned(),
            "a=\u{7f}".to_owned(),
            "a=ü".to_owned(),
            "a@=1".to_owned(),
            "a@b@c=1".to_owned(),
            many(33),
            format!("{key}={}", "v".repeat(256)),
            format!("{key}k=v"),
        ];
        for state in &bad {
            let context = TraceContext::parse(GOOD, Some(state)).unwrap();
            assert_eq!(context.state(), None, "{state:?}");
        }
    }

    #[test]
    fn headers_come_back_as_they_were() {
        let sent: Headers = [(TRACEPARENT, GOOD), (TRACESTATE, "a=1")].into_iter().collect();
        let mut written = Headers::default();
        TraceContext::from_headers(&sent).unwrap().write_to(&mut written);
        assert_eq!(written, sent);
    }
}
