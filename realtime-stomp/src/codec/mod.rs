//! Octets to frames and back.

mod decode;
mod encode;
mod escape;

pub use decode::Decoder;
pub(crate) use encode::write_frame;
pub use encode::{
    Connected, Encoded, MessageHead, encode_frame, encode_message_header, encode_message_into, encode_message_opening,
    encode_message_rest, encode_receipt,
};
