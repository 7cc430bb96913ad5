//! The transition table of a server's session, written down once: [`transition`].

use crate::Command;

/// Where a session stands.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{ServerConfig, ServerSession, ServerState};
///
/// let mut session = ServerSession::new(ServerConfig::default());
/// assert_eq!(session.state(), ServerState::AwaitingConnect);
/// session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0"));
/// session.poll_request();
/// assert_eq!(session.state(), ServerState::Connected);
/// session.handle_input(Bytes::from_static(b"no frame at all\n\n\0"));
/// session.poll_request();
/// assert_eq!(session.state(), ServerState::Failed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the table covers every state")]
pub enum ServerState {
    /// No CONNECT was accepted yet.
    AwaitingConnect,
    /// The session is open.
    Connected,
    /// DISCONNECT was read: nothing after it has an effect.
    Disconnected,
    /// A fault was found: nothing after it has an effect.
    Failed,
}

/// What a command does in a state.
///
/// ```
/// use parlor_stomp::{Command, ServerState, Transition, transition};
///
/// // Every command of a client that has an effect before CONNECT:
/// let opening = |command: &&Command| transition(ServerState::AwaitingConnect, **command) == Transition::Open;
/// let names: Vec<_> = Command::ALL.iter().filter(opening).map(|command| command.as_str()).collect();
/// assert_eq!(names, ["CONNECT", "STOMP"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the table covers every outcome")]
pub enum Transition {
    /// A fault with this code.
    Fault(&'static str),
    /// It becomes a request; the state stays.
    Handle,
    /// It has no effect.
    Ignore,
    /// It opens the session, if the versions agree.
    Open,
    /// It becomes the last request.
    Quit,
}

impl ServerState {
    /// All states.
    pub const ALL: &[Self] = &[Self::AwaitingConnect, Self::Connected, Self::Disconnected, Self::Failed];
}

/// What a command of a client does in a state: the whole table of a server's session.
///
/// | command | awaiting CONNECT | connected | disconnected, failed |
/// |---|---|---|---|
/// | CONNECT, STOMP | open the session | `already-connected` | ignored |
/// | SEND, SUBSCRIBE, UNSUBSCRIBE, ACK, NACK, BEGIN, COMMIT, ABORT | `not-connected` | handled | ignored |
/// | DISCONNECT | `not-connected` | ends the session | ignored |
/// | CONNECTED, MESSAGE, RECEIPT, ERROR | `server-command` | `server-command` | ignored |
///
/// A code in the table is a fault: ERROR, then close. Anything that is no command at all is a fault in every state but
/// the last two.
///
/// ```
/// use parlor_stomp::{Command, ServerState, Transition, transition};
///
/// assert_eq!(transition(ServerState::Connected, Command::Send), Transition::Handle);
/// assert_eq!(transition(ServerState::Connected, Command::Connect), Transition::Fault("already-connected"));
/// assert_eq!(transition(ServerState::Disconnected, Command::Send), Transition::Ignore);
/// ```
#[must_use]
pub const fn transition(state: ServerState, command: Command) -> Transition {
    match (state, command) {
        (ServerState::Disconnected | ServerState::Failed, _) => Transition::Ignore,
        (_, Command::Connected | Command::Error | Command::Message | Command::Receipt) => {
            Transition::Fault("server-command")
        }
        (ServerState::AwaitingConnect, Command::Connect | Command::Stomp) => Transition::Open,
        (ServerState::AwaitingConnect, _) => Transition::Fault("not-connected"),
        (ServerState::Connected, Command::Connect | Command::Stomp) => Transition::Fault("already-connected"),
        (ServerState::Connected, Command::Disconnect) => Transition::Quit,
        (ServerState::Connected, _) => Transition::Handle,
    }
}
