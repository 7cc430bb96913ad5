//! What a body begins with, so that a delivery can be judged by itself, whatever a server wrapped it in.
//!
//! ```text
//! @=: 0a 00007 0000012 00000b2e5a1c0f3 xxxxx…
//! |   |  |     |       |               +- filler, up to the size that was asked for
//! |   |  |     |       +- when it was sent, in nanoseconds of the monotonic clock
//! |   |  |     +- its number in its stream
//! |   |  +- the stream: one publisher's messages to one destination
//! |   +- the run, so that what a server still held of an earlier one is not counted
//! +- the marker              (without the spaces; hexadecimal)
//! ```

/// What no server writes by itself.
pub(crate) const MARKER: &[u8; 3] = b"@=:";

/// Octets of a stamp, and so the smallest body.
pub(crate) const LENGTH: usize = 32;

const RUN: std::ops::Range<usize> = 3..5;
const STREAM: std::ops::Range<usize> = 5..10;
const NUMBER: std::ops::Range<usize> = 10..17;
const SENT: std::ops::Range<usize> = 17..32;

/// The facts of one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    pub(crate) run: u8,
    /// Below 2^20.
    pub(crate) stream: u32,
    /// Below 2^28.
    pub(crate) number: u32,
    /// Below 2^60: machines that have run for 36 years are not measured.
    pub(crate) sent: u64,
}

impl Stamp {
    /// The stamp that `octets` begin with: the marker and [`LENGTH`] octets in all.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let octets = octets.get(..LENGTH)?;
        Some(Self {
            run: u8::try_from(hexadecimal(&octets[RUN])?).ok()?,
            stream: u32::try_from(hexadecimal(&octets[STREAM])?).ok()?,
            number: u32::try_from(hexadecimal(&octets[NUMBER])?).ok()?,
            sent: hexadecimal(&octets[SENT])?,
        })
    }

    /// Writes it over the beginning of a body of at least [`LENGTH`] octets.
    pub(crate) fn write(self, body: &mut [u8]) {
        body[..MARKER.len()].copy_from_slice(MARKER);
        write_hexadecimal(self.run.into(), &mut body[RUN]);
        write_hexadecimal(self.stream.into(), &mut body[STREAM]);
        write_hexadecimal(self.number.into(), &mut body[NUMBER]);
        write_hexadecimal(self.sent, &mut body[SENT]);
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

fn write_hexadecimal(mut value: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 0xF) as usize];
        value >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(run: u8, stream in 0_u32..1 << 20, number in 0_u32..1 << 28, sent in 0_u64..1 << 60) {
            let stamp = Stamp { run, stream, number, sent };
            let mut body = [b'x'; 40];
            stamp.write(&mut body);
            prop_assert_eq!(Stamp::read(&body), Some(stamp));
            prop_assert_eq!(&body[LENGTH..], b"xxxxxxxx");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_number_is_no_stamp() {
        let mut body = [b'x'; LENGTH];
        Stamp { run: 1, stream: 2, number: 3, sent: 4 }.write(&mut body);
        assert_eq!(Stamp::read(&body[..LENGTH - 1]), None);
        body[12] = b'g';
        assert_eq!(Stamp::read(&body), None);
    }
}
