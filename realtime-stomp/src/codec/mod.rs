//! Octets to frames and back.

mod decode;
mod encode;
mod escape;

pub use decode::Decoder;
pub use encode::{Connected, Encoded, MessageHead, encode_frame, encode_message_into, encode_receipt};
