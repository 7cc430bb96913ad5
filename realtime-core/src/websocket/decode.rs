//! Client frames, from octets in any pieces (RFC 6455 section 5).
//!
//! ```text
//! header (2..14 octets) -> payload, unmasked and handed on as it comes -> header ...
//! ```
//!
//! Nothing is stored but a header or a control frame that is not complete, so memory is bounded by what was read.

use bytes::{Buf, Bytes, BytesMut};

use crate::websocket::{WebSocketLimits, encode::is_sendable, utf8::Utf8Stream};

/// The longest payload of a control frame (section 5.5).
const LONGEST_CONTROL: usize = 125;

/// What a client sent.
///
/// ```
/// use bytes::BytesMut;
/// use parlor_core::websocket::{Opcode, WebSocketDecoder, WebSocketEvent, WebSocketLimits, encode_frame};
///
/// let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
/// let mut input = BytesMut::from(&b"\x89\x82\0\0\0\0hi"[..]);
/// while let Some(event) = decoder.decode(&mut input)? {
///     let WebSocketEvent::Ping(payload) = event else { panic!("it was a ping") };
///     assert_eq!(&encode_frame(Opcode::Pong, &payload)[..], b"\x8a\x02hi");
/// }
/// # Ok::<(), parlor_core::websocket::WebSocketError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketEvent {
    /// The client closes. The last event.
    Close(Option<CloseFrame>),
    /// A piece of a message, as much of it as has arrived.
    Data {
        /// The octets, unmasked. Empty only where a frame is.
        payload: Bytes,
        /// Whether the message is text. Pieces of a text may be cut inside a character.
        is_text: bool,
        /// Whether the message ends with this piece.
        end_of_message: bool,
    },
    /// A ping, to be answered with a pong of the same payload.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
}

/// Why a client closes.
///
/// ```
/// use bytes::BytesMut;
/// use parlor_core::websocket::{WebSocketDecoder, WebSocketEvent, WebSocketLimits};
///
/// // A close frame of a client: masked, here with a mask of zeros, status 1001 and a reason.
/// let mut input = BytesMut::from(&b"\x88\x85\0\0\0\0\x03\xe9bye"[..]);
/// let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
/// let Ok(Some(WebSocketEvent::Close(Some(close)))) = decoder.decode(&mut input) else { panic!("it closes") };
/// assert_eq!((close.code, close.reason.as_str()), (1001, "bye"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseFrame {
    /// The status.
    pub code: u16,
    /// The reason.
    pub reason: String,
}

/// What is wrong with a client's octets.
///
/// ```
/// use bytes::BytesMut;
/// use parlor_core::websocket::{WebSocketDecoder, WebSocketError, WebSocketLimits};
///
/// let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
/// // Only servers send frames without a mask.
/// let error = decoder.decode(&mut BytesMut::from(&b"\x81\x02hi"[..])).unwrap_err();
/// assert_eq!((error.clone(), error.close_code()), (WebSocketError::NotMasked, 1002));
/// assert_eq!(error.to_string(), "client frames must be masked");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The close frame is malformed.
    #[error("malformed close frame")]
    Close,
    /// A new message began inside a fragmented one, or a continuation outside of any.
    #[error("fragments out of order")]
    Continuation,
    /// A control frame is fragmented or has more than 125 octets.
    #[error("malformed control frame")]
    Control,
    /// The length is not written in the shortest form, or is above 63 bits.
    #[error("malformed length")]
    Length,
    /// The frame is not masked.
    #[error("client frames must be masked")]
    NotMasked,
    /// A text is not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// A reserved opcode.
    #[error("reserved opcode")]
    Opcode,
    /// A reserved bit is set, although no extension was agreed.
    #[error("reserved bits are set")]
    ReservedBits,
    /// The message is larger than the limit.
    #[error("message too large")]
    TooLarge,
    /// The message has more empty fragments than the limit.
    #[error("too many empty fragments")]
    TooManyFragments,
}

impl WebSocketError {
    /// The status to close with (section 7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::TooManyFragments => 1008,
            Self::TooLarge => 1009,
            _ => 1002,
        }
    }
}

