//! Octets to frames, whatever the pieces they come in, in linear time and bounded memory.
//!
//! ```text
//!          EOL (skipped)         blank line            NUL
//! Command ---------------> Head -----------> Body -----------> Command
//!    \_______________________\_________________\____ fault ___> Ended
//! ```
//!
//! Every octet is looked at once: a line or body that is cut by the end of a piece is kept, and the search goes on where
//! it stopped. A frame that lies in one piece is not copied: its body shares the piece's memory. What is wrong is said
//! at the first octet that no good frame can have, so the fault does not depend on how the octets were cut.

use std::{collections::VecDeque, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2, memrchr};

use crate::{Command, Fault, Frame, Headers, Limits, Version, codec::escape::Escaping, command::LONGEST_COMMAND};

/// An incremental decoder. Feed it with [`push`](Self::push) and take frames with [`decode`](Self::decode) until there
/// is none.
///
/// Until [`set_version`](Self::set_version) lines may end in LF or CR LF, nothing is unescaped, and frames have the
/// smaller limit [`Limits::max_connect_bytes`].
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{Command, Decoder, Limits, Version};
///
/// let mut decoder = Decoder::new(Limits::default());
/// decoder.push(Bytes::from_static(b"SEND\ndestination:/to"));
/// assert_eq!(decoder.decode(), Ok(None));
/// decoder.push(Bytes::from_static(b"pic/a\n\nhello\0"));
/// let frame = decoder.decode().unwrap().unwrap();
/// assert_eq!(frame.headers.get("destination"), Some("/topic/a"));
/// assert_eq!(&frame.body[..], b"hello");
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Arc<Limits>,
    version: Option<Version>,
    /// The rest of the piece that is being looked at.
    input: Bytes,
    /// The pieces behind it, where there are any: most sessions are idle.
    #[expect(clippy::box_collection, reason = "most sessions have none, and then a pointer is all it costs")]
    waiting: Option<Box<VecDeque<Bytes>>>,
    /// The beginning of a line whose end has not come yet; never longer than the line may be.
    line: Vec<u8>,
    state: State,
    /// Heart-beats since [`take_beats`](Decoder::take_beats).
    beats: u64,
}

#[derive(Debug)]
enum State {
    /// Between frames, or in the command line.
    Command,
    Head(Box<Partial>),
    Body(Box<Partial>),
    /// After a fault, or told to stop.
    Ended,
}

/// A frame that is being read. It is apart: between frames a session has none.
#[derive(Debug)]
struct Partial {
    command: Command,
    headers: Headers,
    content_length: Option<usize>,
    /// Octets of the head's complete lines, line ends included.
    octets: usize,
    /// What came of the body in earlier pieces.
    collected: BytesMut,
}

/// Why a line cannot be read to its end.
#[derive(Clone, Copy, Debug)]
enum BadLine {
    Nul,
    TooLong,
}

impl Decoder {
    /// A decoder before the version is agreed. Those of many sessions may share their limits.
    #[must_use]
    pub fn new(limits: impl Into<Arc<Limits>>) -> Self {
        Self {
            limits: limits.into(),
            version: None,
            input: Bytes::new(),
            waiting: None,
            line: Vec::new(),
            state: State::Command,
            beats: 0,
        }
    }

    /// Goes on by the rules of an agreed version, and with the full limits, from the next frame on.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// Adds octets. They are not copied, and nothing bounds how many wait: take all frames before the next call.
    pub fn push(&mut self, octets: Bytes) {
        if octets.is_empty() || matches!(self.state, State::Ended) {
            return;
        }
        if self.input.is_empty() && self.waiting.is_none() {
            self.input = octets;
        } else {
            self.waiting.get_or_insert_default().push_back(octets);
        }
    }

    /// The next frame, or `None` until more octets are pushed.
    ///
    /// # Errors
    /// What is wrong with the octets. After an error nothing more is decoded.
    pub fn decode(&mut self) -> Result<Option<Frame>, Fault> {
        loop {
            match self.advance() {
                Ok(None) => match self.waiting.as_mut().and_then(|waiting| waiting.pop_front()) {
                    Some(piece) => self.input = piece,
                    None => {
                        // Even an empty piece holds the buffer that it was cut from.
                        self.input = Bytes::new();
                        self.waiting = None;
                        return Ok(None);
                    }
                },
                Ok(frame) => return Ok(frame),
                Err(fault) => {
                    let fault = self.with_receipt(fault);
                    self.end();
                    return Err(fault);
                }
            }
        }
    }

