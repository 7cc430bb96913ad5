//! Sessions: one STOMP connection each, from CONNECTED to its end; their registry, and the events of their lives.

mod handle;
mod id;
mod lifecycle;
mod registry;

pub use handle::Session;
pub use id::SessionId;
pub(crate) use id::random_tag;
pub(crate) use lifecycle::announce;
pub use lifecycle::{DisconnectReason, LifecycleEvent, LifecycleListener};
pub use registry::Registry;
pub(crate) use registry::{Presence as RegistryEntry, Waiting};