/// An incremental decoder of client frames.
///
/// ```
/// use bytes::BytesMut;
/// use parlor_core::websocket::{WebSocketDecoder, WebSocketEvent, WebSocketLimits};
///
/// let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
/// let (mut input, mut text) = (BytesMut::new(), Vec::new());
/// // Octets may come in any pieces; these are masked with 1, 2, 3, 4.
/// for piece in [&b"\x81\x85\x01\x02"[..], b"\x03\x04igo", b"hn"] {
///     input.extend_from_slice(piece);
///     while let Some(event) = decoder.decode(&mut input)? {
///         let WebSocketEvent::Data { payload, is_text, .. } = event else { panic!("a text was sent") };
///         assert!(is_text);
///         text.extend_from_slice(&payload);
///     }
/// }
/// assert_eq!(text, b"hello");
/// # Ok::<(), parlor_core::websocket::WebSocketError>(())
/// ```
#[derive(Debug)]
pub struct WebSocketDecoder {
    limits: WebSocketLimits,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// The message that is not complete.
    message: Option<Message>,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: Kind,
    is_final: bool,
    mask: [u8; 4],
    /// Payload octets that are still to come.
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Close,
    Data,
    Ping,
    Pong,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    is_text: bool,
    /// Announced by the headers so far.
    octets: usize,
    empty_fragments: u32,
    utf8: Utf8Stream,
}

