//! Socket.IO 4 over WebSocket, as far as the peer socketioxide is spoken to: a room for each destination.
//!
//! Engine.IO's open packet, then the connection to the namespace `/`, then an event `join` for each room, which the peer confirms
//! by `joined`. A publication is the event `publish` with the room and the text, and arrives as `message` at everyone in the room.

use super::{Dialect, Role, Step};

/// Engine.IO's ping and the answer to it.
const PING: &[u8] = b"2";
const PONG: &[u8] = b"3";

/// A server of `bench/peers` that speaks it.
#[derive(Debug)]
pub(crate) struct SocketIo {
    request_target: String,
}

impl SocketIo {
    /// `request_target` says that the connection begins as a WebSocket, without the polling before it:
    /// `/socket.io/?EIO=4&transport=websocket`.
    pub(crate) fn new(request_target: impl Into<String>) -> Self {
        Self { request_target: request_target.into() }
    }
}

impl Dialect for SocketIo {
    fn request_target(&self, _: Role) -> String {
        self.request_target.clone()
    }

    fn headers(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn opening(&self, role: Role, _: usize, destinations: &[usize]) -> Vec<Step> {
        let mut steps = vec![Step::Await(br#"0{"sid""#), Step::Send(b"40".to_vec()), Step::Await(br#"40{"sid""#)];
        if role == Role::Subscriber {
            for destination in destinations {
                steps.push(Step::Send(format!(r#"42["join","r{destination:05}"]"#).into_bytes()));
                steps.push(Step::Await(br#"42["joined""#));
            }
        }
        steps
    }

    fn publish(&self, destination: usize, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(format!(r#"42["publish","r{destination:05}",""#).as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(br#""]"#);
    }

    fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
        (payload == PING).then(|| PONG.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect() -> SocketIo {
        SocketIo::new("/socket.io/?EIO=4&transport=websocket")
    }

    #[test]
    fn a_subscriber_joins_each_room_and_waits_for_the_confirmation() {
        let steps = dialect().opening(Role::Subscriber, 7, &[0, 12]);
        assert_eq!(
            steps[3..],
            [
                Step::Send(br#"42["join","r00000"]"#.to_vec()),
                Step::Await(br#"42["joined""#),
                Step::Send(br#"42["join","r00012"]"#.to_vec()),
                Step::Await(br#"42["joined""#),
            ]
        );
    }

    #[test]
    fn a_publisher_joins_no_room() {
        let steps = dialect().opening(Role::Publisher, 0, &[0]);
        assert_eq!(steps.last(), Some(&Step::Await(br#"40{"sid""#)));
    }

    #[test]
    fn a_publication_is_appended_as_an_event() {
        let mut out = b"before ".to_vec();
        dialect().publish(3, b"a body", &mut out);
        assert_eq!(out, br#"before 42["publish","r00003","a body"]"#);
    }

    #[test]
    fn only_a_ping_is_answered() {
        assert_eq!(dialect().answer(b"2"), Some(b"3".to_vec()));
        assert_eq!(dialect().answer(br#"42["message","2"]"#), None);
    }
}
