#![doc = include_str!("../README.md")]
// docs.rs says of each item which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use parlor_core::{
    Admission, Applicant, BuildError, Config, Message, Profile, Realtime, RealtimeBuilder, app, auth, broker,
    connection, destination, event_stream, extract, history, limits, notifications, presence, session, sse, stomp,
    telemetry, websocket,
};
/// The WebSocket upgrade as a tower service, and an accept loop, for hyper and any tower stack.
pub use parlor_hyper as hyper;

/// Routes, extractors and the accept loop for axum.
#[cfg(feature = "axum")]
pub use parlor_axum as axum;

/// A client of STOMP over WebSocket that reconnects, subscribes again and resumes.
#[cfg(feature = "client")]
pub use parlor_client as client;

/// Clients in memory, expectations and a clock for an application's tests, behind the feature `testing`.
#[cfg(feature = "testing")]
pub use parlor_core::testing;

/// Handlers, targets and listeners by attribute, and checked lists of routes.
#[cfg(feature = "macros")]
pub use parlor_macros::{
    error_handler, on_connected, on_disconnected, on_subscribed, on_unsubscribed, routes, send_to, send_to_user,
    stomp_handler, subscribe_handler,
};

#[doc(hidden)]
pub use parlor_core::__private;