impl WebSocketDecoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new(limits: WebSocketLimits) -> Self {
        Self { limits, frame: None, message: None, ended: false }
    }

    /// The next event among the octets of `input`, which it takes out; `None` until more are read. Where they are all that is in
    /// there, the memory goes with them.
    ///
    /// # Errors
    /// What is wrong with them. After an error or a close nothing more is decoded.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<WebSocketEvent>, WebSocketError> {
        if self.ended {
            return Ok(None);
        }
        let result = self.advance(input);
        self.ended = matches!(result, Err(_) | Ok(Some(WebSocketEvent::Close(_))));
        result
    }

    /// Whether a message has begun whose end has not come yet: from the last octet of its first header on.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.message.is_some()
    }

    /// Whether the payload of a frame, of whatever kind, has not come whole.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.frame.is_some()
    }

    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<WebSocketEvent>, WebSocketError> {
        let frame = match self.frame {
            Some(frame) => frame,
            None => {
                let Some(frame) = self.read_header(input)? else { return Ok(None) };
                self.frame = Some(frame);
                frame
            }
        };
        if frame.kind == Kind::Data { self.read_data(frame, input) } else { self.read_control(frame, input) }
    }

    fn read_header(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, WebSocketError> {
        let &[first, second, ..] = &input[..] else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(WebSocketError::ReservedBits);
        }
        let is_final = first & 0x80 != 0;
        let opcode = first & 0x0F;
        if !matches!(opcode, 0x0..=0x2 | 0x8..=0xA) {
            return Err(WebSocketError::Opcode);
        }
        if second & 0x80 == 0 {
            return Err(WebSocketError::NotMasked);
        }
        let short = usize::from(second & 0x7F);
        if opcode >= 0x8 && (!is_final || short > LONGEST_CONTROL) {
            return Err(WebSocketError::Control);
        }
        let Some((length, start)) = read_length(short, input)? else { return Ok(None) };
        // Judged before the mask is there, counted when it is: a header in two pieces is seen twice.
        let message = if opcode < 0x8 { Some(self.with_fragment(opcode, length)?) } else { self.message };
        let Some(mask) = input.get(start..start + 4).and_then(|mask| mask.try_into().ok()) else { return Ok(None) };
        input.advance(start + 4);
        self.message = message;
        let kind = match opcode {
            0x8 => Kind::Close,
            0x9 => Kind::Ping,
            0xA => Kind::Pong,
            _ => Kind::Data,
        };
        Ok(Some(Frame { kind, is_final, mask, left: length }))
    }

    /// The message as a fragment of `length` octets makes it, where order and limits allow that.
    fn with_fragment(&self, opcode: u8, length: usize) -> Result<Message, WebSocketError> {
        let mut message = match (opcode, self.message) {
            (0x0, Some(message)) => message,
            (0x1 | 0x2, None) => {
                Message { is_text: opcode == 0x1, octets: 0, empty_fragments: 0, utf8: Utf8Stream::default() }
            }
            _ => return Err(WebSocketError::Continuation),
        };
        message.octets = message.octets.saturating_add(length);
        message.empty_fragments = message.empty_fragments.saturating_add(u32::from(length == 0));
        if message.octets > self.limits.max_message_bytes {
            return Err(WebSocketError::TooLarge);
        }
        if message.empty_fragments as usize > self.limits.max_empty_fragments {
            return Err(WebSocketError::TooManyFragments);
        }
        Ok(message)
    }

    fn read_data(&mut self, mut frame: Frame, input: &mut BytesMut) -> Result<Option<WebSocketEvent>, WebSocketError> {
        let count = frame.left.min(input.len());
        if count == 0 && frame.left > 0 {
            return Ok(None);
        }
        // Nearly always it is all that was read, and nobody else has a part of it.
        let mut payload = if count > 0 && count == input.len() { std::mem::take(input) } else { input.split_to(count) };
        unmask(&mut payload, frame.mask);
        frame.mask.rotate_left(count % 4);
        frame.left -= count;
        let end_of_frame = frame.left == 0;
        let end_of_message = end_of_frame && frame.is_final;
        self.frame = (!end_of_frame).then_some(frame);
        let Some(message) = &mut self.message else { return Err(WebSocketError::Continuation) };
        let is_text = message.is_text;
        if is_text {
            message.utf8.push(&payload).map_err(|_| WebSocketError::NotUtf8)?;
            if end_of_message && !message.utf8.is_complete() {
                return Err(WebSocketError::NotUtf8);
            }
        }
        if end_of_message {
            self.message = None;
        }
        Ok(Some(WebSocketEvent::Data { payload: payload.freeze(), is_text, end_of_message }))
    }

    fn read_control(&mut self, frame: Frame, input: &mut BytesMut) -> Result<Option<WebSocketEvent>, WebSocketError> {
        if input.len() < frame.left {
            return Ok(None);
        }
        let mut payload = input.split_to(frame.left);
        unmask(&mut payload, frame.mask);
        self.frame = None;
        let payload = payload.freeze();
        Ok(Some(match frame.kind {
            Kind::Ping => WebSocketEvent::Ping(payload),
            Kind::Pong => WebSocketEvent::Pong(payload),
            Kind::Close | Kind::Data => WebSocketEvent::Close(close_frame(&payload)?),
        }))
    }
}

/// The payload's length and where the mask begins; `None` until the header is longer.
fn read_length(short: usize, input: &BytesMut) -> Result<Option<(usize, usize)>, WebSocketError> {
    let (length, start) = match short {
        126 => {
            let Some(octets) = input.get(2..4).and_then(|octets| octets.try_into().ok()) else { return Ok(None) };
            (u64::from(u16::from_be_bytes(octets)), 4)
        }
        127 => {
            let Some(octets) = input.get(2..10).and_then(|octets| octets.try_into().ok()) else { return Ok(None) };
            (u64::from_be_bytes(octets), 10)
        }
        short => return Ok(Some((short, 2))),
    };
    let shortest = if start == 4 { length > 125 } else { length > 65_535 };
    if !shortest || length > i64::MAX as u64 {
        return Err(WebSocketError::Length);
    }
    // What does not fit is larger than any limit.
    Ok(Some((usize::try_from(length).unwrap_or(usize::MAX), start)))
}

fn close_frame(payload: &[u8]) -> Result<Option<CloseFrame>, WebSocketError> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !is_sendable(code) {
                return Err(WebSocketError::Close);
            }
            let reason = std::str::from_utf8(reason).map_err(|_| WebSocketError::NotUtf8)?;
            Ok(Some(CloseFrame { code, reason: reason.to_owned() }))
        }
        [_] => Err(WebSocketError::Close),
    }
}

