//! A client that can be wrong on purpose, and that takes no wrong from the server.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use tungstenite::{
    Error, Message, WebSocket,
    client::IntoClientRequest,
    handshake::client::Response,
    protocol::frame::{
        Frame as WebSocketFrame,
        coding::{Data, OpCode},
    },
};

use crate::support::Server;

/// Every version of the protocol.
pub(crate) const VERSIONS: [&str; 3] = ["1.0", "1.1", "1.2"];

/// The versions that escape headers, name subscriptions and beat.
pub(crate) const SINCE_1_1: [&str; 2] = ["1.1", "1.2"];

/// A test that waits longer for one answer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One frame of the server, its headers decoded by the session's version.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) command: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether it came in a text message.
    pub(crate) is_text: bool,
}

/// What the server sent.
#[derive(Debug)]
pub(crate) enum Received {
    Beat,
    /// The connection is closed, with this status.
    Closed(u16),
    Frame(Frame),
    Ping,
    Pong(Vec<u8>),
}

/// One connection.
pub(crate) struct Client {
    socket: WebSocket<TcpStream>,
    version: &'static str,
    failed: bool,
}

impl Frame {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

impl Client {
    /// A WebSocket on which nothing was said yet.
    pub(crate) fn open(broker: &Server) -> Self {
        Self::handshake(broker, &[]).expect("the handshake is accepted").0
    }

