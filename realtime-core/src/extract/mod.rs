//! Extractors: the arguments of handlers, in any order, and the return types that carry payloads.

mod body;
mod from_context;
mod header;
mod identity;
mod path;
mod path_deserializer;
mod payload;
mod reply;
mod send_to_user;
mod state;

pub use from_context::FromContext;
pub use header::{Header, NamedHeader};
pub use path::Path;
pub use payload::Payload;
pub use reply::Reply;
pub use send_to_user::SendToUser;
pub use state::{FromRef, State};
