//! The task of a client: it runs one connection after the other, until the client is closed or gives up.

use std::{sync::Arc, time::Instant};

use parlor_stomp::{ClientSession, HeartBeatAction, HeartBeatTimer};
use tokio::sync::{mpsc, watch};

use crate::{
    ConnectionError, ConnectionState, SendError,
    clock::now,
    command::{Command, Releases},
    conversation::Conversation,
    opening::{Opened, after, open},
    options::Options,
    reconnect::random,
    websocket::{Incident, WebSocket},
};

/// The task.
pub(crate) struct Driver {
    pub(crate) options: Options,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) closing: watch::Receiver<bool>,
    pub(crate) ended: watch::Sender<Option<bool>>,
    pub(crate) state: watch::Sender<ConnectionState>,
    pub(crate) releases: Arc<Releases>,
    pub(crate) conversation: Conversation,
}

/// How a connection ended.
enum End {
    /// The client was closed; whether the server confirmed it.
    Closed { confirmed: bool },
    /// Something else.
    Lost(ConnectionError),
}

/// One connection, while it is open.
struct Connection {
    socket: WebSocket,
    session: ClientSession,
    timer: HeartBeatTimer,
    closing: bool,
    close_sent: bool,
    /// Until when the end is waited for, once it is certain.
    patience: Option<Instant>,
}

impl Driver {
    /// Runs until the end.
    pub(crate) async fn run(mut self, mut opened: Opened) {
        let mut attempt = 0;
        let (cause, confirmed) = loop {
            let since = now();
            let cause = match self.converse(opened).await {
                End::Closed { confirmed } => break (None, confirmed),
                End::Lost(cause) => cause,
            };
            tracing::debug!(%cause, "the connection ended");
            if now().duration_since(since) >= self.options.reconnect.max {
                attempt = 0;
            }
            match self.reopen(&mut attempt, cause).await {
                Ok(again) => opened = again,
                Err(cause) => break (cause, false),
            }
        };
        self.finish(cause, confirmed).await;
    }

    /// The next session; or why there is none, nothing where the client was closed meanwhile.
    async fn reopen(
        &mut self,
        attempt: &mut u32,
        mut cause: ConnectionError,
    ) -> Result<Opened, Option<ConnectionError>> {
        let policy = self.options.reconnect.clone();
        loop {
            *attempt = attempt.saturating_add(1);
            if !cause.may_reconnect() || !policy.allows(*attempt) {
                return Err(Some(cause));
            }
            let delay = policy.delay(*attempt, cause.retry_after(), random());
            self.state.send_replace(ConnectionState::Reconnecting { attempt: *attempt, delay, cause: cause.clone() });
            let trying = async {
                tokio::time::sleep(delay).await;
                open(&self.options).await
            };
            tokio::select! {
                () = requested(&mut self.closing) => return Err(None),
                tried = trying => match tried {
                    Ok(opened) => return Ok(opened),
                    Err(error) => cause = error,
                },
            }
        }
    }

    async fn converse(&mut self, opened: Opened) -> End {
        let Opened { socket, session, connected } = opened;
        let timer = session.heart_beat_timer(now());
        let mut connection = Connection { socket, session, timer, closing: false, close_sent: false, patience: None };
        for release in self.releases.take() {
            self.conversation.handle_release(None, release);
        }
        self.conversation.connected(&mut connection.session, self.options.error_queue.as_deref());
        self.state.send_replace(ConnectionState::Connected { session: connected.session, version: connected.version });
        loop {
            if let Some(end) = self.advance(&mut connection) {
                return end;
            }
            if let Some(end) = self.wait(&mut connection).await {
                return end;
            }
        }
    }

