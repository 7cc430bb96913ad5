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
