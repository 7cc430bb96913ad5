//! Centrifuge's JSON protocol: commands, replies and pushes, one or more a message, a line each.

use super::{Dialect, Role, Step};

/// A ping is an empty object on a line of its own, and so is the answer.
const PING: &[u8] = b"{}";

/// A server of `bench/peers` that speaks it. Commands are numbered by their kind: each is confirmed before the next is sent,
/// or nobody waits for its reply.
#[derive(Debug)]
pub(crate) struct Centrifuge {
    request_target: String,
}

impl Centrifuge {
    /// `request_target` is the path of the peer's WebSocket: `/connection/websocket`.
    pub(crate) fn new(request_target: impl Into<String>) -> Self {
        Self { request_target: request_target.into() }
    }
}

impl Dialect for Centrifuge {
    fn request_target(&self, _: Role) -> String {
        self.request_target.clone()
    }

    fn headers(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn opening(&self, role: Role, _: usize, destinations: &[usize]) -> Vec<Step> {
        let mut steps = vec![Step::Send(br#"{"id":1,"connect":{}}"#.to_vec()), Step::Await(br#"{"id":1,"connect":"#)];
        if role == Role::Subscriber {
            for destination in destinations {
                let command = format!(r#"{{"id":2,"subscribe":{{"channel":"bench{destination:05}"}}}}"#);
                steps.push(Step::Send(command.into_bytes()));
                steps.push(Step::Await(br#"{"id":2,"subscribe":"#));
            }
        }
        steps
    }

    fn publish(&self, destination: usize, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(format!(r#"{{"id":3,"publish":{{"channel":"bench{destination:05}","data":""#).as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(br#""}}"#);
    }

    fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
        payload.split(|octet| *octet == b'\n').any(|line| line == PING).then(|| PING.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect() -> Centrifuge {
        Centrifuge::new("/connection/websocket")
    }

    #[test]
    fn a_subscriber_connects_and_waits_for_each_subscription() {
        let steps = dialect().opening(Role::Subscriber, 7, &[0, 12]);
        assert_eq!(
            steps,
            [
                Step::Send(br#"{"id":1,"connect":{}}"#.to_vec()),
                Step::Await(br#"{"id":1,"connect":"#),
                Step::Send(br#"{"id":2,"subscribe":{"channel":"bench00000"}}"#.to_vec()),
                Step::Await(br#"{"id":2,"subscribe":"#),
                Step::Send(br#"{"id":2,"subscribe":{"channel":"bench00012"}}"#.to_vec()),
                Step::Await(br#"{"id":2,"subscribe":"#),
            ]
        );
    }

    #[test]
    fn a_publisher_subscribes_to_nothing() {
        assert_eq!(dialect().opening(Role::Publisher, 0, &[0]).len(), 2);
    }

    #[test]
    fn a_publication_is_appended_as_a_command() {
        let mut out = b"before ".to_vec();
        dialect().publish(3, b"a body", &mut out);
        assert_eq!(out, br#"before {"id":3,"publish":{"channel":"bench00003","data":"a body"}}"#);
    }

    #[test]
    fn a_ping_is_answered_wherever_it_stands() {
        assert_eq!(dialect().answer(b"{}"), Some(b"{}".to_vec()));
        assert_eq!(dialect().answer(b"{\"id\":3,\"publish\":{}}\n{}"), Some(b"{}".to_vec()));
        assert_eq!(dialect().answer(br#"{"id":3,"publish":{}}"#), None);
    }
}
