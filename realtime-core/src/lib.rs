//! The core of Parlor: broker, sessions, users, handlers and authentication, for any web framework.
//!
//! Adapters upgrade an HTTP request and hand the connection to [`Realtime::serve`]; applications write
//! [`app::Router`]s of plain functions and publish through [`broker::Broker`].

#[doc(hidden)]
pub mod __private;
pub mod app;
pub mod auth;
pub mod broker;
mod clock;
mod config;
pub mod connection;
pub mod destination;
pub mod extract;
pub mod limits;
mod message;
mod realtime;
pub mod session;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod websocket;

pub use config::{Config, Profile};
pub use limits::{Admission, Applicant};
pub use message::Message;
/// The protocol crate, for its types in public signatures.
pub use parlor_stomp as stomp;
pub use realtime::{BuildError, Realtime, RealtimeBuilder};
