//! STOMP 1.0, 1.1 and 1.2 without I/O: frames, a codec, and the state machines of a server's and a client's session.
//!
//! Octets go in, typed requests or events come out; nothing here reads a clock, a socket or a runtime.
//!
//! ```text
//! octets -> Decoder -> Frame -> ServerSession -> Request      (server)
//! octets -> Decoder -> Frame -> ClientSession -> ClientEvent  (client)
//! ```
//!
//! ```
//! use bytes::Bytes;
//! use parlor_stomp::{Request, ServerConfig, ServerSession, Version};
//!
//! let mut session = ServerSession::new(ServerConfig::default());
//! session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.1,1.2\n\n\0"));
//! let Some(Request::Connect(connect)) = session.poll_request() else { panic!("a CONNECT was sent") };
//! assert_eq!(connect.version, Version::V1_2);
//! ```

mod codec;
mod command;
mod fault;
mod frame;
mod headers;
mod heart_beat;
mod limits;
mod session;
mod version;

pub use codec::{
    Connected, Decoder, Encoded, MessageHead, encode_frame, encode_message_header, encode_message_into,
    encode_message_opening, encode_message_rest, encode_receipt,
};
pub use command::Command;
pub use fault::Fault;
pub use frame::Frame;
pub use headers::Headers;
pub use heart_beat::{HeartBeat, HeartBeatAction, HeartBeatTimer, ParseHeartBeatError};
pub use limits::Limits;
pub use session::{
    AckMode, ClientConfig, ClientError, ClientEvent, ClientSession, Connect, ConnectedEvent, Disconnect, MessageEvent,
    Request, Send, ServerConfig, ServerSession, ServerState, Settle, Subscribe, SubscriptionId, Subscriptions,
    Transaction, Transition, Unsubscribe, transition,
};
pub use version::{ParseVersionError, Version};
