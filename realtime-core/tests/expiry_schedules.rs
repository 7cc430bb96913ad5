//! Rule 24 over random schedules: whatever is published, sent, read and refreshed when, nothing that comes in after the end
//! of the token is handled, and nothing begins to be written after it but the farewell.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and reads its own, paused clock")]

mod support;

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use parlor_core::{
    Config, Realtime,
    app::{Route, Router, Rules},
    auth::{Anonymous, Principal},
    broker::OutboxLimits,
    connection::Transport,
    extract::State,
    testing::TestClock,
};
use proptest::prelude::*;
use support::user;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep_until},
};

/// Stands behind what a peer has taken of a frame that it has not taken whole.
const CUT: &str = "…";

/// Milliseconds that the token lasts at first.
const FIRST_END: u64 = 1000;

#[derive(Clone, Debug)]
enum Step {
    /// A message of so many octets for the session.
    Publish(usize),
    /// A SEND to a handler.
    Send,
    /// A ping.
    Ping,
    /// The client takes so many octets.
    Read(usize),
    /// A new token, which ends so many milliseconds from now.
    Refresh(u64),
    /// Rights are judged anew, and the end stays.
    Judge,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        4 => (1..400_usize).prop_map(Step::Publish),
        3 => Just(Step::Send),
        1 => Just(Step::Ping),
        4 => (1..1000_usize).prop_map(Step::Read),
        2 => (1..1500_u64).prop_map(Step::Refresh),
        1 => Just(Step::Judge),
    ];
    // Many moments are the same one, the end of the token among them.
    let moment = prop_oneof![Just(0), Just(FIRST_END / 4), Just(FIRST_END / 2), 0..200_u64];
    prop::collection::vec((moment, step), 1..40)
}

/// A client that takes only what it is told to, and notes when each octet came.
#[derive(Default)]
struct Peer {
    input: VecDeque<u8>,
    reader: Option<Waker>,
    room: usize,
    writer: Option<Waker>,
    output: Vec<u8>,
    /// Up to which octet was written by when.
    times: Vec<(usize, Instant)>,
}

#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Peer>>);

impl Pipe {
    fn send(&self, octets: &[u8]) {
        let mut peer = self.0.lock().unwrap();
        peer.input.extend(octets);
        if let Some(reader) = peer.reader.take() {
            reader.wake();
        }
    }

    fn read(&self, octets: usize) {
        let mut peer = self.0.lock().unwrap();
        peer.room = peer.room.saturating_add(octets);
        if let Some(writer) = peer.writer.take() {
            writer.wake();
        }
    }

