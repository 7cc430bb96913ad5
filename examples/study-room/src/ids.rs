//! Random ids: they cannot be guessed and say nothing about how many there are.

/// An id of `OCTETS` random octets in hexadecimal digits.
///
/// # Errors
/// When the operating system has no randomness to give.
pub(crate) fn random_id<const OCTETS: usize>() -> Result<String, getrandom::Error> {
    let mut octets = [0; OCTETS];
    getrandom::fill(&mut octets)?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}
