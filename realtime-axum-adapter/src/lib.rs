//! Parlor on axum: sugar over `parlor-hyper` and nothing else.
//!
//! ```no_run
//! use axum::{Json, extract::FromRef, routing::post};
//! use parlor_axum::{Authenticated, BrokerHandle};
//! use parlor_core::{Realtime, app::{Router, Rules}, auth::JwtVerifier};
//!
//! #[derive(Clone)]
//! struct Web { realtime: Realtime }
//!
//! impl FromRef<Web> for Realtime {
//!     fn from_ref(web: &Web) -> Self { web.realtime.clone() }
//! }
//!
//! async fn announce(user: Authenticated, BrokerHandle(broker): BrokerHandle, Json(text): Json<String>) {
//!     let line = format!("{}: {text}", user.0);
//!     let _reached = broker.publish("/topic/news", &line).await;
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let realtime = Realtime::builder(Router::new().with_state(()))
//!     .authenticate(JwtVerifier::hs256(b"a secret of at least 32 octets, please")?.cookie("token"))
//!     .authorize(Rules::deny_all().allow_subscribe("/topic/news"))
//!     .allowed_origins(["https://app.example"])
//!     .build()?;
//! let http = axum::Router::new()
//!     .route_service("/ws", parlor_axum::websocket(&realtime))
//!     .route_service("/events", parlor_axum::events(&realtime))
//!     .route("/announce", post(announce))
//!     .with_state(Web { realtime: realtime.clone() });
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! parlor_axum::serve(listener, http, realtime).await?;
//! # Ok(()) }
//! ```
//!
//! Everything works under a bare `axum::serve` too; [`serve`] says what is lost then, and how to drain nevertheless. For
//! other limits or TLS, serve the router with a [`Server`]: `Server::new(listener, router, realtime).options(…).run()`.

mod authenticated;
mod broker_handle;
mod mounted;
mod serve;
mod sse;

pub use authenticated::{Authenticated, NotAuthenticated};
pub use broker_handle::BrokerHandle;
pub use mounted::{Mounted, events, refresh, websocket};
/// The Origin gate for an application's own routes: `Router::layer(OriginLayer::new(&realtime))`.
pub use parlor_hyper::OriginLayer;
/// The accept loop, its limits and its probes, which are services for `route_service` as well.
pub use parlor_hyper::{LiveService, ReadyService, ServeOptions, Server};
/// An event stream of an application's own, and what refuses one.
pub use parlor_hyper::{SseClient, SseRefusal};
pub use serve::serve;
pub use sse::Sse;
