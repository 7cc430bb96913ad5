//! The state machines of a session's two ends, and what they hand out.

mod client;
mod event;
mod request;
mod server;
mod state;
mod subscription;

pub use client::{ClientConfig, ClientError, ClientSession};
pub use event::{ClientEvent, ConnectedEvent, MessageEvent};
pub use request::{AckMode, Connect, Disconnect, Request, Send, Settle, Subscribe, Transaction, Unsubscribe};
pub use server::{ServerConfig, ServerSession};
pub use state::{ServerState, Transition, transition};
pub use subscription::{SubscriptionId, Subscriptions};