    /// Whether a frame has begun whose end has not come yet.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        !self.line.is_empty() || !matches!(self.state, State::Command | State::Ended)
    }

    /// How many heart-beats (EOLs between frames) were read since the last call.
    pub fn take_beats(&mut self) -> u64 {
        std::mem::take(&mut self.beats)
    }

    /// Stops for good and gives back what is held.
    pub(crate) fn end(&mut self) {
        self.state = State::Ended;
        self.input = Bytes::new();
        self.waiting = None;
        self.line = Vec::new();
    }

    /// Reads on until a frame is complete or the piece is used up.
    fn advance(&mut self) -> Result<Option<Frame>, Fault> {
        loop {
            let complete = match self.state {
                State::Ended => return Ok(None),
                State::Command => self.read_command()?,
                State::Head(_) => self.read_header()?,
                State::Body(_) => return self.read_body(),
            };
            if !complete {
                return Ok(None);
            }
        }
    }

    /// Reads the command line; `false` when it is not complete.
    fn read_command(&mut self) -> Result<bool, Fault> {
        if self.line.is_empty() {
            // Heart-beats first, without a look at anything else.
            let beats = self.input.iter().take_while(|octet| **octet == b'\n').count();
            self.input.advance(beats);
            self.beats += beats as u64;
        }
        let crlf = self.crlf();
        let end = match self.complete_line(LONGEST_COMMAND + "\r".len()) {
            Ok(Some(end)) => end,
            Ok(None) if may_become_command(&self.line, crlf) => return Ok(false),
            Ok(None) | Err(_) => return Err(unknown_command()),
        };
        let line = self.line_before(end);
        // A line end of CR LF between frames is a heart-beat in every version.
        let is_beat = line.is_empty() || line == b"\r";
        let octets = line.len() + 1;
        let command = Command::from_octets(if crlf { strip_cr(line) } else { line });
        self.leave_line(end);
        if is_beat {
            self.beats += 1;
            return Ok(true);
        }
        let command = command.ok_or_else(unknown_command)?;
        let (headers, collected) = (Headers::with_room(), BytesMut::new());
        self.state = State::Head(Box::new(Partial { command, headers, content_length: None, octets, collected }));
        Ok(true)
    }

    /// Reads one header line, or the blank line; `false` when it is not complete.
    fn read_header(&mut self) -> Result<bool, Fault> {
        let State::Head(head) = &self.state else { return Ok(true) };
        let max_head = match self.version {
            Some(_) => self.limits.max_head_bytes,
            None => self.limits.max_head_bytes.min(self.limits.max_connect_bytes),
        };
        let room = max_head.saturating_sub(head.octets);
        // A colon and a CR stand beside name and value.
        let longest = self.limits.max_header_bytes.saturating_add(":\r".len());
        let end = match self.complete_line(longest.min(room)) {
            Ok(Some(end)) if self.line_before(end).len() < room => end,
            Ok(None) => return Ok(false),
            Err(BadLine::Nul) => return Err(nul_in_head()),
            Err(BadLine::TooLong) if longest <= room => return Err(header_too_long(self.limits.max_header_bytes)),
            Ok(Some(end)) => {
                self.leave_line(end);
                return Err(head_too_large(max_head));
            }
            Err(BadLine::TooLong) => return Err(head_too_large(max_head)),
        };
        let added = self.add_line(end);
        self.leave_line(end);
        if added? {
            let State::Head(head) = std::mem::replace(&mut self.state, State::Command) else { return Ok(true) };
            self.state = State::Body(head);
        }
        Ok(true)
    }

    /// Adds the header of the line that ends there; whether it was the blank one behind the last.
    fn add_line(&mut self, end: usize) -> Result<bool, Fault> {
        let crlf = self.crlf();
        let Self { limits, version, input, line, state, .. } = self;
        let State::Head(head) = state else { return Ok(false) };
        let line = whole_line(line, input, end);
        head.octets += line.len() + 1;
        let line = if crlf { strip_cr(line) } else { line };
        if line.is_empty() {
            return Ok(true);
        }
        if head.headers.len() >= limits.max_headers {
            return Err(too_many_headers(limits.max_headers));
        }
        // The frames that open a session are never unescaped (CON-06).
        let escaping = match version {
            Some(version) if !head.command.opens_session() => Escaping::Of(*version),
            _ => Escaping::Never,
        };
        // Most headers have neither, and are looked through for both at once.
        let has_cr_or_escape = memchr2(b'\r', b'\\', line).is_some();
        let (name, value) = split_header(line, limits.max_header_bytes)?;
        if has_cr_or_escape && crlf && line.contains(&b'\r') {
            return Err(malformed_header("A bare CR may not stand in a header. Write it as \\r in STOMP 1.2."));
        }
        let escaping = if has_cr_or_escape { escaping } else { Escaping::Never };
        let name = escaping.decode(name).map_err(|_| undefined_escape())?;
        let value = escaping.decode(value).map_err(|_| undefined_escape())?;
        if name == "content-length" && head.content_length.is_none() {
            let length = content_length(&value)?;
            head.content_length = Some(match version {
                Some(_) if length > limits.max_body_bytes => return Err(body_too_large(limits.max_body_bytes)),
                None if length > limits.max_connect_bytes => return Err(frame_too_large(limits.max_connect_bytes)),
                _ => length,
            });
        }
        head.headers.push(&name, &value);
        Ok(false)
    }

    fn read_body(&mut self) -> Result<Option<Frame>, Fault> {
        let State::Body(body) = &mut self.state else { return Ok(None) };
        let limits = &self.limits;
        let max = match self.version {
            Some(_) => limits.max_body_bytes,
            None => limits.max_connect_bytes.saturating_sub(body.octets),
        };
        let missing = match body.content_length {
            Some(length) => Some(length - body.collected.len()),
            None => memchr(0, &self.input),
        };
        if body.collected.len() + missing.unwrap_or(self.input.len()) > max {
            return Err(match self.version {
                Some(_) => body_too_large(max),
                None => frame_too_large(limits.max_connect_bytes),
            });
        }
        let missing = match missing {
            Some(missing) if missing < self.input.len() => missing,
            // The NUL is still to come.
            _ => {
                body.collected.extend_from_slice(&self.input);
                self.input.clear();
                return Ok(None);
            }
        };
        let rest = self.input.split_to(missing);
        if self.input.get_u8() != 0 {
            return Err(no_nul_behind_body());
        }
        let State::Body(partial) = std::mem::replace(&mut self.state, State::Command) else { return Ok(None) };
        let Partial { command, headers, mut collected, .. } = *partial;
        let body = if collected.is_empty() {
            rest
        } else {
            collected.extend_from_slice(&rest);
            collected.freeze()
        };
        Ok(Some(Frame { command, headers, body }))
    }

    /// Where the LF of the next line stands in the piece, if the line has come whole. What has come of it is kept, where its LF is
    /// in another piece than its beginning. To be followed by [`leave_line`](Self::leave_line).
    fn complete_line(&mut self, longest: usize) -> Result<Option<usize>, BadLine> {
        let end = memchr2(b'\n', 0, &self.input);
        if self.line.len() + end.unwrap_or(self.input.len()) > longest {
            self.skip_line();
            return Err(BadLine::TooLong);
        }
        let Some(end) = end else {
            self.line.extend_from_slice(&self.input);
            self.input.clear();
            return Ok(None);
        };
        if self.input[end] == 0 {
            self.skip_line();
            return Err(BadLine::Nul);
        }
        if !self.line.is_empty() {
            self.line.extend_from_slice(&self.input[..end]);
        }
        Ok(Some(end))
    }

    /// The line whose end was found there.
    fn line_before(&self, end: usize) -> &[u8] {
        whole_line(&self.line, &self.input, end)
    }

    /// Goes on behind the line whose end was found there.
    fn leave_line(&mut self, end: usize) {
        self.line = Vec::new();
        self.input.advance(end + 1);
    }

    /// Leaves the bad line behind, as far as it has come: it is no line to find a receipt in.
    fn skip_line(&mut self) {
        self.line.clear();
        let end = memchr2(b'\n', 0, &self.input).unwrap_or(self.input.len());
        self.input.advance(end);
        if self.input.first() == Some(&b'\n') {
            self.input.advance(1);
        }
    }

    /// Whether lines may end in CR LF: in 1.2, and before a version is agreed.
    fn crlf(&self) -> bool {
        matches!(self.version, None | Some(Version::V1_2))
    }

    /// Adds the receipt that the bad frame asked for: one that was read, or one in the lines behind the bad one, as far
    /// as they have come already.
    fn with_receipt(&self, fault: Fault) -> Fault {
        let receipt = match &self.state {
            State::Head(partial) | State::Body(partial) if partial.command.opens_session() => None,
            State::Body(body) => body.headers.get("receipt").map(str::to_owned),
            State::Head(head) => head.headers.get("receipt").map(str::to_owned).or_else(|| self.receipt_ahead()),
            State::Command => self.receipt_ahead(),
            State::Ended => None,
        };
        match receipt {
            Some(receipt) => fault.with_receipt(receipt),
            None => fault,
        }
    }

    fn receipt_ahead(&self) -> Option<String> {
        // A line that has not come whole says nothing yet.
        let end = memchr(0, &self.input).or_else(|| memrchr(b'\n', &self.input))?;
        let lines = self.input[..end].split(|octet| *octet == b'\n').take_while(|line| !strip_cr(line).is_empty());
        let value = lines.take(self.limits.max_headers).find_map(|line| line.strip_prefix(b"receipt:"))?;
        let value = if self.crlf() { strip_cr(value) } else { value };
        if value.len() > self.limits.max_header_bytes {
            return None;
        }
        let escaping = self.version.map_or(Escaping::Never, Escaping::Of);
        Some(escaping.decode(std::str::from_utf8(value).ok()?).ok()?.into_owned())
    }
}

