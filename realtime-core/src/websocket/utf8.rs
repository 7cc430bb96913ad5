//! UTF-8 validation of a text that comes in pieces, failing at the first octet that proves it wrong.

/// What was seen of a text so far: at most three octets of a character that is not complete.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8Stream {
    partial: [u8; 4],
    len: u8,
}

/// The octets cannot be the beginning of any UTF-8 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

impl Utf8Stream {
    /// Looks at the next piece.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), NotUtf8> {
        while self.len > 0 {
            let Some((first, rest)) = piece.split_first() else { return Ok(()) };
            self.partial[usize::from(self.len)] = *first;
            self.len += 1;
            piece = rest;
            match std::str::from_utf8(&self.partial[..usize::from(self.len)]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return Err(NotUtf8),
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(NotUtf8),
            Err(error) => {
                let rest = &piece[error.valid_up_to()..];
                self.partial[..rest.len()].copy_from_slice(rest);
                // At most three octets.
                self.len = rest.len() as u8;
                Ok(())
            }
        }
    }

    /// Whether the text may end here.
    pub(super) fn is_complete(self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_cut_gives_the_same_verdict(octets: Vec<u8>, cuts: Vec<usize>) {
            let mut stream = Utf8Stream::default();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (octets.len() + 1)).collect();
            cuts.extend([0, octets.len()]);
            cuts.sort_unstable();
            let verdict = cuts.windows(2).try_for_each(|pair| stream.push(&octets[pair[0]..pair[1]]));
            prop_assert_eq!(verdict.is_ok() && stream.is_complete(), std::str::from_utf8(&octets).is_ok());
        }

        #[test]
        fn text_passes_octet_by_octet(text: String) {
            let mut stream = Utf8Stream::default();
            for octet in text.bytes() {
                prop_assert_eq!(stream.push(&[octet]), Ok(()));
            }
            prop_assert!(stream.is_complete());
        }
    }

    #[test]
    fn a_surrogate_fails_before_it_is_complete() {
        let mut stream = Utf8Stream::default();
        assert_eq!(stream.push(&[0xED]), Ok(()));
        assert_eq!(stream.push(&[0xA0]), Err(NotUtf8));
    }
}
