//! One connection: its transport, its WebSocket, the driver that runs it, and how it ends.
//!
//! ```text
//! transport -> Socket (WebSocket) -> ServerSession (STOMP) -> inbox -> Conversation -> Dispatch -> router, broker
//!                                                                                        |
//! transport <------------------------ Outbox <-------------------------------------------+---- other sessions' publishes
//! ```

mod acknowledgements;
mod assembly;
mod background;
mod cancellation;
mod conversation;
mod dispatch;
mod driver;
mod entering;
mod expiry_notice;
mod judging;
mod performing;
mod refreshing;
mod refusal;
mod scratch;
mod shared;
mod socket;
mod transactions;
mod transport;

pub(crate) use driver::{Driver, Life};
pub use socket::{Socket, SocketError};
pub use transport::Transport;

pub use crate::closing::Closing;
