//! Octets to frames, whatever the pieces they come in, in linear time and bounded memory.
//!
//! ```text
//!          EOL (skipped)         blank line            NUL
//! Command ---------------> Head -----------> Body -----------> Command
//!    \_______________________\_________________\____ fault ___> Failed
//! ```
//!
//! Every octet is looked at once: a line or body that is cut by the end of a piece is kept, and the search goes on where
//! it stopped. A frame that lies in one piece is not copied: its body shares the piece's memory.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use crate::{Command, Fault, Frame, Headers, Limits, Version, codec::escape::Escaping, command::LONGEST_COMMAND};

/// An incremental decoder. Feed it with [`push`](Self::push) and take frames with [`decode`](Self::decode) until there
/// is none.
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
    limits: Limits,
    /// The agreed version; before, both line ends are accepted and nothing is unescaped.
    version: Option<Version>,
    /// What was pushed and not looked at yet.
    input: Bytes,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between frames, or in the command line.
    Command,
    Head(Head),
    Body(Body),
    Failed,
}

/// A frame whose headers are being read.
#[derive(Debug)]
struct Head {
    command: Command,
    headers: Headers,
    content_length: Option<usize>,
    /// Octets of the head's lines so far.
    octets: usize,
}

/// A frame whose body is being read.
#[derive(Debug)]
struct Body {
    head: Head,
    collected: BytesMut,
}

