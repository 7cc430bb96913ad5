//! What a test's client knows of its connection, without I/O: octets in, inboxes, receipts and refusals out.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
};

use bytes::{Bytes, BytesMut};
use parlor_stomp::{
    ClientEvent, ClientSession, Command, Frame, HeartBeatAction, HeartBeatTimer, Version, encode_frame,
};
use tokio::time::Instant;

use crate::testing::{Refusal, TestClose, TestMessage, trace::Trace, websocket};

/// The subscription that hears refusals.
pub(super) const REFUSALS: &str = "refusals";

/// The subscription that hears replies to requests.
pub(super) const REPLIES: &str = "replies";

/// What the receipt of a SUBSCRIBE says of where it begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Beginning {
    /// Whether nothing is missing since the position that it named.
    pub(super) recovered: Option<bool>,
    /// The place that it begins at.
    pub(super) position: Option<String>,
}

/// The state of a connection.
#[derive(Debug)]
pub(super) struct State {
    session: ClientSession,
    outgoing: BytesMut,
    beats: Option<HeartBeatTimer>,
    /// Numbers receipts and subscriptions.
    next: u64,
    /// Receipts that came and were not asked about yet.
    receipts: HashSet<String>,
    /// What the receipts of subscriptions said beside their ids.
    beginnings: HashMap<String, Beginning>,
    /// What came for each subscription and was not taken yet.
    inboxes: HashMap<String, VecDeque<TestMessage>>,
    refusals: VecDeque<Refusal>,
    /// The ERROR frame, which comes before the close frame.
    error: Option<Error>,
    /// The session's id, once CONNECTED has come; empty where it named none.
    session_id: Option<String>,
    closed: Option<TestClose>,
    /// The stream is gone.
    is_over: bool,
    /// The pump neither reads nor writes.
    is_frozen: bool,
    /// The pump shall let go of the stream.
    is_aborted: bool,
    trace: Trace,
}

/// An ERROR frame.
#[derive(Debug)]
struct Error {
    code: Option<String>,
    message: Option<String>,
    receipt: Option<String>,
}

impl State {
    /// A connection whose CONNECT is on its way.
    pub(super) fn new(session: ClientSession) -> Self {
        let mut state = Self {
            session,
            outgoing: BytesMut::new(),
            beats: None,
            next: 0,
            receipts: HashSet::new(),
            beginnings: HashMap::new(),
            inboxes: HashMap::new(),
            refusals: VecDeque::new(),
            error: None,
            session_id: None,
            closed: None,
            is_over: false,
            is_frozen: false,
            is_aborted: false,
            trace: Trace::default(),
        };
        state.trace.client("CONNECT");
        state.session.connect();
        while let Some(frame) = state.session.poll_transmit() {
            state.queue(if frame.text { websocket::TEXT } else { websocket::BINARY }, &frame.bytes);
        }
        state
    }

    /// Queues a frame.
    pub(super) fn send(&mut self, frame: &Frame) {
        let version = self.session.version().unwrap_or(Version::V1_2);
        let encoded = encode_frame(frame.command, &frame.headers, &frame.body, version);
        self.trace.sent(frame.command, &frame.headers, &frame.body);
        self.queue(if encoded.text { websocket::TEXT } else { websocket::BINARY }, &encoded.bytes);
    }

    /// Queues a close frame.
    pub(super) fn send_close(&mut self, status: u16) {
        self.trace.client(&format!("(closes with {status})"));
        self.queue(websocket::CLOSE, &status.to_be_bytes());
    }

    /// Has the pump let go of the stream.
    pub(super) fn abort(&mut self) {
        self.is_aborted = true;
    }

    /// Has the pump stop, or go on.
    pub(super) fn freeze(&mut self, is_frozen: bool) {
        self.is_frozen = is_frozen;
        self.trace.client(if is_frozen { "(freezes)" } else { "(thaws)" });
    }

    /// Takes what waits to be written.
    pub(super) fn take_outgoing(&mut self) -> BytesMut {
        self.outgoing.split()
    }

    /// Octets were written.
    pub(super) fn written(&mut self, now: Instant) {
        if let Some(beats) = &mut self.beats {
            beats.sent(now.into_std());
        }
    }

    /// The stream is gone.
    pub(super) fn end(&mut self) {
        self.close(1006, String::new());
        self.is_over = true;
    }

    /// When to look at the heart-beats again.
    pub(super) fn beat_at(&self) -> Option<Instant> {
        self.beats.as_ref().and_then(HeartBeatTimer::deadline).map(Instant::from_std)
    }

    /// Whether the pump shall let go of the stream.
    pub(super) fn is_aborted(&self) -> bool {
        self.is_aborted
    }

