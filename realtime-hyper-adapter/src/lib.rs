//! Parlor on hyper and tower: the WebSocket upgrade as a tower [`Service`](tower_service::Service), and an accept loop.
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

mod echo;
mod handshake;
mod origin_layer;
mod peer;
mod refusal;
mod serve;
mod websocket;

pub use echo::EchoService;
pub use origin_layer::{OriginGate, OriginGateFuture, OriginLayer};
pub use peer::PeerAddr;
pub use refusal::Refusal;
pub use serve::{serve, stop_signal};
pub use websocket::WebSocketService;
