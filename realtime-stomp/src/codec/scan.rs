//! Looking for octets: the only loops that touch each octet of a frame.
//!
//! Blocks without a hit are skipped whole. A block is judged without a branch inside, so that the compiler can look at
//! all of it at once.

/// Octets that are judged together; two of the registers that every 64-bit machine has.
const BLOCK: usize = 32;

/// Where the first octet stands that `wanted` accepts.
pub(super) fn find(octets: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let hit = |block: &[u8]| block.iter().fold(false, |hit, octet| hit | wanted(*octet));
    let skipped = octets.chunks_exact(BLOCK).take_while(|block| !hit(block)).count() * BLOCK;
    octets[skipped..].iter().position(|octet| wanted(*octet)).map(|place| skipped + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hit_is_found_wherever_it_stands() {
        for length in 0..3 * BLOCK {
            for place in 0..length {
                let mut octets = vec![b'a'; length];
                octets[place..].fill(b'\n');
                assert_eq!(find(&octets, |octet| octet == b'\n'), Some(place));
            }
            assert_eq!(find(&vec![b'a'; length], |octet| octet == b'\n'), None);
        }
    }
}
