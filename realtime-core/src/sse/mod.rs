//! Server-sent events as octets (HTML Living Standard, section 9.2), and the events that Parlor says itself.
//!
//! Nothing here reads, waits or knows a broker. What a publisher chose can neither break a stream nor pass for an event of
//! Parlor's own.

mod event;
mod names;
mod notes;

pub use event::{SseEvent, SseFieldError};
pub(crate) use names::application_name;
pub use names::{BINARY, CLOSED, DROPPED, EXPIRING, RECOVERED, is_reserved};
pub(crate) use notes::{annotate_event, expiring, note};
