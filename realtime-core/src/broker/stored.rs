//! A message that is kept for later: until a subscription goes live, or until it is acknowledged.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    broker::encoding::{Encoding, Handing, Head, Rests},
    history::Position,
    publication::Publication,
};

/// What a stored message takes beside its octets, rounded up.
const OVERHEAD: usize = 256;

/// A message with its names, ready to be encoded for whoever gets it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) message_id: Arc<str>,
    pub(super) destination: Arc<str>,
    pub(super) publication: Publication,
    /// Its place in the history of its destination, where that has one, and the token of it.
    pub(super) place: Option<(Position, Arc<str>)>,
}

/// What many queues hand out one after another is one message: what of it is the same for all consumers is encoded once.
#[derive(Debug, Default)]
pub(super) struct LastEncoded {
    message: Option<Arc<Stored>>,
    rests: Rests,
}

impl LastEncoded {
    fn rests_of(&mut self, message: &Arc<Stored>) -> &mut Rests {
        if self.message.as_ref().is_none_or(|last| !Arc::ptr_eq(last, message)) {
            *self = Self { message: Some(Arc::clone(message)), rests: Rests::default() };
        }
        &mut self.rests
    }
}

impl Stored {
    /// What it counts as against bounds: body, headers and names, and 256 octets for itself, so that empty ones count too.
    pub(super) fn octets(&self) -> usize {
        let Publication { headers, body, .. } = &self.publication;
        let headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        OVERHEAD + self.destination.len() + headers + body.len()
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.place.as_ref().map(|(position, _)| *position)
    }

    pub(super) fn encode(&self, encoding: &Encoding) -> Bytes {
        encoding.encode(&self.head(), &self.publication)
    }

    /// As a queue hands it out. Where `last` is of the same message, most of it is copied from there.
    pub(super) fn encode_handed(
        self: &Arc<Self>,
        encoding: &Encoding,
        handing: Handing,
        last: Option<&mut LastEncoded>,
    ) -> Bytes {
        let rests = last.map(|last| last.rests_of(self));
        encoding.encode_handed(&self.head(), &self.publication, handing, rests)
    }

    fn head(&self) -> Head<'_> {
        let position = self.place.as_ref().map(|(_, token)| &**token);
        Head { position, ..Head::new(&self.message_id, &self.destination) }
    }
}

#[cfg(test)]
mod tests {
    use parlor_stomp::Version;

    use super::*;
    use crate::{
        history::Epoch,
        websocket::{Opcode, encode_frame},
    };

    fn stored(body: &'static [u8], position: Option<&str>) -> Arc<Stored> {
        let mut publication = Publication::bytes(body).with_content_type("text/plain");
        publication.headers.push("colour", "a:b");
        let place = position.map(|token| (Position { epoch: Epoch::new(1), offset: 1 }, token.into()));
        Arc::new(Stored { message_id: "m-1".into(), destination: "/topic/a".into(), publication, place })
    }

    fn encoding(version: Version, subscription: &str) -> Encoding {
        Encoding::stomp(version, Some(subscription))
    }

    /// Consumers of all versions, of two messages, one of them text and one not.
    #[test]
    fn what_is_copied_from_the_message_before_is_what_would_be_encoded() {
        let mut last = LastEncoded::default();
        for message in [stored(b"hello", Some("p-1")), stored(b"\xff\0", None)] {
            for (number, version) in
                (1..).zip([Version::V1_2, Version::V1_2, Version::V1_1, Version::V1_0, Version::V1_2])
            {
                let encoding = encoding(version, "s:1");
                for is_redelivered in [false, true] {
                    let handing = Handing { ack: Some((7, number)), is_redelivered };
                    let alone = message.encode_handed(&encoding, handing, None);
                    assert_eq!(
                        message.encode_handed(&encoding, handing, Some(&mut last)),
                        alone,
                        "{version:?} {number}"
                    );
                }
            }
        }
    }

    /// Lengths at which the header of the WebSocket frame gets longer, and the longest names of deliveries.
    #[test]
    fn what_is_copied_is_as_long_as_its_header_says_whatever_its_length() {
        let names = [None, Some((7, 1)), Some((u64::MAX, u64::MAX))];
        for body in (0..130).chain(65_300..65_540).map(|octets| vec![b'x'; octets]) {
            let publication = Publication::bytes(body);
            let (message_id, destination) = ("m".into(), "/".into());
            let message = Arc::new(Stored { message_id, destination, publication, place: None });
            for (ack, is_redelivered) in names.into_iter().flat_map(|ack| [(ack, false), (ack, true)]) {
                let (encoding, handing) = (encoding(Version::V1_2, "0"), Handing { ack, is_redelivered });
                let copied = message.encode_handed(&encoding, handing, Some(&mut LastEncoded::default()));
                assert_eq!(copied, message.encode_handed(&encoding, handing, None), "{handing:?}");
            }
        }
    }

    #[test]
    fn each_version_is_encoded_once_in_whichever_order_consumers_come() {
        let mut last = LastEncoded::default();
        let message = stored(b"hello", None);
        let rests = |last: &LastEncoded| {
            format!("{:p} {:p}", last.rests.octets(Version::V1_1), last.rests.octets(Version::V1_2))
        };
        let mut seen = Vec::new();
        for version in [Version::V1_1, Version::V1_2, Version::V1_1, Version::V1_2] {
            message.encode_handed(&encoding(version, "0"), Handing::default(), Some(&mut last));
            seen.push(rests(&last));
        }
        assert_eq!(seen[1..], [&*seen[1]; 3]);
    }

    #[test]
    fn what_only_one_consumer_is_told_stands_in_front() {
        let handing = Handing { ack: Some((7, 12)), is_redelivered: true };
        let mut last = LastEncoded::default();
        let message = stored(b"hello", Some("p-1"));
        let rest = "message-id:m-1\ndestination:/topic/a\ncontent-type:text/plain\ncontent-length:5\nposition:p-1\ncolour:a\\cb\n\nhello\0";
        for subscription in ["0", "1"] {
            let wire = message.encode_handed(&encoding(Version::V1_2, subscription), handing, Some(&mut last));
            let text = format!("MESSAGE\nsubscription:{subscription}\nack:7.12\nredelivered:true\n{rest}");
            assert_eq!(wire, encode_frame(Opcode::Text, text.as_bytes()));
        }
        // Earlier versions know the message by its id.
        let wire = message.encode_handed(&encoding(Version::V1_1, "0"), handing, Some(&mut last));
        assert!(!wire.windows(4).any(|octets| octets == b"ack:"));
    }
}