    /// Tries a handshake with more headers; `Err` has the status of a refusal.
    pub(crate) fn handshake(broker: &Server, headers: &[(&'static str, &str)]) -> Result<(Self, Response), u16> {
        let stream = TcpStream::connect(broker.addr).expect("the server accepts");
        stream.set_nodelay(true).expect("an option of every socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let mut request = format!("ws://{}/ws", broker.addr).into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header"));
        }
        match tungstenite::client(request, stream) {
            Ok((socket, response)) => Ok((Self { socket, version: "1.2", failed: false }, response)),
            Err(tungstenite::HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A session of a version.
    pub(crate) fn session(broker: &Server, version: &'static str) -> Self {
        let mut client = Self::open(broker);
        client.connect(&format!("CONNECT\naccept-version:{version}\nhost:example.org\n\n"), version);
        client
    }

    /// Sends a CONNECT as it stands, and takes the CONNECTED of that version.
    pub(crate) fn connect(&mut self, frame: &str, version: &'static str) -> Frame {
        self.version = version;
        self.send(frame);
        let connected = self.expect("CONNECTED");
        assert_eq!(connected.header("version"), Some(version), "CON-02");
        connected
    }

    /// Sends a frame: its text, to which the NUL is added.
    pub(crate) fn send(&mut self, frame: &str) {
        self.text(&format!("{frame}\0"));
    }

    /// Sends a text message as it stands.
    pub(crate) fn text(&mut self, message: &str) {
        self.socket.send(Message::text(message)).expect("the server reads");
    }

    /// Sends a binary message as it stands.
    pub(crate) fn binary(&mut self, message: &[u8]) {
        self.socket.send(Message::binary(message.to_vec())).expect("the server reads");
    }

    /// Sends a ping.
    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.socket.send(Message::Ping(payload.to_vec().into())).expect("the server reads");
    }

    /// Sends one WebSocket frame of a text message, whatever it holds.
    pub(crate) fn fragment(&mut self, payload: &[u8], is_first: bool, is_last: bool) {
        let kind = if is_first { Data::Text } else { Data::Continue };
        let frame = WebSocketFrame::message(payload.to_vec(), OpCode::Data(kind), is_last);
        self.socket.send(Message::Frame(frame)).expect("the server reads");
    }

    /// Sends octets that are WebSocket frames, or begin one, or are none.
    pub(crate) fn raw(&mut self, octets: &[u8]) {
        self.socket.get_mut().write_all(octets).expect("the server reads");
    }

    /// Subscribes; the subscription is in force when this returns.
    pub(crate) fn subscribe(&mut self, id: &str, destination: &str) {
        self.send(&format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\nreceipt:subscribed-{id}\n\n"));
        self.expect_receipt(&format!("subscribed-{id}"));
    }

    /// Subscribes with an ack mode; the subscription is in force when this returns.
    pub(crate) fn subscribe_to_acknowledge(&mut self, id: &str, destination: &str, mode: &str) {
        self.send(&format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\nack:{mode}\nreceipt:subscribed-{id}\n\n"));
        self.expect_receipt(&format!("subscribed-{id}"));
    }

    /// Sends a text and waits until it has its place.
    pub(crate) fn put(&mut self, destination: &str, text: &str) {
        self.send(&format!("SEND\ndestination:{destination}\nreceipt:put-{text}\n\n{text}"));
        self.expect_receipt(&format!("put-{text}"));
    }

    /// Sends an ACK or NACK as the version names the message, and waits for its receipt.
    pub(crate) fn settle(&mut self, command: &str, message: &Frame) {
        self.send(&format!("{command}\n{}receipt:settled\n\n", self.names(message)));
        self.expect_receipt("settled");
    }

    /// The headers by which ACK and NACK name a message.
    pub(crate) fn names(&self, message: &Frame) -> String {
        let value = |name| message.header(name).unwrap_or_else(|| panic!("{name} is missing in {message:?}"));
        match self.version {
            "1.0" => format!("message-id:{}\n", value("message-id")),
            "1.1" => format!("message-id:{}\nsubscription:{}\n", value("message-id"), value("subscription")),
            _ => format!("id:{}\n", value("ack")),
        }
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> Frame {
        loop {
            match self.receive() {
                Received::Beat | Received::Ping | Received::Pong(_) => {}
                Received::Frame(frame) => return frame,
                Received::Closed(status) => panic!("a frame was expected; the connection was closed with {status}"),
            }
        }
    }

    /// The next frame, which must have this command.
    pub(crate) fn expect(&mut self, command: &str) -> Frame {
        let frame = self.frame();
        assert_eq!(frame.command, command, "{frame:?}");
        frame
    }

    /// The next frame, which must be a MESSAGE with this text.
    pub(crate) fn expect_text(&mut self, text: &str) -> Frame {
        let message = self.expect("MESSAGE");
        assert_eq!(String::from_utf8_lossy(&message.body), text);
        message
    }

    /// The next frame, which must be this RECEIPT.
    pub(crate) fn expect_receipt(&mut self, id: &str) {
        assert_eq!(self.expect("RECEIPT").header("receipt-id"), Some(id));
    }

    /// The next frame must be an ERROR with this code, and then the connection is closed in order (ERR-02, ALL-10, WS-14).
    pub(crate) fn expect_error(mut self, code: &str) -> Frame {
        let error = self.expect("ERROR");
        assert_eq!(error.header("code"), Some(code), "{error:?}");
        let status = self.closed();
        assert!([1002, 1008, 1009].contains(&status), "{status} after {code}");
        error
    }

    /// The next thing must be the end of the connection; its status.
    pub(crate) fn closed(mut self) -> u16 {
        loop {
            match self.receive() {
                Received::Beat | Received::Ping | Received::Pong(_) => {}
                Received::Frame(frame) => panic!("the end of the connection was expected, not {frame:?}"),
                Received::Closed(status) => return status,
            }
        }
    }

    /// Nothing but what was sent here reaches a topic that this client has subscribed to: a message that the client
    /// itself sends is the next one, and every earlier one would come before it (rule 9).
    pub(crate) fn expect_nothing_before_own(&mut self, destination: &str) {
        self.send(&format!("SEND\ndestination:{destination}\n\nthe marker"));
        self.expect_text("the marker");
    }

    /// The next thing, whatever it is.
    pub(crate) fn receive(&mut self) -> Received {
        self.receive_within(PATIENCE).expect("the server answers in time")
    }

    /// The next thing; `None` where nothing comes in time.
    pub(crate) fn receive_within(&mut self, limit: Duration) -> Option<Received> {
        self.socket.get_ref().set_read_timeout(Some(limit)).expect("a time limit");
        let message = match self.socket.read() {
            Ok(message) => message,
            Err(Error::Io(error)) if is_timeout(&error) => return None,
            Err(error) => panic!("the connection ended without a close frame: {error}"),
        };
        Some(match message {
            Message::Text(text) => self.parse(text.as_bytes(), true),
            Message::Binary(octets) => self.parse(&octets, false),
            Message::Ping(_) => {
                // The answer waits for the next write, which there may never be.
                self.socket.flush().expect("the server reads");
                Received::Ping
            }
            Message::Pong(payload) => Received::Pong(payload.to_vec()),
            Message::Close(frame) => {
                while self.socket.read().is_ok() {}
                Received::Closed(frame.map_or(1005, |frame| frame.code.into()))
            }
            Message::Frame(frame) => panic!("{frame:?}"),
        })
    }

    /// Everything that comes in a while; pings are answered.
    pub(crate) fn receive_for(&mut self, time: Duration) -> Vec<Received> {
        let end = now() + time;
        let mut all = Vec::new();
        while let Some(left) = end.checked_duration_since(now()).filter(|left| !left.is_zero()) {
            let Some(received) = self.receive_within(left) else { break };
            let is_end = matches!(received, Received::Closed(_));
            all.push(received);
            if is_end {
                break;
            }
        }
        all
    }

    /// The stream itself, for a client that does not even speak WebSocket any more.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.socket.into_inner()
    }

    /// One message is one frame or one beat, and the frame is good STOMP of the session's version.
    fn parse(&mut self, octets: &[u8], is_text: bool) -> Received {
        if octets == b"\n" {
            assert!(is_text, "WS-18: a beat is text");
            return Received::Beat;
        }
        assert!(!self.failed, "ALL-07: nothing follows an ERROR");
        let frame = parse(octets, is_text, self.version);
        check(&frame, self.version);
        self.failed = frame.command == "ERROR";
        Received::Frame(frame)
    }
}

/// The time, where a test has to know it.
#[expect(clippy::disallowed_methods, reason = "a client outside of the server has a clock of its own")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// ALL-01, ALL-02: the grammar, and the escapes of the version.
fn parse(octets: &[u8], is_text: bool, version: &str) -> Frame {
    assert_eq!(is_text, std::str::from_utf8(octets).is_ok(), "WS-12, WS-18: text if and only if all of it is UTF-8");
    let end = octets.windows(2).position(|pair| pair == b"\n\n").expect("a blank line ends the head");
    let head = std::str::from_utf8(&octets[..end]).expect("a head is UTF-8");
    let (body, nul) = octets[end + 2..].split_at(octets.len() - end - 3);
    assert_eq!(nul, b"\0", "a NUL ends the frame");
    let mut lines = head.split('\n');
    let command = lines.next().expect("a command").to_owned();
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':').expect("a colon in each header");
            if command == "CONNECTED" || version == "1.0" {
                return (name.to_owned(), value.to_owned());
            }
            assert!(!value.contains(':'), "ALL-02: no bare colon in {line:?}");
            (unescape(name, version), unescape(value, version))
        })
        .collect();
    Frame { command, headers, body: body.to_vec(), is_text }
}

fn unescape(text: &str, version: &str) -> String {
    assert!(!text.contains('\r'), "no bare CR in {text:?}");
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        out.push(match (char, version) {
            ('\\', _) => match chars.next() {
                Some('n') => '\n',
                Some('c') => ':',
                Some('\\') => '\\',
                Some('r') if version == "1.2" => '\r',
                other => panic!("ALL-02: the escape {other:?} is undefined in {version}"),
            },
            (plain, _) => plain,
        });
    }
    out
}

/// ALL-03 to ALL-11.
fn check(frame: &Frame, version: &str) {
    let has = |name: &str| assert!(frame.header(name).is_some(), "{name} is missing in {frame:?}");
    if let Some(length) = frame.header("content-length") {
        assert_eq!(length, frame.body.len().to_string(), "ALL-11");
    }
    match &frame.command[..] {
        "CONNECTED" => assert!(frame.body.is_empty(), "ALL-03"),
        "RECEIPT" => {
            assert!(frame.body.is_empty(), "ALL-03");
            has("receipt-id");
        }
        "MESSAGE" => {
            ["destination", "message-id"].into_iter().for_each(has);
            if version != "1.0" {
                has("subscription");
            }
            if !frame.body.is_empty() {
                has("content-length");
            }
        }
        "ERROR" => {
            let message = frame.header("message").expect("ALL-08: a short message");
            assert!(!message.is_empty() && message.len() < 100, "ALL-08: {message:?}");
            if !frame.body.is_empty() {
                ["content-type", "content-length"].into_iter().for_each(has);
            }
        }
        other => panic!("ALL-01: servers do not send {other}"),
    }
}
