//! The client's end of one connection: a task that reads and writes, and the state that the test's handles look at.
//!
//! ```text
//! TestClient, TestSubscription -> State.outgoing -> pump -> pipe -> Realtime::serve
//!                   wait on them <- inboxes, receipts, refusals, end <- pump <- pipe <-
//! ```
//!
//! The pump reads at all times, so that a test that looks away is no slow reader, and answers pings and closes as
//! browsers do.

use std::{panic::Location, sync::Arc, time::Duration};

use bytes::BytesMut;
use parking_lot::Mutex;
use parlor_stomp::{ClientSession, Frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::Notify,
    task::JoinHandle,
    time::sleep_until,
};

use crate::{
    clock,
    testing::{
        state::State,
        wait::{TimedOut, bounded},
    },
};

/// One end of a connection, shared by its handles and its pump.
#[derive(Debug)]
pub(super) struct Wire {
    /// Who the client is, for failures.
    name: String,
    state: Mutex<State>,
    /// The server's task of this connection, until somebody has waited for it.
    server: Mutex<Option<JoinHandle<()>>>,
    /// Something that a test may wait for has happened.
    changed: Notify,
    /// The pump has something to do.
    nudged: Notify,
}

impl Wire {
    /// Starts the client's end of a connection. CONNECT goes out at once.
    #[expect(clippy::disallowed_methods, reason = "the pump ends with the stream, and with the last handle by `Guard`")]
    pub(super) fn start(
        name: String,
        session: ClientSession,
        stream: DuplexStream,
        server: JoinHandle<()>,
    ) -> Arc<Self> {
        let wire = Arc::new(Self {
            name,
            state: Mutex::new(State::new(session)),
            server: Mutex::new(Some(server)),
            changed: Notify::new(),
            nudged: Notify::new(),
        });
        tokio::spawn(pump(Arc::clone(&wire), stream));
        wire
    }

    /// Queues a frame.
    pub(super) fn send(&self, frame: &Frame) {
        self.nudge(|state| state.send(frame));
    }

    /// Queues a close frame.
    pub(super) fn send_close(&self, status: u16) {
        self.nudge(|state| state.send_close(status));
    }

    /// Lets go of the stream, as a broken network does.
    pub(super) fn abort(&self) {
        self.nudge(State::abort);
    }

    /// Stops reading and writing, or goes on with it.
    pub(super) fn freeze(&self, is_frozen: bool) {
        self.nudge(|state| state.freeze(is_frozen));
    }

    /// Changes the state and has the pump look at it.
    fn nudge(&self, change: impl FnOnce(&mut State)) {
        self.with(change);
        self.nudged.notify_one();
    }

    /// Looks at the state.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// Waits until `look` finds what it looks for.
    pub(super) async fn wait_for<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, TimedOut> {
        bounded(limit, async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                // From here on no change is missed.
                changed.as_mut().enable();
                if let Some(found) = self.with(&mut look) {
                    return found;
                }
                changed.await;
            }
        })
        .await
    }

    /// Waits until the server has let go of the connection.
    pub(super) async fn server_ended(&self, limit: Duration) -> Result<(), TimedOut> {
        let Some(mut server) = self.server.lock().take() else { return Ok(()) };
        match bounded(limit, &mut server).await {
            Ok(Ok(())) => Ok(()),
            // The connection's own task panicked: a fault of the server's that no test should miss.
            Ok(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Ok(Err(_)) => Ok(()),
            Err(timed_out) => {
                *self.server.lock() = Some(server);
                Err(timed_out)
            }
        }
    }

    /// Fails the test: says what was expected, where, and what came instead.
    pub(super) fn fail(&self, at: &Location<'_>, what: &str) -> ! {
        let text = self.with(|state| format!("{what}\n  at {at}, as {}\n  {state}", self.name));
        panic!("{text}")
    }
}

/// Carries octets until either side lets go of the stream.
async fn pump(wire: Arc<Wire>, stream: DuplexStream) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    while !wire.with(|state| state.is_aborted()) {
        let (is_frozen, beat_at) = wire.with(|state| {
            output.unsplit(state.take_outgoing());
            (state.is_frozen(), state.beat_at())
        });
        let beat = async {
            match beat_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = wire.nudged.notified() => {}
            written = writer.write_buf(&mut output), if !is_frozen && !output.is_empty() => {
                // What cannot be written any more is thrown away; the reader sees the end.
                if written.is_err() {
                    output.clear();
                }
                wire.with(|state| state.written(clock::now()));
            }
            read = reader.read_buf(&mut input), if !is_frozen => {
                if !matches!(read, Ok(1..)) {
                    break;
                }
                wire.with(|state| state.handle_input(&mut input, clock::now()));
                wire.changed.notify_waiters();
            }
            () = beat, if !is_frozen => wire.with(|state| state.beat(clock::now())),
        }
    }
    wire.with(State::end);
    drop((reader, writer));
    wire.changed.notify_waiters();
}
