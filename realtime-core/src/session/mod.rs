//! Sessions: one STOMP connection each, from CONNECTED to its end; their registry, and the events of their lives.

mod extensions;
mod handle;
mod id;
mod lifecycle;
mod registry;

pub use extensions::Extensions;
pub use handle::Session;
pub use id::SessionId;
pub(crate) use id::random_tag;
pub(crate) use lifecycle::announce;
pub use lifecycle::{
    Connected, DisconnectReason, Disconnected, LifecycleEvent, LifecycleListener, Subscribed, Unsubscribed,
};
pub use registry::Registry;
pub(crate) use registry::{Presence as RegistryEntry, Waiting};