    /// Every frame that was begun: when, its opcode, and what there is of its first line.
    fn frames(&self) -> Vec<(Instant, u8, String)> {
        let peer = self.0.lock().unwrap();
        let (mut frames, mut place) = (Vec::new(), 0);
        while let [first, length, ..] = peer.output[place..] {
            let (head, length) = match (length, peer.output[place + 2..].first_chunk()) {
                (126, Some(length)) => (4, usize::from(u16::from_be_bytes(*length))),
                // Not even its length is whole: nothing follows.
                (126, None) => (4, 0),
                (length, _) => (2, usize::from(length)),
            };
            let at = peer.times.iter().find(|(end, _)| *end > place).unwrap().1;
            let begins = (place + head).min(peer.output.len());
            let payload = &peer.output[begins..(begins + length).min(peer.output.len())];
            let line = payload.split(|octet| *octet == b'\n').next().unwrap_or_default();
            // Of the last one the peer may not have taken that much.
            let is_cut = !payload.contains(&b'\n') && place + head + length >= peer.output.len();
            frames.push((at, first & 0xF, String::from_utf8_lossy(line).into_owned() + if is_cut { CUT } else { "" }));
            place += head + length;
            if place >= peer.output.len() {
                break;
            }
        }
        frames
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut peer = self.0.lock().unwrap();
        if peer.input.is_empty() {
            peer.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buf.remaining().min(peer.input.len());
        peer.input.drain(..count).for_each(|octet| buf.put_slice(&[octet]));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut peer = self.0.lock().unwrap();
        let taken = octets.len().min(peer.room);
        if taken == 0 {
            peer.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        peer.room -= taken;
        peer.output.extend_from_slice(&octets[..taken]);
        let end = peer.output.len();
        peer.times.push((end, Instant::now()));
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A client's frame, masked by nothing but zeros.
fn frame(opcode: u8, payload: &str) -> Vec<u8> {
    let mut octets = vec![0x80 | opcode, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    octets.extend_from_slice(payload.as_bytes());
    octets
}

type Handled = Arc<Mutex<Vec<Instant>>>;

async fn note(State(handled): State<Handled>) {
    handled.lock().unwrap().push(Instant::now());
}

fn principal(ends: SystemTime) -> Principal {
    user("ada").with_login("s").with_expiry(ends)
}

async fn holds(steps: Vec<(u64, Step)>) -> Result<(), TestCaseError> {
    let clock = TestClock::pause();
    let handled = Handled::default();
    let routes = Router::new().mount(Route::message("/app/note", note)).with_state(Arc::clone(&handled));
    let realtime = Realtime::builder(routes)
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/a"))
        .config(Config::development().outbox(OutboxLimits::default().max_age(Duration::from_secs(3600))))
        .build()
        .unwrap();
    let pipe = Pipe::default();
    let who = principal(clock.wall() + Duration::from_millis(FIRST_END));
    let mut end = Instant::now() + Duration::from_millis(FIRST_END);
    let admission = realtime.admit(None).unwrap().for_principal(&who).unwrap();
    let served = realtime.clone().serve(Transport::stream(pipe.clone(), Bytes::new()), who, admission);
    let server = tokio::spawn(served);
    pipe.read(400);
    pipe.send(&frame(1, "CONNECT\naccept-version:1.2\n\n\0"));
    pipe.send(&frame(1, "SUBSCRIBE\nid:0\ndestination:/topic/a\n\n\0"));
    pipe.send(&frame(1, "SUBSCRIBE\nid:s\ndestination:/user/queue/session\n\n\0"));
    // It is connected.
    let mut now = Instant::now() + Duration::from_millis(1);
    sleep_until(now).await;
    for (wait, step) in steps {
        now += Duration::from_millis(wait);
        sleep_until(now).await;
        match step {
            Step::Publish(octets) => drop(realtime.broker().publish("/topic/a", &"x".repeat(octets)).await),
            Step::Send => pipe.send(&frame(1, "SEND\ndestination:/app/note\n\n\0")),
            Step::Ping => pipe.send(&frame(9, "")),
            Step::Read(octets) => pipe.read(octets),
            Step::Refresh(lasts) => {
                let lasts = Duration::from_millis(lasts);
                let refreshed = realtime.refresh(&principal(clock.wall() + lasts)).await.unwrap();
                // What has ended stays ended, and nothing is shortened.
                let expected = Instant::now() < end && Instant::now() + lasts > end;
                prop_assert_eq!(refreshed.total() > 0, expected);
                if expected {
                    end = Instant::now() + lasts;
                }
            }
            Step::Judge => drop(realtime.registry().replace_principals(&"ada".parse().unwrap(), |old| old)),
        }
    }
    sleep_until(end.max(now)).await;
    // Late, and in vain.
    drop(realtime.broker().publish("/topic/a", "late").await);
    pipe.send(&frame(1, "SEND\ndestination:/app/note\n\n\0"));
    pipe.read(usize::MAX);
    server.await.unwrap();
    let handled = handled.lock().unwrap();
    prop_assert!(handled.iter().all(|at| *at < end), "handled after the end: {handled:?}, {end:?}");
    let frames = pipe.frames();
    if now < end + Duration::from_secs(4) {
        // Else nobody read the farewell while the server lingered for it.
        prop_assert_eq!(frames.last().map(|frame| frame.1), Some(8), "the last frame is the close: {:?}", frames);
    }
    for (at, opcode, line) in &frames {
        let could_be_error = line.strip_suffix(CUT).is_some_and(|seen| "ERROR".starts_with(seen));
        let is_farewell = *opcode == 8 || line == "ERROR" || could_be_error;
        prop_assert!(*at < end || is_farewell, "{line} begun at {at:?}, end {end:?}: {frames:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rule_24_nothing_is_handled_or_begun_after_the_end(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(holds(steps))?;
    }
}