/// XORs the payload with the mask, eight octets at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (octet, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *octet ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 250];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut octets = vec![first];
        match payload.len() {
            length @ 0..126 => octets.push(0x80 | length as u8),
            length @ 126..65_536 => {
                octets.push(0x80 | 126);
                octets.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                octets.push(0x80 | 127);
                octets.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        octets.extend_from_slice(&MASK);
        octets.extend(payload.iter().zip(MASK.iter().cycle()).map(|(octet, mask)| octet ^ mask));
        octets
    }

    /// Decodes pieces of octets to the end; adjacent pieces of a message are joined.
    fn decode(pieces: &[&[u8]], limits: WebSocketLimits) -> (Vec<WebSocketEvent>, Option<WebSocketError>) {
        let mut decoder = WebSocketDecoder::new(limits);
        let (mut input, mut events) = (BytesMut::new(), Vec::<WebSocketEvent>::new());
        for piece in pieces {
            input.extend_from_slice(piece);
            loop {
                match decoder.decode(&mut input) {
                    Ok(Some(event)) => push(&mut events, event),
                    Ok(None) => break,
                    Err(error) => return (events, Some(error)),
                }
            }
        }
        (events, None)
    }

    fn push(events: &mut Vec<WebSocketEvent>, event: WebSocketEvent) {
        if let (
            Some(WebSocketEvent::Data { payload, end_of_message: end @ false, .. }),
            WebSocketEvent::Data { payload: more, end_of_message, .. },
        ) = (events.last_mut(), &event)
        {
            *payload = [&payload[..], &more[..]].concat().into();
            *end = *end_of_message;
        } else {
            events.push(event);
        }
    }

    fn error(octets: &[u8]) -> WebSocketError {
        decode(&[octets], WebSocketLimits::default()).1.expect("an error")
    }

    fn message(payload: &[u8], is_text: bool) -> WebSocketEvent {
        WebSocketEvent::Data { payload: Bytes::copy_from_slice(payload), is_text, end_of_message: true }
    }

    #[test]
    fn rfc_6455_section_5_malformed_frames_are_refused_with_their_status() {
        use WebSocketError::*;
        let mut unmasked = frame(0x81, b"x");
        unmasked[1] &= 0x7F;
        let long_ping = frame(0x89, &[0; 126]);
        for (octets, expected, status) in [
            (unmasked, NotMasked, 1002),
            (frame(0xC1, b"x"), ReservedBits, 1002),
            (frame(0x83, b"x"), Opcode, 1002),
            (frame(0x8B, b"x"), Opcode, 1002),
            (frame(0x09, b"x"), Control, 1002),
            (long_ping, Control, 1002),
            (frame(0x80, b"x"), Continuation, 1002),
            ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), Continuation, 1002),
            (vec![0x81, 0xFE, 0, 125, 0, 0, 0, 0], Length, 1002),
            (vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0], Length, 1002),
            (vec![0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], Length, 1002),
            (frame(0x88, b"x"), Close, 1002),
            (frame(0x88, &1005_u16.to_be_bytes()), Close, 1002),
            (frame(0x88, &[3, 232, 0xFF]), NotUtf8, 1007),
            (frame(0x81, &[0xFF]), NotUtf8, 1007),
            (frame(0x81, &[0xC3]), NotUtf8, 1007),
            (frame(0x01, &[0xED, 0xA0]), NotUtf8, 1007),
        ] {
            let found = error(&octets);
            assert_eq!((found.close_code(), &found), (status, &expected), "{octets:x?}");
        }
    }

    #[test]
    fn fragments_and_control_frames_between_them_are_joined() {
        let octets = [frame(0x01, b"he"), frame(0x89, b"ping"), frame(0x00, b""), frame(0x80, b"llo")].concat();
        let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
        let mut input = BytesMut::from(&octets[..]);
        let (mut text, mut pings) = (Vec::new(), 0);
        while let Some(event) = decoder.decode(&mut input).unwrap() {
            match event {
                WebSocketEvent::Data { payload, .. } => text.extend_from_slice(&payload),
                WebSocketEvent::Ping(payload) => pings += usize::from(payload == "ping"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((&text[..], pings, decoder.is_mid_message()), (&b"hello"[..], 1, false));
    }

    #[test]
    fn a_message_is_bounded_at_the_limit_and_judged_by_its_header() {
        let limits = WebSocketLimits::default().max_message_bytes(10);
        assert_eq!(decode(&[&frame(0x82, &[0; 10])], limits.clone()).1, None);
        let announced = &frame(0x82, &[0; 11])[..2];
        assert_eq!(decode(&[announced], limits.clone()).1, Some(WebSocketError::TooLarge));
        let fragments = [frame(0x02, &[0; 6]), frame(0x80, &[0; 5])].concat();
        assert_eq!(decode(&[&fragments], limits).1, Some(WebSocketError::TooLarge));
    }

    #[test]
    fn empty_fragments_are_bounded_at_the_limit_and_others_by_their_octets() {
        let limits = WebSocketLimits::default().max_empty_fragments(3);
        let within = [frame(0x02, b""), frame(0x00, b""), frame(0x80, b"")].concat();
        assert_eq!(decode(&[&within], limits.clone()).1, None);
        let beyond = [frame(0x02, b""), frame(0x00, b""), frame(0x00, b""), frame(0x00, b"")].concat();
        assert_eq!(decode(&[&beyond], limits.clone()).1, Some(WebSocketError::TooManyFragments));
        let cut: Vec<u8> = (0..10_000).flat_map(|place| frame(if place == 0 { 0x02 } else { 0x00 }, b"x")).collect();
        assert_eq!(decode(&[&cut], limits).1, None);
    }

    #[test]
    fn lengths_at_the_borders_of_their_forms_are_read() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let (events, error) = decode(&[&frame(0x82, &payload)], WebSocketLimits::default());
            assert_eq!((events, error), (vec![message(&payload, false)], None), "{length}");
        }
    }

    #[test]
    fn nothing_is_decoded_after_a_close() {
        let octets = [frame(0x88, &1000_u16.to_be_bytes()), frame(0x81, b"late")].concat();
        let (events, _) = decode(&[&octets], WebSocketLimits::default());
        assert_eq!(events, [WebSocketEvent::Close(Some(CloseFrame { code: 1000, reason: String::new() }))]);
    }

    #[test]
    fn a_close_without_a_status_is_fine() {
        assert_eq!(decode(&[&frame(0x88, b"")], WebSocketLimits::default()).0, [WebSocketEvent::Close(None)]);
    }

    #[test]
    fn a_close_with_a_status_of_the_registry_is_fine() {
        for code in [1000, 1003, 1007, 1012, 1013, 1014, 3000, 4999_u16] {
            let (events, _) = decode(&[&frame(0x88, &code.to_be_bytes())], WebSocketLimits::default());
            assert_eq!(events, [WebSocketEvent::Close(Some(CloseFrame { code, reason: String::new() }))]);
        }
    }

    proptest! {
        #[test]
        fn any_cut_of_the_octets_gives_the_same_messages(
            payloads in vec((any::<bool>(), "\\PC{0,200}"), 1..6),
            cuts in vec(0..2000_usize, 0..40),
        ) {
            let octets: Vec<u8> = payloads
                .iter()
                .flat_map(|(is_text, text)| frame(if *is_text { 0x81 } else { 0x82 }, text.as_bytes()))
                .collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (octets.len() + 1)).collect();
            cuts.extend([0, octets.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &octets[pair[0]..pair[1]]).collect();
            let expected: Vec<_> = payloads.iter().map(|(is_text, text)| message(text.as_bytes(), *is_text)).collect();
            prop_assert_eq!(decode(&pieces, WebSocketLimits::default()), (expected, None));
        }

        #[test]
        fn arbitrary_octets_never_panic(octets: Vec<u8>, cut: usize) {
            let cut = cut % (octets.len() + 1);
            decode(&[&octets[..cut], &octets[cut..]], WebSocketLimits::default());
        }
    }
}