impl Decoder {
    /// A decoder before the version is agreed.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, version: None, input: Bytes::new(), line: Vec::new(), state: State::Command }
    }

    /// Goes on by the rules of an agreed version, and with the full limits.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// Adds octets. Take all frames before the next call: octets that wait are copied.
    pub fn push(&mut self, octets: Bytes) {
        if matches!(self.state, State::Failed) {
            return;
        }
        if self.input.is_empty() {
            self.input = octets;
        } else {
            let mut joined = BytesMut::with_capacity(self.input.len() + octets.len());
            joined.extend_from_slice(&self.input);
            joined.extend_from_slice(&octets);
            self.input = joined.freeze();
        }
    }

    /// The next frame, or `None` until more octets are pushed.
    ///
    /// # Errors
    /// What is wrong with the octets. After an error nothing more is decoded.
    pub fn decode(&mut self) -> Result<Option<Frame>, Fault> {
        let result = self.advance();
        if let Err(fault) = result {
            let fault = self.with_receipt(fault);
            self.state = State::Failed;
            self.input = Bytes::new();
            self.line = Vec::new();
            return Err(fault);
        }
        result
    }

    /// Whether a frame has begun whose end has not come yet.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        !self.line.is_empty() || !matches!(self.state, State::Command | State::Failed)
    }

    fn advance(&mut self) -> Result<Option<Frame>, Fault> {
        loop {
            match &mut self.state {
                State::Failed => return Ok(None),
                State::Command => {
                    if !self.read_command()? {
                        return Ok(None);
                    }
                }
                State::Head(_) => {
                    if !self.read_header()? {
                        return Ok(None);
                    }
                }
                State::Body(_) => return self.read_body(),
            }
        }
    }

    /// Reads the command line; `false` when it is not complete.
    fn read_command(&mut self) -> Result<bool, Fault> {
        // Heart-beats first, without a look at anything else.
        if self.line.is_empty() {
            let beats = self.input.iter().take_while(|octet| **octet == b'\n').count();
            self.input.advance(beats);
        }
        let Some(line) = self.next_line(LONGEST_COMMAND + 1) else {
            if self.line.len() > LONGEST_COMMAND + 1 {
                return Err(unknown_command());
            }
            return Ok(false);
        };
        let octets = line.len() + 1;
        // A line end of CR LF between frames is a heart-beat in every version.
        if line.is_empty() || line == b"\r"[..] {
            return Ok(true);
        }
        let line = if self.crlf() { strip_cr(&line) } else { &line[..] };
        let command = Command::from_octets(line).ok_or_else(unknown_command)?;
        self.state = State::Head(Head { command, headers: Headers::default(), content_length: None, octets });
        Ok(true)
    }

    /// Reads one header line, or the blank line; `false` when it is not complete.
    fn read_header(&mut self) -> Result<bool, Fault> {
        let (limits, version, crlf) = (self.limits.clone(), self.version, self.crlf());
        // A colon and a CR stand beside name and value.
        let longest = limits.max_header_bytes.saturating_add(2);
        let line = self.next_line(longest);
        let State::Head(head) = &mut self.state else { return Ok(true) };
        let (seen, complete) = match &line {
            Some(line) => (line.len() + 1, true),
            None => (self.line.len(), false),
        };
        let max_head = match version {
            Some(_) => limits.max_head_bytes,
            None => limits.max_head_bytes.min(limits.max_connect_bytes),
        };
        if head.octets.saturating_add(seen) > max_head {
            return Err(Fault::too_large("head-too-large", "The headers are too large")
                .with_detail(format!("Command and headers may take {max_head} octets in all.")));
        }
        if seen.saturating_sub(usize::from(complete)) > longest {
            return Err(header_too_long(limits.max_header_bytes));
        }
        let Some(line) = line else { return Ok(false) };
        head.octets += seen;
        let line = if crlf { strip_cr(&line) } else { &line[..] };
        if line.is_empty() {
            let State::Head(head) = std::mem::replace(&mut self.state, State::Command) else { return Ok(true) };
            self.state = State::Body(Body { head, collected: BytesMut::new() });
            return Ok(true);
        }
        if head.headers.len() >= limits.max_headers {
            return Err(Fault::too_large("too-many-headers", "The frame has too many headers")
                .with_detail(format!("A frame may have {} headers.", limits.max_headers)));
        }
        let escaping = match version {
            Some(version) if !head.command.opens_session() => Escaping::Of(version),
            _ => Escaping::Never,
        };
        let (name, value) = split_header(line, limits.max_header_bytes, crlf)?;
        let undefined = |_| {
            Fault::new("undefined-escape", "A header has an undefined escape")
                .with_detail("Write \\n, \\c, \\\\ and, from STOMP 1.2 on, \\r for LF, colon, backslash and CR.")
        };
        let (name, value) = (escaping.decode(name).map_err(undefined)?, escaping.decode(value).map_err(undefined)?);
        if name == "content-length" && head.content_length.is_none() {
            let max_body = match version {
                Some(_) => limits.max_body_bytes,
                None => limits.max_connect_bytes,
            };
            head.content_length = Some(content_length(&value, max_body)?);
        }
        head.headers.push(&name, &value);
        Ok(true)
    }

    fn read_body(&mut self) -> Result<Option<Frame>, Fault> {
        let State::Body(body) = &mut self.state else { return Ok(None) };
        let max = match self.version {
            Some(_) => self.limits.max_body_bytes,
            None => self.limits.max_connect_bytes.saturating_sub(body.head.octets),
        };
        let too_large = || match self.version {
            Some(_) => body_too_large(max),
            None => Fault::too_large("frame-too-large", "The first frame is too large").with_detail(format!(
                "Before CONNECT is accepted a frame may take {} octets.",
                self.limits.max_connect_bytes
            )),
        };
        let missing = match body.head.content_length {
            Some(length) => length - body.collected.len(),
            None => match memchr(0, &self.input) {
                Some(end) => end,
                None if body.collected.len() + self.input.len() > max => return Err(too_large()),
                None => {
                    body.collected.extend_from_slice(&self.input);
                    self.input.clear();
                    return Ok(None);
                }
            },
        };
        if body.collected.len() + missing > max {
            return Err(too_large());
        }
        if self.input.len() <= missing {
            // The NUL is still to come.
            body.collected.extend_from_slice(&self.input);
            self.input.clear();
            return Ok(None);
        }
        let rest = self.input.split_to(missing);
        if self.input[0] != 0 {
            return Err(Fault::new("malformed-frame", "No NUL follows the body")
                .with_detail("content-length must be the exact number of octets of the body, and a NUL follows it."));
        }
        self.input.advance(1);
        let State::Body(Body { head, mut collected }) = std::mem::replace(&mut self.state, State::Command) else {
            return Ok(None);
        };
        let body = if collected.is_empty() {
            rest
        } else {
            collected.extend_from_slice(&rest);
            collected.freeze()
        };
        Ok(Some(Frame { command: head.command, headers: head.headers, body }))
    }

    /// The next line without its LF. An incomplete one is kept, but not much longer than `longest`.
    fn next_line(&mut self, longest: usize) -> Option<Bytes> {
        match memchr(b'\n', &self.input) {
            Some(end) => {
                let line = self.input.split_to(end);
                self.input.advance(1);
                if self.line.is_empty() {
                    return Some(line);
                }
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(&line);
                Some(whole.into())
            }
            None => {
                // One octet more than is allowed proves that the line is too long.
                let kept = longest.saturating_add(1).saturating_sub(self.line.len()).min(self.input.len());
                self.line.extend_from_slice(&self.input[..kept]);
                self.input.clear();
                None
            }
        }
    }

    /// Whether lines may end in CR LF: in 1.2, and before a version is agreed.
    fn crlf(&self) -> bool {
        matches!(self.version, None | Some(Version::V1_2))
    }

    /// Adds the receipt that the bad frame asked for, as far as it was read.
    fn with_receipt(&self, fault: Fault) -> Fault {
        let (State::Head(head) | State::Body(Body { head, .. })) = &self.state else { return fault };
        if head.command.opens_session() {
            return fault;
        }
        let escaping = self.version.map_or(Escaping::Never, Escaping::Of);
        let known = head.headers.get("receipt").map(str::to_owned);
        let receipt = known.or_else(|| match self.state {
            State::Head(_) => self.receipt_ahead(escaping),
            _ => None,
        });
        match receipt {
            Some(receipt) => fault.with_receipt(receipt),
            None => fault,
        }
    }

    /// Looks for a receipt in the header lines behind the bad one that have arrived already.
    fn receipt_ahead(&self, escaping: Escaping) -> Option<String> {
        let lines = self.input.split(|octet| *octet == b'\n').take_while(|line| !strip_cr(line).is_empty());
        let value = lines.take(self.limits.max_headers).find_map(|line| line.strip_prefix(b"receipt:"))?;
        let value = if self.crlf() { strip_cr(value) } else { value };
        if value.len() > self.limits.max_header_bytes {
            return None;
        }
        Some(escaping.decode(std::str::from_utf8(value).ok()?).ok()?.into_owned())
    }
}

fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Splits a header line at its first colon.
fn split_header(line: &[u8], max_header_bytes: usize, crlf: bool) -> Result<(&str, &str), Fault> {
    if line.contains(&0) {
        return Err(Fault::new("malformed-frame", "A NUL stands in the headers").with_detail(
            "A blank line stands between the headers and the body, and only the body is followed by a NUL.",
        ));
    }
    let malformed = |detail| Fault::new("malformed-header", "A header line is malformed").with_detail(detail);
    let line = std::str::from_utf8(line)
        .map_err(|_| Fault::new("invalid-utf8", "A header is not UTF-8").with_detail("Encode headers as UTF-8."))?;
    if crlf && line.contains('\r') {
        return Err(malformed("A bare CR may not stand in a header. Write it as \\r in STOMP 1.2."));
    }
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| malformed("A header is a name, a colon and a value; this line has no colon."))?;
    if name.is_empty() {
        return Err(malformed("A header's name may not be empty."));
    }
    if name.len() + value.len() > max_header_bytes {
        return Err(header_too_long(max_header_bytes));
    }
    Ok((name, value))
}

/// A plain decimal number within the limit; judged before any of the octets is stored.
fn content_length(value: &str, max: usize) -> Result<usize, Fault> {
    if value.is_empty() || !value.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Fault::new("bad-content-length", "content-length is not a plain decimal number")
            .with_detail("Write the number of octets of the body in digits, or leave content-length out."));
    }
    match value.parse() {
        Ok(length) if length <= max => Ok(length),
        _ => Err(body_too_large(max)),
    }
}

fn body_too_large(max: usize) -> Fault {
    Fault::too_large("body-too-large", "The body is too large").with_detail(format!("A body may have {max} octets."))
}

fn header_too_long(max: usize) -> Fault {
    Fault::too_large("header-too-long", "A header is too long")
        .with_detail(format!("Name and value of a header may take {max} octets together."))
}

fn unknown_command() -> Fault {
    Fault::new("unknown-command", "The command is not known").with_detail(
        "Commands are upper case: CONNECT, SEND, SUBSCRIBE, UNSUBSCRIBE, ACK, NACK, BEGIN, COMMIT, ABORT, DISCONNECT.",
    )
}
