//! Sessions: one STOMP connection each, from CONNECTED to its end; their registry, and the events of their lives.

mod expiry_warning;
mod extensions;
mod handle;
mod identity;
mod lifecycle;
mod registry;

pub(crate) use expiry_warning::{ExpiryWarning, seconds_left};
pub use extensions::Extensions;
pub use handle::Session;
pub(crate) use identity::Identity;
pub(crate) use lifecycle::announce;
pub use lifecycle::{
    Connected, DisconnectReason, Disconnected, LifecycleEvent, LifecycleListener, Subscribed, Unsubscribed,
};
pub(crate) use registry::{Presence as RegistryEntry, Streaming, Waiting};
pub use registry::{Refreshed, Registry};

pub use crate::session_id::{SessionId, SessionIdError};
