//! What a journal keeps of a message.

use std::sync::Arc;

use crate::publication::Publication;

/// What an entry takes beside its octets: its places in the ring and on the heap, rounded up.
const OVERHEAD: usize = 256;

/// One message of a destination's history: what is delivered, and delivered again.
///
/// ```
/// use parlor_core::{broker::Publication, history::Entry};
///
/// let empty = Entry::new("1", Publication::bytes(""));
/// let full = Entry::new("1", Publication::bytes("hello"));
/// assert_eq!(full.octets(), empty.octets() + 5);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The message's id, the same in every delivery.
    pub message_id: Arc<str>,
    /// Headers, content type and body.
    pub publication: Publication,
}

impl Entry {
    /// An entry of this id and content.
    pub fn new(message_id: impl Into<Arc<str>>, publication: Publication) -> Self {
        Self { message_id: message_id.into(), publication }
    }

    /// What it counts as: its body, header names and values, content type and message id, and 256 octets for itself, so that
    /// empty messages count too.
    #[must_use]
    pub fn octets(&self) -> usize {
        let Publication { headers, content_type, body } = &self.publication;
        let headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        OVERHEAD + self.message_id.len() + content_type.as_deref().map_or(0, str::len) + headers + body.len()
    }

    /// The entry with a body of its own.
    pub(super) fn into_owned(self) -> Self {
        Self { publication: self.publication.into_kept(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn everything_that_an_entry_holds_is_counted_and_itself_too() {
        let empty = Entry::new("", Publication::default());
        assert_eq!(empty.octets(), 256);
        let publication = Publication::bytes("12345").with_content_type("abc").with_header("name", "value");
        assert_eq!(Entry::new("id", publication).octets(), 256 + 5 + 3 + 9 + 2);
    }

    #[test]
    fn an_owned_body_is_no_part_of_a_larger_one() {
        let read = Bytes::from(vec![b'x'; 65_536]);
        let entry = Entry::new("m", Publication::bytes(read.slice(100..103))).into_owned();
        assert_eq!(entry.publication.body, "xxx");
        assert!(!read.as_ptr_range().contains(&entry.publication.body.as_ptr()));
    }
}
