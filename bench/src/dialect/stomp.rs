//! STOMP 1.2, by the state machine of Parlor's own client.

use parlor_stomp::{AckMode, ClientConfig, ClientSession};

use super::{Dialect, Language, Role, Step, Variation, Witness};

/// The receipt of the last SUBSCRIBE, for servers that give any.
const SUBSCRIBED: &str = "subscribed";

/// The header by which the limit reference is asked for the size of its frames.
pub(crate) const FRAME: &str = "frame";

/// STOMP to one kind of server.
#[derive(Debug)]
pub(crate) struct Stomp {
    language: Language,
    variation: Variation,
}

impl Stomp {
    pub(crate) fn new(language: Language, variation: Variation) -> Self {
        Self { language, variation }
    }

    /// A session that has said CONNECT and SUBSCRIBE; the octets of each are for the caller to send.
    fn session(&self, subscriber: usize, destinations: &[usize]) -> ClientSession {
        let heart_beat = self.language.heart_beat.as_ref().or(self.variation.heart_beat.as_ref());
        let heart_beat = heart_beat.and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut config = ClientConfig::default().accept_version(Some("1.2")).heart_beat(heart_beat);
        for (name, value) in [("login", &self.language.login), ("passcode", &self.language.passcode)] {
            if let Some(value) = value {
                config = config.header(name, value);
            }
        }
        let mut session = ClientSession::new(config);
        session.connect();
        for (place, destination) in destinations.iter().enumerate() {
            // The server confirms subscriptions in their order.
            let receipt = (self.language.receipts && place + 1 == destinations.len()).then_some(SUBSCRIBED);
            session.subscribe(&self.id(subscriber, place), &self.subscribed(*destination), self.variation.ack, receipt);
        }
        session
    }

    /// The id of a subscriber's subscription.
    fn id(&self, subscriber: usize, place: usize) -> String {
        match self.variation.ids {
            ..2 => format!("sub-{place}"),
            // Of one length, whoever it is.
            ids => format!("sub-{:05}-{place}", subscriber % ids),
        }
    }

    /// Where a subscriber of a destination subscribes.
    fn subscribed(&self, destination: usize) -> String {
        if self.variation.echo { "/user/queue/replies".to_owned() } else { self.language.destination(destination) }
    }
}

impl Dialect for Stomp {
    fn request_target(&self, _: Role) -> String {
        self.language.path.clone()
    }

    fn headers(&self) -> Vec<(String, String)> {
        vec![("Sec-WebSocket-Protocol".to_owned(), "v12.stomp".to_owned())]
    }

    fn opening(&self, _: Role, subscriber: usize, destinations: &[usize]) -> Vec<Step> {
        let mut session = self.session(subscriber, destinations);
        let mut steps = Vec::new();
        while let Some(frame) = session.poll_transmit() {
            steps.push(Step::Send(frame.bytes.into()));
            if steps.len() == 1 {
                steps.push(Step::Await(b"CONNECTED"));
            }
        }
        if self.language.receipts && !destinations.is_empty() {
            steps.push(Step::Await(b"RECEIPT"));
        }
        steps
    }

    fn publish(&self, destination: usize, body: &[u8], out: &mut Vec<u8>) {
        // As `ClientSession::send` writes it.
        out.extend_from_slice(b"SEND\ndestination:");
        if self.variation.echo {
            out.extend_from_slice(b"/app/echo\ncontent-type:application/json");
        } else {
            out.extend_from_slice(self.language.destination(destination).as_bytes());
        }
        if let Some(octets) = self.variation.frame {
            out.extend_from_slice(format!("\n{FRAME}:{octets}").as_bytes());
        }
        let quotes: &[u8] = if self.variation.echo { b"\"" } else { b"" };
        out.extend_from_slice(format!("\ncontent-length:{}\n\n", body.len() + 2 * quotes.len()).as_bytes());
        for part in [quotes, body, quotes, b"\0"] {
            out.extend_from_slice(part);
        }
    }

    fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
        // A heart-beat for a heart-beat.
        if payload == b"\n" {
            return Some(b"\n".to_vec());
        }
        let start = memchr::memmem::find(payload, b"\nack:")? + 5;
        let id = payload[start..].split(|octet| *octet == b'\n').next()?;
        Some([b"ACK\nid:", id, b"\n\n\0"].concat())
    }

    fn answers_deliveries(&self) -> bool {
        self.variation.ack != AckMode::Auto
    }

    fn witness(&self, subscriber: usize, destinations: &[usize]) -> Option<Witness> {
        let mut session = self.session(subscriber, destinations);
        while session.poll_transmit().is_some() {}
        let expected = destinations.iter().enumerate();
        let expected = expected.map(|(place, destination)| (self.id(subscriber, place), self.subscribed(*destination)));
        Some(Witness::new(session, expected.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stomp(variation: Variation) -> Stomp {
        Stomp::new(Language::new("stomp"), variation)
    }

    #[test]
    fn a_subscriber_connects_subscribes_and_waits_for_its_receipt() {
        let steps = stomp(Variation::default()).opening(Role::Subscriber, 3, &[7]);
        assert_eq!(steps[1], Step::Await(b"CONNECTED"));
        assert_eq!(steps[3], Step::Await(b"RECEIPT"));
        let Step::Send(subscribe) = &steps[2] else { panic!("SUBSCRIBE is sent") };
        assert_eq!(
            String::from_utf8_lossy(subscribe),
            "SUBSCRIBE\nid:sub-0\ndestination:/topic/bench-00007\nack:auto\nreceipt:subscribed\n\n\0"
        );
    }

    #[test]
    fn what_is_published_is_what_the_client_would_send() {
        let mut session = ClientSession::new(ClientConfig::default());
        session.send("/topic/bench-00002", b"body", &[], None);
        let expected = session.poll_transmit().expect("a SEND is queued").bytes;
        let mut payload = Vec::new();
        stomp(Variation::default()).publish(2, b"body", &mut payload);
        assert_eq!(payload, expected);
    }

    #[test]
    fn subscription_ids_are_as_many_as_were_asked_for() {
        let stomp = stomp(Variation { ids: 3, ..Variation::default() });
        let ids: std::collections::BTreeSet<_> = (0..100).map(|subscriber| stomp.id(subscriber, 0)).collect();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn messages_are_acknowledged_by_their_ack_header_and_heart_beats_by_heart_beats() {
        let stomp = stomp(Variation { ack: AckMode::ClientIndividual, ..Variation::default() });
        assert!(stomp.answers_deliveries());
        let answer = stomp.answer(b"MESSAGE\nsubscription:0\nack:a-17\nmessage-id:1\n\nbody\0");
        assert_eq!(answer.as_deref(), Some(&b"ACK\nid:a-17\n\n\0"[..]));
        assert_eq!(stomp.answer(b"\n").as_deref(), Some(&b"\n"[..]));
        assert_eq!(stomp.answer(b"RECEIPT\nreceipt-id:1\n\n\0"), None);
    }
}
