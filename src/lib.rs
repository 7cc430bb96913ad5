#![doc = include_str!("../README.md")]

pub use parlor_core::{
    Admission, BuildError, Config, Message, Realtime, RealtimeBuilder, app, auth, broker, connection, destination,
    extract, session, stomp, telemetry, websocket,
};
/// The WebSocket upgrade as a tower service, and an accept loop, for hyper and any tower stack.
pub use parlor_hyper as hyper;

/// Routes, extractors and the accept loop for axum.
#[cfg(feature = "axum")]
pub use parlor_axum as axum;