/// A line that has come whole: what stands before `end` in `input`, or all of `kept`, where its beginning came in an earlier
/// piece.
fn whole_line<'a>(kept: &'a [u8], input: &'a [u8], end: usize) -> &'a [u8] {
    if kept.is_empty() { &input[..end] } else { kept }
}

fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether the beginning of a line can still become a command or a heart-beat, so that garbage is not waited for.
fn may_become_command(beginning: &[u8], crlf: bool) -> bool {
    match beginning.strip_suffix(b"\r") {
        Some(before) => before.is_empty() || (crlf && Command::from_octets(before).is_some()),
        None => Command::ALL.iter().any(|command| command.as_str().as_bytes().starts_with(beginning)),
    }
}

/// Splits a header line at its first colon: further ones belong to the value (FRM-08).
fn split_header(line: &[u8], max_header_bytes: usize) -> Result<(&str, &str), Fault> {
    let line = std::str::from_utf8(line).map_err(|_| invalid_utf8())?;
    let colon = memchr(b':', line.as_bytes())
        .ok_or_else(|| malformed_header("A header is a name, a colon and a value; this line has no colon."))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() {
        return Err(malformed_header("A header's name may not be empty."));
    }
    if name.len() + value.len() > max_header_bytes {
        return Err(header_too_long(max_header_bytes));
    }
    Ok((name, value))
}

