//! S-01: the transition table, written out in full, and a session that is held against every cell of it.

mod support;

use std::fmt::Write;

use parlor_stomp::{Command, Request, ServerSession, ServerState, Transition, Version, transition};
use proptest::prelude::*;
use support::{connected, feed, fresh};

/// Every command in every state. Whoever changes the table changes it here too, and means it.
const TABLE: &str = "\
command      AwaitingConnect  Connected          Disconnected  Failed
ABORT        not-connected    handle             ignore        ignore
ACK          not-connected    handle             ignore        ignore
BEGIN        not-connected    handle             ignore        ignore
COMMIT       not-connected    handle             ignore        ignore
CONNECT      open             already-connected  ignore        ignore
CONNECTED    server-command   server-command     ignore        ignore
DISCONNECT   not-connected    quit               ignore        ignore
ERROR        server-command   server-command     ignore        ignore
MESSAGE      server-command   server-command     ignore        ignore
NACK         not-connected    handle             ignore        ignore
RECEIPT      server-command   server-command     ignore        ignore
SEND         not-connected    handle             ignore        ignore
STOMP        open             already-connected  ignore        ignore
SUBSCRIBE    not-connected    handle             ignore        ignore
UNSUBSCRIBE  not-connected    handle             ignore        ignore
";

fn word(transition: Transition) -> &'static str {
    match transition {
        Transition::Fault(code) => code,
        Transition::Handle => "handle",
        Transition::Ignore => "ignore",
        Transition::Open => "open",
        Transition::Quit => "quit",
    }
}

/// A frame of the command with every header that any version needs.
fn frame(command: Command) -> String {
    format!(
        "{command}\naccept-version:1.2\ndestination:/topic/a\nid:1\nmessage-id:2\nsubscription:3\ntransaction:4\n\n\0"
    )
}

/// A session in the state.
fn session_in(state: ServerState) -> ServerSession {
    let mut session = match state {
        ServerState::AwaitingConnect => fresh(),
        _ => connected(Version::V1_2),
    };
    match state {
        ServerState::Disconnected => drop(feed(&mut session, "DISCONNECT\n\n\0")),
        ServerState::Failed => drop(feed(&mut session, "NONSENSE\n\n\0")),
        ServerState::AwaitingConnect | ServerState::Connected => {}
    }
    assert_eq!(session.state(), state);
    session
}

/// The command of the frame that a request was made of.
fn command_of(request: &Request) -> Option<Command> {
    Some(match request {
        Request::Abort(_) => Command::Abort,
        Request::Ack(_) => Command::Ack,
        Request::Begin(_) => Command::Begin,
        Request::Commit(_) => Command::Commit,
        Request::Disconnect(_) => Command::Disconnect,
        Request::Nack(_) => Command::Nack,
        Request::Send(_) => Command::Send,
        Request::Subscribe(_) => Command::Subscribe,
        Request::Unsubscribe(_) => Command::Unsubscribe,
        _ => return None,
    })
}

#[test]
fn the_table_is_as_it_is_written_here() {
    let mut table = String::from("command      AwaitingConnect  Connected          Disconnected  Failed\n");
    for command in Command::ALL {
        let [awaiting, connected, disconnected, failed] =
            [ServerState::AwaitingConnect, ServerState::Connected, ServerState::Disconnected, ServerState::Failed]
                .map(|state| word(transition(state, *command)));
        writeln!(table, "{:<13}{awaiting:<17}{connected:<19}{disconnected:<14}{failed}", command.as_str()).unwrap();
    }
    assert_eq!(table, TABLE);
    assert_eq!((ServerState::ALL.len(), Command::ALL.len()), (4, 15));
}

#[test]
fn a_session_does_what_every_cell_of_the_table_says() {
    for state in ServerState::ALL.iter().copied() {
        for command in Command::ALL.iter().copied() {
            let mut session = session_in(state);
            let requests = feed(&mut session, frame(command));
            let context = format!("{command} while {state:?}: {requests:?}");
            match (transition(state, command), &requests[..]) {
                (Transition::Fault(code), [Request::Fault(fault)]) => {
                    assert_eq!((&fault.code[..], session.state()), (code, ServerState::Failed), "{context}");
                }
                (Transition::Handle, [request]) => {
                    assert_eq!((command_of(request), session.state()), (Some(command), state), "{context}");
                }
                (Transition::Ignore, []) => assert_eq!(session.state(), state, "{context}"),
                (Transition::Open, [Request::Connect(connect)]) => {
                    assert_eq!(
                        (connect.version, session.state()),
                        (Version::V1_2, ServerState::Connected),
                        "{context}"
                    );
                }
                (Transition::Quit, [Request::Disconnect(_)]) => {
                    assert_eq!(session.state(), ServerState::Disconnected, "{context}");
                }
                _ => panic!("{context}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever a client sends: CONNECT is the first request or a fault is, it comes once, and nothing follows an end.
    #[test]
    fn any_sequence_of_commands_keeps_the_order_of_a_session(
        commands in proptest::collection::vec(proptest::sample::select(Command::ALL), 0..40),
    ) {
        let mut session = fresh();
        let octets: String = commands.iter().copied().map(frame).collect();
        let requests = feed(&mut session, octets);
        for (place, request) in requests.iter().enumerate() {
            let is_last = place + 1 == requests.len();
            match request {
                Request::Connect(_) => prop_assert_eq!(place, 0),
                Request::Fault(_) => prop_assert!(is_last),
                Request::Disconnect(_) => prop_assert!(is_last && place > 0),
                _ => prop_assert!(place > 0),
            }
        }
        prop_assert!(feed(&mut session, "\n").is_empty());
    }
}
