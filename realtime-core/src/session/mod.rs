//! Sessions: one STOMP connection each, from CONNECTED to its end; their registry, and the events of their lives.

mod departure;
mod extensions;
mod handle;
mod last_seen;
mod lifecycle;
mod observer;
mod registry;

pub use departure::Departure;
pub use extensions::Extensions;
pub use handle::Session;
pub use last_seen::LastSeen;
pub(crate) use lifecycle::announce;
pub use lifecycle::{
    Connected, DisconnectReason, Disconnected, LifecycleEvent, LifecycleListener, Subscribed, Unsubscribed,
};
pub(crate) use observer::{Listening, Observer};
pub use registry::Registry;
pub(crate) use registry::{Entered as RegistryEntry, Listens as ListeningEntry, Streaming, Waiting};

pub use crate::session_id::{SessionId, SessionIdError};
