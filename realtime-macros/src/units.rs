//! Rates and sizes as people write them: `"5/s"`, `"3/10s"`, `"4 KiB"`.

/// So many messages in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) count: u64,
    pub(crate) seconds: u64,
}

/// The longest time of a rate, a day: a longer one is a quota, which has to outlive the process.
const MAX_SECONDS: u64 = 86_400;

/// Reads a count, a slash, and a time of one or more seconds, minutes or hours.
pub(crate) fn rate(text: &str) -> Option<Rate> {
    let (count, time) = text.split_once('/')?;
    let count = u32::try_from(number(count.trim())?).ok()?.into();
    let time = time.trim();
    let (many, unit) = time.split_at(time.find(|char: char| !char.is_ascii_digit())?);
    let unit = match unit.trim_start() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    let many = if many.is_empty() { 1 } else { number(many)? };
    let seconds = many.checked_mul(unit).filter(|seconds| *seconds <= MAX_SECONDS)?;
    Some(Rate { count, seconds })
}

/// Reads octets with the unit `B`, `KiB` or `MiB`.
pub(crate) fn size(text: &str) -> Option<usize> {
    let (many, unit) = text.split_at(text.find(|char: char| !char.is_ascii_digit())?);
    let unit = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    number(many)?.checked_mul(unit)?.try_into().ok()
}

/// A whole number of at least one, in digits alone.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, count, seconds) in [
            ("5/s", 5, 1),
            ("100/min", 100, 60),
            ("10/h", 10, 3600),
            ("3/10s", 3, 10),
            ("1 / 2 min", 1, 120),
            ("1/24h", 1, 86_400),
        ] {
            assert_eq!(rate(text), Some(Rate { count, seconds }), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_rate_is_refused() {
        for text in
            ["", "5", "5/", "/s", "0/s", "5/0s", "-5/s", "5/d", "5/ms", "5 per s", "5.5/s", "4294967296/s", "1/25h"]
        {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, octets) in [("512 B", 512), ("4 KiB", 4096), ("64KiB", 65_536), ("1 MiB", 1_048_576)] {
            assert_eq!(size(text), Some(octets), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused() {
        for text in ["", "4", "KiB", "0 B", "4 KB", "4 kib", "-1 B", "4 KiB!", "1.5 MiB", "18446744073709551615 MiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