    /// Whether the pump shall neither read nor write.
    pub(super) fn is_frozen(&self) -> bool {
        self.is_frozen
    }
    /// A name that is used once.
    pub(super) fn fresh(&mut self, what: &str) -> String {
        self.next += 1;
        format!("{what}-{}", self.next)
    }

    /// The session's id, once CONNECTED has come.
    pub(super) fn session_id(&self) -> Option<String> {
        self.session_id.clone()
    }

    /// The negotiated version.
    pub(super) fn version(&self) -> Option<Version> {
        self.session.version()
    }

    /// Opens the inbox of a subscription. Before SUBSCRIBE goes out, because a reply comes before the RECEIPT.
    pub(super) fn open_inbox(&mut self, id: &str) {
        self.inboxes.insert(id.to_owned(), VecDeque::new());
    }

    /// The inbox of a subscription.
    pub(super) fn inbox(&mut self, id: &str) -> &mut VecDeque<TestMessage> {
        self.inboxes.entry(id.to_owned()).or_default()
    }

    /// What the receipt of a SUBSCRIBE said.
    pub(super) fn take_beginning(&mut self, receipt: &str) -> Beginning {
        self.beginnings.remove(receipt).unwrap_or_default()
    }

    /// Whether that receipt came; it is asked about once.
    pub(super) fn take_receipt(&mut self, receipt: &str) -> bool {
        self.receipts.remove(receipt)
    }

    /// The refusal of the frame with that receipt, told on the error queue or by ERROR.
    pub(super) fn take_refusal_of(&mut self, receipt: &str) -> Option<Refusal> {
        if let Some(index) = self.refusals.iter().position(|refusal| refusal.receipt.as_deref() == Some(receipt)) {
            return self.refusals.remove(index);
        }
        let error = self.error.as_ref().filter(|error| error.receipt.as_deref() == Some(receipt))?;
        Some(Refusal {
            code: error.code.clone().unwrap_or_default(),
            message: error.message.clone().unwrap_or_default(),
            destination: String::new(),
            receipt: error.receipt.clone(),
            subscription: None,
            retry_after: None,
            details: None,
        })
    }

    /// Refusals that nobody has asked about, oldest first.
    pub(super) fn refusals(&mut self) -> &mut VecDeque<Refusal> {
        &mut self.refusals
    }

    /// Whether replies are listened to from now on, and were not before.
    pub(super) fn begin_replies(&mut self) -> bool {
        if self.inboxes.contains_key(REPLIES) {
            return false;
        }
        self.open_inbox(REPLIES);
        true
    }

    /// The reply to a request.
    pub(super) fn take_reply(&mut self, correlation: &str) -> Option<TestMessage> {
        let replies = self.inbox(REPLIES);
        let index = replies.iter().position(|reply| reply.header("correlation-id") == Some(correlation))?;
        replies.remove(index)
    }

    /// How the connection ended.
    pub(super) fn closed(&self) -> Option<&TestClose> {
        self.closed.as_ref()
    }