/// A plain decimal number; one that is too large to count is over every limit.
fn content_length(value: &str) -> Result<usize, Fault> {
    if value.is_empty() || !value.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Fault::new("bad-content-length", "content-length is not a plain decimal number")
            .with_detail("Write the number of octets of the body in digits, or leave content-length out."));
    }
    Ok(value.parse().unwrap_or(usize::MAX))
}

fn body_too_large(max: usize) -> Fault {
    Fault::too_large("body-too-large", "The body is too large").with_detail(format!("A body may have {max} octets."))
}

fn frame_too_large(max: usize) -> Fault {
    Fault::too_large("frame-too-large", "The first frame is too large")
        .with_detail(format!("Before CONNECT is accepted a frame may have {max} octets."))
}

fn head_too_large(max: usize) -> Fault {
    Fault::too_large("head-too-large", "The headers are too large")
        .with_detail(format!("Command and headers may have {max} octets in all."))
}

fn header_too_long(max: usize) -> Fault {
    Fault::too_large("header-too-long", "A header is too long")
        .with_detail(format!("Name and value of a header may have {max} octets together."))
}

fn too_many_headers(max: usize) -> Fault {
    Fault::too_large("too-many-headers", "The frame has too many headers")
        .with_detail(format!("A frame may have {max} headers."))
}

fn malformed_header(detail: &'static str) -> Fault {
    Fault::new("malformed-header", "A header line is malformed").with_detail(detail)
}

fn invalid_utf8() -> Fault {
    Fault::new("invalid-utf8", "A header is not UTF-8").with_detail("Encode names and values as UTF-8.")
}

fn undefined_escape() -> Fault {
    Fault::new("undefined-escape", "A header has an undefined escape")
        .with_detail("Write \\n, \\c, \\\\ and, from STOMP 1.2 on, \\r for LF, colon, backslash and CR.")
}

fn nul_in_head() -> Fault {
    Fault::new("malformed-frame", "A NUL stands in the headers")
        .with_detail("A blank line ends the headers, and a NUL stands only behind the body.")
}

fn no_nul_behind_body() -> Fault {
    Fault::new("malformed-frame", "No NUL follows the body")
        .with_detail("content-length is the exact number of octets of the body, and a NUL follows it.")
}

fn unknown_command() -> Fault {
    Fault::new("unknown-command", "The command is not known").with_detail(
        "Commands are upper case, on a line of their own: CONNECT, SEND, SUBSCRIBE, UNSUBSCRIBE, ACK, NACK, BEGIN, \
         COMMIT, ABORT, DISCONNECT.",
    )
}
