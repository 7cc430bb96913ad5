//! The core of Parlor: broker, sessions, users, handlers and authentication, for any web framework.
//!
//! Adapters upgrade an HTTP request and hand the connection to [`Realtime::serve`]; applications write
//! [`app::Router`]s of plain functions and publish through [`broker::Broker`].
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | brings |
//! |---|---|
//! | `cbor` | bodies as CBOR (RFC 8949), in and out: `extract::Cbor` |
//! | `garde` | payloads that are checked by their garde rules: `extract::Validated` |
//! | `metrics` | every counter, gauge and histogram of [`telemetry`] also goes to the recorder of the `metrics` crate |
//! | `testing` | clients in memory, expectations and a clock: `testing`, for `[dev-dependencies]` |

// docs.rs says of each item which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod __private;
pub mod app;
pub mod auth;
pub mod broker;
mod clock;
mod closing;
mod config;
pub mod connection;
mod delivery;
pub mod destination;
mod endpoint;
pub mod event_stream;
pub mod extract;
mod fan_out;
pub mod history;
pub mod limits;
mod message;
pub mod notifications;
mod outbox;
pub mod presence;
mod publication;
mod realtime;
pub mod session;
mod session_id;
pub mod sse;
mod sync;
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
