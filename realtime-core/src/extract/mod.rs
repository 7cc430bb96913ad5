//! Extractors: the arguments of handlers, in any order, and the return types that carry payloads.

mod body;
#[cfg(feature = "cbor")]
mod cbor;
mod codec;
mod header;
mod identity;
mod path;
mod path_check;
mod path_deserializer;
mod payload;
mod payloads;
mod reply;
mod send_to_user;
mod session_data;
mod state;
mod trace_context;
#[cfg(feature = "garde")]
mod validated;

#[cfg(feature = "cbor")]
pub use cbor::Cbor;
pub use header::{Header, NamedHeader};
pub use path::Path;
pub use payload::Payload;
pub use payloads::Payloads;
pub use reply::{Replies, Reply};
pub use send_to_user::SendToUser;
pub use session_data::SessionData;
pub use state::{FromRef, State};
#[cfg(feature = "garde")]
pub use validated::Validated;

pub use crate::{
    app::{FromContext, OptionalFromContext},
    telemetry::TraceContext,
};
