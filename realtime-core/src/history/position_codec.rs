//! Positions on the wire: opaque to clients, of one destination, and made by this server only.
//!
//! ```text
//! base64url( epoch, 8 octets | offset, 8 octets | HMAC-SHA-256 of both and the destination, first 16 octets )
//! ```
//!
//! The letters, digits, `-` and `_` of a token need no escaping in a STOMP header, an `id:` of SSE or a query string.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    destination::Destination,
    history::{Epoch, Position},
};

/// Tells these MACs from whatever else the key may be used for.
const PURPOSE: &[u8] = b"parlor position 1\0";

/// Half of the whole one, which is the least that RFC 2104 (section 5) advises.
const MAC_OCTETS: usize = 16;

const OCTETS: usize = 8 + 8 + MAC_OCTETS;

/// Writes positions as tokens for clients, and reads them back.
///
/// A token is good for one destination and one key. Anything else a client may send, forged, cut or of another destination,
/// is an error: it cannot make the server read what the client was not given a position of.
///
/// ```
/// use parlor_core::history::{Epoch, Position, PositionCodec};
///
/// let codec = PositionCodec::random();
/// let (chat, news) = ("/topic/chat".parse().unwrap(), "/topic/news".parse().unwrap());
/// let position = Position { epoch: Epoch::random(), offset: 42 };
/// let token = codec.encode(&chat, position);
/// assert_eq!(codec.decode(&chat, &token), Ok(position));
/// assert!(codec.decode(&news, &token).is_err());
/// ```
#[derive(Clone)]
pub struct PositionCodec {
    key: hmac::Key,
}

/// Why a token is no position. A client that sent it is told that its history could not be recovered.
///
/// ```
/// use parlor_core::{destination::Destination, history::{Epoch, Position, PositionCodec, PositionError}};
///
/// let (here, elsewhere) = (PositionCodec::random(), PositionCodec::random());
/// let chat: Destination = "/topic/chat".parse().unwrap();
/// let token = elsewhere.encode(&chat, Position { epoch: Epoch::random(), offset: 1 });
/// assert_eq!(here.decode(&chat, &token), Err(PositionError::Forged));
/// assert_eq!(here.decode(&chat, "12"), Err(PositionError::Malformed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PositionError {
    /// It was made for another destination or with another key, or by somebody else.
    #[error("the position was not given out for this destination; resume with one of its own, or without")]
    Forged,
    /// It does not have the form of a token.
    #[error("the position is not one that a server gave out; send it back unchanged, or resume without")]
    Malformed,
}

impl PositionCodec {
    /// The length of every token, in octets.
    pub const TOKEN_OCTETS: usize = (OCTETS * 4).div_ceil(3);

    /// A codec of a fresh key: tokens end with the process, as a history in memory does.
    ///
    /// # Panics
    /// When the operating system has no randomness to give; see [`SessionId::random`](crate::session::SessionId::random).
    #[must_use]
    pub fn random() -> Self {
        let mut key = [0; 32];
        crate::session_id::fill_random(&mut key);
        Self::with_key(&key)
    }