    /// Does everything that can be done without waiting.
    fn advance(&mut self, connection: &mut Connection) -> Option<End> {
        let now = now();
        for release in self.releases.take() {
            self.conversation.handle_release((!connection.closing).then_some(&mut connection.session), release);
        }
        while self.conversation.stalled.is_empty() {
            match connection.session.poll_event() {
                Ok(Some(event)) => self.conversation.handle_event(&connection.session, event),
                Ok(None) => break,
                Err(error) => return Some(self.end(connection, error.into())),
            }
        }
        if self.conversation.is_disconnected() && !connection.close_sent {
            connection.close_sent = true;
            connection.socket.push_close();
        }
        while let Some(frame) = connection.session.poll_transmit() {
            connection.socket.push(frame);
        }
        if self.conversation.is_refused() || connection.socket.is_deaf() {
            connection.patience.get_or_insert(now + self.options.close_timeout);
        }
        if connection.patience.is_some_and(|patience| patience <= now) {
            return Some(self.end(connection, ConnectionError::broken()));
        }
        if connection.closing {
            return None;
        }
        if !self.conversation.stalled.is_empty() {
            // Nothing is read, so nothing can be heard.
            connection.timer.received(now);
        }
        while let Some(action) = connection.timer.poll(now) {
            match action {
                HeartBeatAction::Ping => connection.socket.push_ping(),
                HeartBeatAction::SendBeat => {
                    connection.socket.push_beat();
                    connection.timer.sent(now);
                }
                HeartBeatAction::TimedOut => return Some(self.end(connection, ConnectionError::HeartBeat)),
            }
        }
        None
    }

    /// Waits for the next thing to happen, and takes it.
    async fn wait(&mut self, connection: &mut Connection) -> Option<End> {
        let stalled = self.conversation.stalled.front().map(|(sender, _)| sender.clone());
        let takes_commands =
            connection.patience.is_none() && connection.socket.has_room() && self.conversation.receipts.have_room();
        let beat = if connection.closing { None } else { connection.timer.deadline() };
        let deadline = [beat, connection.patience].into_iter().flatten().min();
        tokio::select! {
            incident = connection.socket.drive(stalled.is_none()) => match incident {
                Incident::Octets(octets) => {
                    connection.timer.received(now());
                    connection.session.handle_input(octets);
                }
                Incident::Alive => connection.timer.received(now()),
                // The end is certain then, and has its time.
                Incident::Deaf => {}
                Incident::Written => connection.timer.sent(now()),
                Incident::Ended(error) => return Some(self.end(connection, error)),
            },
            Some(command) = self.commands.recv(), if takes_commands => {
                self.conversation.handle_command(&mut connection.session, command);
            }
            () = room(stalled.as_ref()), if stalled.is_some() => self.conversation.unstall(),
            () = self.releases.changed() => {}
            () = requested(&mut self.closing), if !connection.closing => self.close(connection),
            () = until(deadline) => {}
        }
        None
    }

    /// Sends what was asked for until now, and DISCONNECT.
    fn close(&mut self, connection: &mut Connection) {
        connection.closing = true;
        let patience = now() + self.options.close_timeout;
        connection.patience.get_or_insert(patience);
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            self.conversation.handle_command(&mut connection.session, command);
        }
        self.conversation.disconnect(&mut connection.session);
    }

    fn end(&mut self, connection: &Connection, error: ConnectionError) -> End {
        let refusal = self.conversation.take_refusal();
        if connection.closing {
            return End::Closed { confirmed: self.conversation.is_disconnected() };
        }
        self.conversation.interrupted(refusal.as_ref());
        End::Lost(after(refusal, error))
    }

    async fn finish(mut self, cause: Option<ConnectionError>, confirmed: bool) {
        self.conversation.give_up();
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            let answer = match command {
                Command::Send { answer, .. } => answer,
                Command::Begin { answer, .. } | Command::End { answer, .. } => Some(answer),
                Command::Settle { .. } | Command::Subscribe { .. } => None,
            };
            if let Some(answer) = answer {
                let _ = answer.send(Err(SendError::Closed));
            }
        }
        let stalled = std::mem::take(&mut self.conversation.stalled);
        self.state.send_replace(ConnectionState::Closed { cause });
        self.ended.send_replace(Some(confirmed));
        drop(self);
        // What came before the end still belongs to whoever reads it; dropping the subscription ends this.
        for (sender, event) in stalled {
            let _ = sender.send(event).await;
        }
    }
}

/// Waits until the client is closed, or its last handle is gone.
async fn requested(closing: &mut watch::Receiver<bool>) {
    // An error says that the last handle is gone.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Waits until a subscription has room, or is gone.
async fn room<T>(sender: Option<&mpsc::Sender<T>>) {
    if let Some(sender) = sender {
        let _ = sender.reserve().await;
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
