//! The decoder of STOMP frames, on octets of any kind.
//!
//! What it finds depends neither on how the octets are cut nor on how often it is asked, and each frame that it finds is
//! the same again once it was encoded and decoded, but for a CR, which STOMP 1.0 and 1.1 cannot write.

#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use parlor_stomp::{Command, Decoder, Fault, Frame, Headers, Limits, Version, encode_frame};

/// Octets of a client, and where they are cut.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    agreed: Agreed,
    cuts: [u8; 4],
    octets: &'a [u8],
}

/// All frames, and the fault that ended them.
type Decoded = (Vec<Frame>, Option<Fault>);

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Agreed {
    Nothing,
    V1_0,
    V1_1,
    V1_2,
}

impl Agreed {
    fn version(self) -> Option<Version> {
        match self {
            Self::Nothing => None,
            Self::V1_0 => Some(Version::V1_0),
            Self::V1_1 => Some(Version::V1_1),
            Self::V1_2 => Some(Version::V1_2),
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let version = input.agreed.version();
    let whole = decode(tight(), version, [input.octets]);
    assert_same(&whole, &decode(tight(), version, input.octets.chunks(1)));
    assert_same(&whole, &decode(tight(), version, pieces(input.octets, input.cuts)));
    for frame in whole.0.iter().filter(|frame| can_be_encoded(frame, version)) {
        let encoded = encode_frame(frame.command, &frame.headers, &frame.body, version.unwrap_or(Version::V1_2));
        assert_eq!(encoded.text, std::str::from_utf8(&encoded.bytes).is_ok());
        let again = decode(Limits::unlimited(), version, [&encoded.bytes[..]]);
        assert_eq!(again, (vec![carried(frame, version)], None), "encoded as {:?}", encoded.bytes);
    }
});

/// Limits that short inputs reach.
fn tight() -> Limits {
    Limits::default().max_body_bytes(48).max_connect_bytes(96).max_head_bytes(128).max_header_bytes(32).max_headers(6)
}

fn decode<'a>(limits: Limits, version: Option<Version>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = Decoder::new(limits);
    if let Some(version) = version {
        decoder.set_version(version);
    }
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.decode() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => {
                    assert_eq!(decoder.decode(), Ok(None), "nothing is decoded after a fault");
                    assert!(!decoder.is_mid_frame());
                    return (frames, Some(fault));
                }
            }
        }
    }
    (frames, None)
}

/// The receipt of a fault is the one thing that may depend on the cuts: it is missing where it has not come yet.
fn assert_same((whole, fault): &Decoded, (cut, cut_fault): &Decoded) {
    assert_eq!(whole, cut);
    let [receipt, cut_receipt] =
        [fault, cut_fault].map(|fault| fault.as_ref().and_then(|fault| fault.receipt.as_ref()));
    assert!(cut_receipt.is_none() || cut_receipt == receipt, "{cut_receipt:?} and {receipt:?}");
    let [bare, cut_bare] = [fault, cut_fault].map(|fault| {
        let mut fault = fault.clone()?;
        fault.receipt = None;
        Some(fault)
    });
    assert_eq!(bare, cut_bare);
}

/// The octets in pieces of the given lengths; the last piece takes the rest.
fn pieces(octets: &[u8], lengths: [u8; 4]) -> Vec<&[u8]> {
    let mut rest = octets;
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, after) = rest.split_at(usize::from(length).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// The frames that open a session are never escaped, and only they are sent before a version is agreed. A name is written
/// whole or not at all.
fn can_be_encoded(frame: &Frame, version: Option<Version>) -> bool {
    let can_carry_names = version == Some(Version::V1_2) || frame.headers.iter().all(|(name, _)| !name.contains('\r'));
    can_carry_names
        && match version {
            None => frame.command.opens_session() || frame.command == Command::Connected,
            Some(_) => frame.command != Command::Connected,
        }
}

/// What is left of a frame: where a CR is no part of a line end it can be read, but not written.
fn carried(frame: &Frame, version: Option<Version>) -> Frame {
    if version == Some(Version::V1_2) {
        return frame.clone();
    }
    let mut headers = Headers::default();
    for (name, value) in frame.headers.iter() {
        headers.push(name, &value.replace('\r', ""));
    }
    Frame { command: frame.command, headers, body: frame.body.clone() }
}
