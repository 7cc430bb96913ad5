//! Sessions: one STOMP connection each, from CONNECTED to its end; their registry, and the events of their lives.

mod extensions;
mod handle;
mod lifecycle;
mod registry;

pub use extensions::Extensions;
pub use handle::Session;
pub(crate) use lifecycle::announce;
pub use lifecycle::{
    Connected, DisconnectReason, Disconnected, LifecycleEvent, LifecycleListener, Subscribed, Unsubscribed,
};
pub use registry::Registry;
pub(crate) use registry::{Presence as RegistryEntry, Waiting};

pub use crate::session_id::{SessionId, SessionIdError};
