//! WebSocket framing of the server's side (RFC 6455), without I/O.
//!
//! It is our own because the outbox owns the write half: a message is framed once and the same octets go to every
//! subscriber, which no library allows that frames per connection. Text is validated and sizes are judged while octets
//! arrive; the payload is handed on in the pieces it came in.

mod decode;
mod encode;
mod limits;
mod utf8;

pub use decode::{CloseFrame, WebSocketDecoder, WebSocketError, WebSocketEvent};
pub(crate) use encode::{MAX_HEADER, encode_header, encode_header_before, header_length};
pub use encode::{Opcode, encode_close, encode_frame};
pub use limits::WebSocketLimits;
