//! Protocol versions and their negotiation.

use std::{fmt, str::FromStr};

/// Why a text is no version.
///
/// ```
/// use parlor_stomp::Version;
///
/// let error = "1.3".parse::<Version>().unwrap_err();
/// assert_eq!(error.to_string(), "the versions of STOMP are 1.0, 1.1 and 1.2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the versions of STOMP are 1.0, 1.1 and 1.2")]
#[non_exhaustive]
pub struct ParseVersionError;

/// A protocol version. The order is that of age.
///
/// ```
/// use parlor_stomp::Version;
///
/// assert_eq!(Version::negotiate(Some("1.1, 1.2, 2.0")), Some(Version::V1_2));
/// assert_eq!(Version::negotiate(None), Some(Version::V1_0), "clients of 1.0 name none");
/// assert_eq!(Version::negotiate(Some("2.0")), None);
/// assert!(Version::V1_1 < Version::V1_2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the specification's set is closed")]
pub enum Version {
    /// [STOMP 1.0](https://stomp.github.io/stomp-specification-1.0.html): no escapes, no heart-beats, ids optional.
    V1_0,
    /// [STOMP 1.1](https://stomp.github.io/stomp-specification-1.1.html): escapes for LF, colon and backslash.
    V1_1,
    /// [STOMP 1.2](https://stomp.github.io/stomp-specification-1.2.html): an escape for CR, and CR LF line ends.
    V1_2,
}

impl Version {
    /// What a server speaks, as ERROR lists it after a failed negotiation.
    pub const ALL: &str = "1.0,1.1,1.2";

    /// The version as it stands in headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// The highest version of an `accept-version` list; 1.0 where there is no list, `None` where none is known.
    ///
    /// Unknown versions are skipped and the order does not matter
    /// ([Protocol Negotiation](https://stomp.github.io/stomp-specification-1.2.html#protocol_negotiation)).
    #[must_use]
    pub fn negotiate(accept_version: Option<&str>) -> Option<Self> {
        match accept_version {
            None => Some(Self::V1_0),
            Some(list) => list.split(',').filter_map(|item| item.trim().parse().ok()).max(),
        }
    }
}

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        [Self::V1_0, Self::V1_1, Self::V1_2]
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or(ParseVersionError)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
