#![doc = include_str!("../README.md")]
// docs.rs says of each item which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod client;
mod clock;
mod command;
mod connector;
mod conversation;
mod driver;
mod error;
mod message;
mod opening;
mod options;
mod receipts;
mod reconnect;
mod refusal;
mod registry;
mod send;
mod state;
mod subscription;
#[cfg(feature = "tls")]
mod tls;
mod transaction;
mod unsettled;
mod websocket;

pub use builder::ClientBuilder;
pub use client::Client;
pub use connector::{Connecting, Connector, Socket, TcpConnector};
pub use error::{AckError, CloseError, ConnectionError, SendError, SubscribeError};
pub use message::Message;
pub use parlor_stomp::{AckMode, Headers, HeartBeat, Limits, Version};
pub use reconnect::ReconnectPolicy;
pub use refusal::Refusal;
pub use send::SendBuilder;
pub use state::ConnectionState;
pub use subscription::{SubscribeBuilder, Subscription, SubscriptionEvent, SubscriptionEvents};
/// rustls, for a configuration of your own.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
pub use transaction::Transaction;
