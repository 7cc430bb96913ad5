//! Parlor on hyper and tower: the WebSocket upgrade and event streams as tower [services](tower_service::Service), and an
//! accept loop.
//!
//! Mount [`WebSocketService`] in any tower stack that serves hyper requests.
//!
//! ```no_run
//! use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous};
//! use parlor_hyper::{WebSocketService, serve, stop_signal};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let realtime = Realtime::builder(Router::new().with_state(()))
//!     .authenticate(Anonymous)
//!     .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
//!     .build()?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! serve(listener, WebSocketService::new(&realtime), realtime, stop_signal()).await?;
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! `tls` (off by default): TLS by rustls in the accept loop, with certificates that can be replaced at run time: `Tls`.

// docs.rs says of each item which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod activity;
mod addresses;
mod applicant;
mod connection;
mod cors;
mod echo;
mod events;
mod events_body;
mod handshake;
mod http2_heads;
mod in_progress;
mod listener;
mod open;
mod options;
mod origin_layer;
mod peer;
mod probes;
mod refresh;
mod refusal;
mod request_body;
mod serve;
mod server;
mod signals;
mod slots;
mod sse_client;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod watched;
mod websocket;

pub use echo::EchoService;
pub use events::EventsService;
pub use events_body::EventsBody;
pub use listener::Listener;
pub use options::ServeOptions;
pub use origin_layer::{OriginGate, OriginGateFuture, OriginLayer};
pub use peer::PeerAddr;
pub use probes::{LiveService, ReadyService};
pub use refresh::RefreshService;
pub use refusal::Refusal;
pub use request_body::{BodyTimeout, RequestBody};
pub use serve::serve;
pub use server::Server;
pub use signals::{Signals, stop_signal};
pub use sse_client::{SseClient, SseRefusal};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
/// rustls, for a configuration of your own.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
pub use websocket::WebSocketService;
