//! One subscriber among thousands that is a real client: everything it receives passes the client's state machine.

use std::error::Error;

use bytes::Bytes;
use parlor_stomp::{ClientEvent, ClientSession};

use crate::stamp::{self, Stamp};

/// Reads along and judges: frames are whole, and say of each message the subscription, the destination and an id.
#[derive(Debug)]
pub(crate) struct Witness {
    session: ClientSession,
    /// Subscription ids and the destinations they stand for.
    expected: Vec<(String, String)>,
    last_id: String,
    messages: u64,
}

impl Witness {
    /// One who has said CONNECT and SUBSCRIBE.
    pub(crate) fn new(session: ClientSession, expected: Vec<(String, String)>) -> Self {
        Self { session, expected, last_id: String::new(), messages: 0 }
    }

    /// Messages that were good.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Reads the payload of one WebSocket message.
    ///
    /// # Errors
    /// What a client would stumble over.
    pub(crate) fn read(&mut self, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        self.session.handle_input(Bytes::copy_from_slice(payload));
        while let Some(event) = self.session.poll_event()? {
            match event {
                ClientEvent::Message(message) => {
                    let (id, destination) = (message.subscription(), message.destination());
                    let stands = self.expected.iter().any(|(subscription, topic)| {
                        Some(subscription.as_str()) == id && Some(topic.as_str()) == destination
                    });
                    if !stands {
                        return Err(format!("a MESSAGE of {destination:?} came for the subscription {id:?}").into());
                    }
                    let message_id = message.message_id().ok_or("a MESSAGE has no message-id")?;
                    if message_id == self.last_id {
                        return Err(format!("two MESSAGEs have the message-id {message_id}").into());
                    }
                    message_id.clone_into(&mut self.last_id);
                    let stamped = memchr::memmem::find(&message.body, stamp::MARKER)
                        .and_then(|start| Stamp::read(&message.body[start..]));
                    stamped.ok_or("the body of a MESSAGE is not what was sent")?;
                    self.messages += 1;
                }
                ClientEvent::Connected(_) | ClientEvent::Receipt(_) => {}
                other => return Err(format!("instead of a MESSAGE came {other:?}").into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use parlor_stomp::{AckMode, ClientConfig};

    use super::*;

    fn witness() -> Witness {
        let mut session = ClientSession::new(ClientConfig::default());
        session.connect();
        session.subscribe("sub-0", "/topic/a", AckMode::Auto, None);
        let mut witness = Witness::new(session, vec![("sub-0".to_owned(), "/topic/a".to_owned())]);
        witness.read(b"CONNECTED\nversion:1.2\n\n\0").expect("a client can read that");
        witness
    }

    fn message(subscription: &str, id: &str) -> Vec<u8> {
        let mut body = [b'x'; stamp::LENGTH];
        Stamp { run: 1, stream: 2, number: 3, sent: 4 }.write(&mut body);
        let head = format!("MESSAGE\nsubscription:{subscription}\nmessage-id:{id}\ndestination:/topic/a\n\n");
        [head.as_bytes(), &body, b"\0"].concat()
    }

    #[test]
    fn good_messages_are_counted() {
        let mut witness = witness();
        witness.read(&message("sub-0", "1")).expect("it is good");
        witness.read(&message("sub-0", "2")).expect("it is good");
        assert_eq!(witness.messages(), 2);
    }

    #[test]
    fn a_wrong_subscription_a_repeated_id_and_a_broken_frame_are_found() {
        assert!(witness().read(&message("sub-1", "1")).is_err());
        let mut witness = witness();
        witness.read(&message("sub-0", "1")).expect("it is good");
        assert!(witness.read(&message("sub-0", "1")).is_err());
        assert!(self::witness().read(b"MESSAGE\nno colon\n\n\0").is_err());
    }
}
