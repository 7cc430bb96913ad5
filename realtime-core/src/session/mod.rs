//! Sessions: one STOMP connection each, from CONNECTED to its end; their registry, and the events of their lives.

mod departure;
mod expiry_warning;
mod extensions;
mod handle;
mod identity;
mod last_seen;
mod lifecycle;
mod listeners;
mod observer;
mod registry;

pub use departure::Departure;
pub(crate) use expiry_warning::{ExpiryWarning, seconds_left};
pub use extensions::Extensions;
pub use handle::Session;
pub(crate) use identity::Identity;
pub use last_seen::LastSeen;
pub(crate) use lifecycle::announce;
pub use lifecycle::{
    Connected, DisconnectReason, Disconnected, LifecycleEvent, LifecycleListener, Subscribed, Unsubscribed,
};
pub(crate) use observer::{Listening, Observer};
pub(crate) use registry::{Entered as RegistryEntry, Listens as ListeningEntry, Streaming, Waiting};
pub use registry::{Refreshed, Registry};

pub use crate::session_id::{SessionId, SessionIdError};
