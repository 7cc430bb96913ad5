//! Event streams: subscriptions over HTTP, one for each request, that need no session and no STOMP; and streams of events that
//! the application sends itself.
//!
//! ```text
//! request -> opening.rs: interceptors, rules -> broker: subscribed, resumed
//! client <- HTTP body <- EventStream <- pipe.rs <- Outbox <- driver.rs (time, replay, end)
//!                                                   ^---- publishes
//! ```
//!
//! To the broker a stream is a subscriber like any other: the same order, overflow policies and replay. A task drives it
//! for the same reason as it drives a connection: bounds of age and the end of a token must hold for a client that reads
//! nothing, whose body nobody asks for more.

mod driver;
mod emitter;
mod hub;
mod opening;
mod pipe;
mod standing;

pub(crate) use driver::Driver;
pub use emitter::{OpenEmitter, SseEmitter, SseSendError};
pub use hub::{SseHub, TooManyKeys};
pub use opening::EventsRequest;
pub use pipe::EventStream;