    /// A codec of this key, which must be random and secret. Nodes that share it accept each other's tokens.
    #[must_use]
    pub fn with_key(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The token of a position of `destination`.
    #[must_use]
    pub fn encode(&self, destination: &Destination, position: Position) -> String {
        let mut octets = [0; OCTETS];
        octets[..8].copy_from_slice(&position.epoch.get().to_be_bytes());
        octets[8..16].copy_from_slice(&position.offset.to_be_bytes());
        let mac = self.mac(destination, &octets[..16]);
        octets[16..].copy_from_slice(&mac.as_ref()[..MAC_OCTETS]);
        URL_SAFE_NO_PAD.encode(octets)
    }

    /// The position of `destination` that `token` stands for.
    ///
    /// # Errors
    /// When this codec, or one of the same key, did not make the token for `destination`.
    pub fn decode(&self, destination: &Destination, token: &str) -> Result<Position, PositionError> {
        if token.len() != Self::TOKEN_OCTETS {
            return Err(PositionError::Malformed);
        }
        // The decoder asks for room in whole groups of three.
        let mut octets = [0; OCTETS.next_multiple_of(3)];
        let written = URL_SAFE_NO_PAD.decode_slice(token, &mut octets);
        let (Ok(OCTETS), [epoch, offset, ..]) = (written, octets.as_chunks::<8>().0) else {
            return Err(PositionError::Malformed);
        };
        let mac = self.mac(destination, &octets[..16]);
        // How long it takes must not tell how much of a guess is right.
        constant_time::verify_slices_are_equal(&mac.as_ref()[..MAC_OCTETS], &octets[16..OCTETS])
            .map_err(|_| PositionError::Forged)?;
        Ok(Position { epoch: Epoch::new(u64::from_be_bytes(*epoch)), offset: u64::from_be_bytes(*offset) })
    }

    fn mac(&self, destination: &Destination, place: &[u8]) -> hmac::Tag {
        let mut mac = hmac::Context::with_key(&self.key);
        mac.update(PURPOSE);
        // The place has a fixed length, so that no two inputs look the same.
        mac.update(place);
        mac.update(destination.as_str().as_bytes());
        mac.sign()
    }
}

impl Default for PositionCodec {
    fn default() -> Self {
        Self::random()
    }
}

impl fmt::Debug for PositionCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PositionCodec").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn destination(text: &str) -> Destination {
        text.parse().unwrap()
    }

    fn position() -> impl Strategy<Value = Position> {
        (any::<u64>(), any::<u64>()).prop_map(|(epoch, offset)| Position { epoch: Epoch::new(epoch), offset })
    }

    #[test]
    fn the_layout_of_a_token_is_that_of_the_page() {
        let codec = PositionCodec::with_key(&[7; 32]);
        let position = Position { epoch: Epoch::new(0x0102_0304_0506_0708), offset: 9 };
        let octets = URL_SAFE_NO_PAD.decode(codec.encode(&destination("/topic/a"), position)).unwrap();
        assert_eq!(octets[..16], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let whole = hmac::sign(&key, &[PURPOSE, &octets[..16], b"/topic/a"].concat());
        assert_eq!(octets[16..], whole.as_ref()[..16]);
    }

    #[test]
    fn rule_15_what_is_no_token_is_malformed() {
        let codec = PositionCodec::random();
        let chat = destination("/topic/chat");
        let token = codec.encode(&chat, Position { epoch: Epoch::random(), offset: 1 });
        let longer = format!("{token}A");
        let padded = format!("{token}=");
        let star = format!("*{}", &token[1..]);
        // Of three octets in its place, so that the length is right.
        let wide = format!("\u{20ac}{}", &token[3..]);
        for text in ["", "0", &token[1..], &longer, &padded, &star, &wide, &"=".repeat(43)] {
            assert_eq!(codec.decode(&chat, text), Err(PositionError::Malformed), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", PositionCodec::with_key(&[0xab; 32])), "PositionCodec { .. }");
    }

    proptest! {
        #[test]
        fn a_token_comes_back_as_its_position_and_needs_no_escaping(position in position(), key in any::<[u8; 32]>()) {
            let codec = PositionCodec::with_key(&key);
            let chat = destination("/topic/chat");
            let token = codec.encode(&chat, position);
            prop_assert_eq!(token.len(), PositionCodec::TOKEN_OCTETS);
            prop_assert!(token.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet)));
            prop_assert_eq!(codec.decode(&chat, &token), Ok(position));
            prop_assert_eq!(PositionCodec::with_key(&key).decode(&chat, &token), Ok(position));
        }

        /// Each bit of the octets, and each bit of the text, the two that the last letter has to spare included.
        #[test]
        fn rule_15_a_token_with_one_bit_turned_is_refused(position in position()) {
            let codec = PositionCodec::random();
            let chat = destination("/topic/chat");
            let token = codec.encode(&chat, position);
            let octets = URL_SAFE_NO_PAD.decode(&token).unwrap();
            for bit in 0..octets.len() * 8 {
                let mut forged = octets.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                prop_assert_eq!(codec.decode(&chat, &URL_SAFE_NO_PAD.encode(forged)), Err(PositionError::Forged));
            }
            for bit in 0..token.len() * 8 {
                let mut forged = token.clone().into_bytes();
                forged[bit / 8] ^= 1 << (bit % 8);
                if let Ok(forged) = String::from_utf8(forged) {
                    prop_assert!(codec.decode(&chat, &forged).is_err(), "{forged}");
                }
            }
        }

        #[test]
        fn rule_15_a_token_is_good_for_one_destination_and_one_key(
            position in position(), own in "(/[ab]{1,3}){1,3}", other in "(/[ab]{1,3}){1,3}", keys in any::<[[u8; 32]; 2]>(),
        ) {
            let [one, two] = keys.map(|key| PositionCodec::with_key(&key));
            let (own, other) = (destination(&own), destination(&other));
            let token = one.encode(&own, position);
            prop_assert_eq!(one.decode(&other, &token).is_ok(), own == other);
            prop_assert_eq!(two.decode(&own, &token).is_ok(), keys[0] == keys[1]);
        }

        #[test]
        fn whatever_a_client_sends_is_no_panic(text in "\\PC{0,50}", octets in any::<[u8; OCTETS]>()) {
            let codec = PositionCodec::random();
            let chat = destination("/topic/chat");
            prop_assert!(codec.decode(&chat, &text).is_err());
            prop_assert_eq!(codec.decode(&chat, &URL_SAFE_NO_PAD.encode(octets)), Err(PositionError::Forged));
        }
    }
}
