//! The requests of a connection that were read and wait for their turn, and what they cost.
//!
//! Most connections are idle and keep no room for what they once sent.

use std::collections::VecDeque;

use parlor_stomp::Request;

/// Octets charged for each frame beside its headers and body, so that empty frames count too.
const FRAME_COST: usize = 256;

/// Requests, the oldest first. What may be in it at most is for the reader to see to.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Boxed, for a request is handed on and on while it is answered.
    first: Option<Box<Request>>,
    /// Those behind it: most of the time there are none.
    more: Option<Box<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Box<Request>>,
    octets: usize,
}

impl Inbox {
    pub(super) fn push(&mut self, request: Request) {
        if self.first.is_none() {
            self.first = Some(Box::new(request));
            return;
        }
        let more = self.more.get_or_insert_default();
        more.octets += cost(&request);
        more.requests.push_back(Box::new(request));
    }

    pub(super) fn pop(&mut self) -> Option<Box<Request>> {
        let request = self.first.take()?;
        if let Some(more) = &mut self.more {
            self.first = more.requests.pop_front();
            more.octets -= self.first.as_deref().map_or(0, cost);
        }
        if self.more.as_ref().is_some_and(|more| more.requests.is_empty()) {
            self.more = None;
        }
        Some(request)
    }

    pub(super) fn first(&self) -> Option<&Request> {
        self.first.as_deref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(!self.is_empty()) + self.more.as_ref().map_or(0, |more| more.requests.len())
    }

    /// What the requests cost.
    pub(super) fn octets(&self) -> usize {
        self.first().map_or(0, cost) + self.more.as_ref().map_or(0, |more| more.octets)
    }
}

fn cost(request: &Request) -> usize {
    FRAME_COST + request.octets()
}

#[cfg(test)]
mod tests {
    use parlor_stomp::{ServerConfig, ServerSession};

    use super::*;

    #[test]
    fn requests_come_out_in_their_order_and_an_empty_inbox_costs_nothing() {
        let (mut session, mut inbox) = (ServerSession::new(ServerConfig::default()), Inbox::default());
        let begins = "BEGIN\ntransaction:a\nreceipt:1\n\n\0BEGIN\ntransaction:b\nreceipt:2\n\n\0";
        session.handle_input(format!("CONNECT\naccept-version:1.2\n\n\0{begins}").into());
        assert!(matches!(session.poll_request(), Some(Request::Connect(_))));
        std::iter::from_fn(|| session.poll_request()).for_each(|request| inbox.push(request));
        assert_eq!((inbox.len(), inbox.first().and_then(Request::receipt)), (2, Some("1")));
        assert!(inbox.octets() >= 2 * FRAME_COST);
        for receipt in ["1", "2"] {
            assert_eq!(inbox.pop().as_deref().and_then(Request::receipt), Some(receipt));
        }
        assert!(inbox.is_empty() && inbox.pop().is_none());
        assert_eq!((inbox.len(), inbox.octets()), (0, 0));
    }
}
