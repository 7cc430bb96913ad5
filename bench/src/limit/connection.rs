//! One client of the limit reference.

use crate::socket::Socket;

/// A connection, and where it is subscribed.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) kind: Kind,
    /// Ids and rooms.
    pub(super) subscriptions: Vec<(Vec<u8>, usize)>,
}

/// What a client wants, by its request target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// `/echo`: what it sends comes back.
    Echo,
    /// `/pub`: what it sends goes to all subscribers.
    Publisher,
    /// `/ws`: STOMP.
    Stomp,
    /// `/sub`: it listens.
    Subscriber,
    /// Its request has not come whole.
    Upgrading,
}

impl Connection {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, kind: Kind::Upgrading, subscriptions: Vec::new() }
    }
}

impl Kind {
    /// What a request's head asks for.
    pub(super) fn of_request(head: &[u8]) -> Self {
        match head.split(|octet| *octet == b' ').nth(1) {
            Some(b"/echo") => Self::Echo,
            Some(b"/pub") => Self::Publisher,
            Some(b"/sub") => Self::Subscriber,
            _ => Self::Stomp,
        }
    }
}

/// The value of a header in the head of a STOMP frame, each of whose lines ends with LF.
pub(super) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut lines = head.split(|octet| *octet == b'\n').skip(1);
    lines.find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_target_says_what_a_client_wants() {
        assert_eq!(Kind::of_request(b"GET /sub HTTP/1.1\r\nHost: a"), Kind::Subscriber);
        assert_eq!(Kind::of_request(b"GET /ws HTTP/1.1\r\nHost: a"), Kind::Stomp);
    }

    #[test]
    fn a_header_is_found_by_its_whole_name() {
        let head = b"SEND\ndestination-type:1\ndestination:/topic/a\n";
        assert_eq!(header(head, "destination"), Some(&b"/topic/a"[..]));
        assert_eq!(header(head, "receipt"), None);
    }
}