    /// Whether the stream is gone, from both ends.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    fn queue(&mut self, opcode: u8, payload: &[u8]) {
        websocket::write_frame(opcode, payload, &mut self.outgoing);
    }

    /// Takes what the server sent.
    pub(super) fn handle_input(&mut self, input: &mut BytesMut, now: Instant) {
        if let Some(beats) = &mut self.beats {
            beats.received(now.into_std());
        }
        loop {
            match websocket::read_frame(input) {
                Ok(Some((websocket::TEXT | websocket::BINARY, payload))) => self.handle_message(payload, now),
                Ok(Some((websocket::PING, payload))) => {
                    self.trace.server("(ping)");
                    self.queue(websocket::PONG, &payload);
                }
                Ok(Some((websocket::CLOSE, payload))) => {
                    let (status, reason) = websocket::read_close(&payload);
                    self.trace.server(&format!("(closes with {status} {reason:?})"));
                    self.queue(websocket::CLOSE, &payload);
                    self.close(status, reason);
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(fault) => {
                    self.trace.server(fault);
                    self.is_aborted = true;
                    return;
                }
            }
        }
    }

    fn handle_message(&mut self, payload: Bytes, now: Instant) {
        self.session.handle_input(payload);
        loop {
            match self.session.poll_event() {
                Ok(Some(event)) => self.handle_event(event, now),
                Ok(None) => return,
                Err(error) => {
                    self.trace.server(&error.to_string());
                    self.is_aborted = true;
                    return;
                }
            }
        }
    }

    fn handle_event(&mut self, event: ClientEvent, now: Instant) {
        match event {
            ClientEvent::Connected(connected) => {
                self.trace.received(Command::Connected, &connected.headers, b"");
                self.beats = Some(self.session.heart_beat_timer(now.into_std()));
                self.session_id = Some(connected.session.unwrap_or_default());
            }
            ClientEvent::Message(message) => {
                self.trace.received(Command::Message, &message.headers, &message.body);
                let id = message.subscription().unwrap_or_default().to_owned();
                let message = TestMessage::new(message);
                if id == REFUSALS {
                    self.refusals.push_back(Refusal::of_message(&message));
                } else {
                    self.inbox(&id).push_back(message);
                }
            }
            ClientEvent::Receipt(receipt) => {
                let headers = self.session.receipt_headers();
                self.trace.received(Command::Receipt, headers, b"");
                let recovered = headers.get("recovered").map(|recovered| recovered == "true");
                let position = headers.get("position").map(str::to_owned);
                if recovered.is_some() || position.is_some() {
                    self.beginnings.insert(receipt.clone(), Beginning { recovered, position });
                }
                self.receipts.insert(receipt);
            }
            ClientEvent::Error { headers, body } => {
                self.trace.received(Command::Error, &headers, &body);
                let header = |name| headers.get(name).map(str::to_owned);
                self.error =
                    Some(Error { code: header("code"), message: header("message"), receipt: header("receipt-id") });
            }
            other => self.trace.server(&format!("{other:?}")),
        }
    }

    /// The first end counts.
    fn close(&mut self, status: u16, reason: String) {
        let (code, message) =
            self.error.as_ref().map_or((None, None), |error| (error.code.clone(), error.message.clone()));
        self.closed.get_or_insert(TestClose { status, reason, code, message });
    }

    /// Sends a beat where one is due.
    pub(super) fn beat(&mut self, now: Instant) {
        let Some(beats) = &mut self.beats else { return };
        let mut due = false;
        while let Some(action) = beats.poll(now.into_std()) {
            match action {
                HeartBeatAction::SendBeat => {
                    due = true;
                    beats.sent(now.into_std());
                }
                // Browsers can't ping, and a test client does not give its server up.
                HeartBeatAction::Ping | HeartBeatAction::TimedOut => beats.received(now.into_std()),
            }
        }
        if due {
            self.queue(websocket::TEXT, b"\n");
        }
    }
}

/// How it stands, for failures.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.closed {
            Some(closed) => write!(f, "the connection has ended: {closed}")?,
            None if self.is_frozen => f.write_str("the connection is open, and its client frozen")?,
            None => f.write_str("the connection is open")?,
        }
        let mut waiting: Vec<_> = self.inboxes.iter().filter(|(_, inbox)| !inbox.is_empty()).collect();
        waiting.sort_unstable_by_key(|(id, _)| *id);
        for (index, (id, inbox)) in waiting.into_iter().enumerate() {
            let begin = if index == 0 { "; messages that were not taken:" } else { "," };
            write!(f, "{begin} {} of {id}", inbox.len())?;
        }
        write!(f, "\n  frames (> sent, < received):{}", self.trace)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parlor_stomp::{ClientConfig, HeartBeat};

    use super::*;
    use crate::{
        clock,
        websocket::{Opcode, WebSocketDecoder, WebSocketEvent, WebSocketLimits, encode_frame},
    };

    /// A connection whose heart-beats are agreed.
    fn connected() -> State {
        let beats = HeartBeat { can_send_ms: 1000, wants_ms: 0 };
        let mut state = State::new(ClientSession::new(ClientConfig::default().heart_beat(beats)));
        let connected = b"CONNECTED\nversion:1.2\nheart-beat:0,1000\n\n\0";
        state.handle_input(&mut BytesMut::from(&encode_frame(Opcode::Text, connected)[..]), clock::now());
        drop(state.take_outgoing());
        state
    }

    fn sent(state: &mut State) -> Option<WebSocketEvent> {
        WebSocketDecoder::new(WebSocketLimits::default()).decode(&mut state.take_outgoing()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_beat_is_sent_when_it_is_due_and_not_before() {
        let mut state = connected();
        let due = state.beat_at().unwrap();
        state.beat(due - Duration::from_millis(1));
        assert_eq!(sent(&mut state), None);
        state.beat(due);
        let beat = WebSocketEvent::Data { payload: Bytes::from_static(b"\n"), is_text: true, end_of_message: true };
        assert_eq!(sent(&mut state), Some(beat));
        assert!(state.beat_at().unwrap() > due, "and the next one is later");
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_is_answered_and_a_close_is_echoed() {
        let mut state = connected();
        state.handle_input(&mut BytesMut::from(&encode_frame(Opcode::Ping, b"x")[..]), clock::now());
        assert_eq!(sent(&mut state), Some(WebSocketEvent::Pong(Bytes::from_static(b"x"))));
        state.handle_input(&mut BytesMut::from(&crate::websocket::encode_close(1012, "later")[..]), clock::now());
        assert!(matches!(sent(&mut state), Some(WebSocketEvent::Close(Some(frame))) if frame.code == 1012));
        assert_eq!(state.closed().map(|closed| closed.status), Some(1012));
    }
}
