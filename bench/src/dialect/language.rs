//! What a dialect must know of one server, and how a scenario wants it spoken.

use parlor_stomp::AckMode;
use serde::Deserialize;

/// What a server expects: the part of `peer.toml` that a dialect reads.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Language {
    /// `stomp`, `raw` or another name that [`of`](super::of) knows.
    pub(crate) dialect: String,
    /// The request target of the upgrade.
    #[serde(default = "default_path")]
    pub(crate) path: String,
    /// How the destination of a number is called; `{n}` is the number, of always five digits.
    #[serde(default = "default_destination")]
    pub(crate) destination: String,
    /// For CONNECT.
    #[serde(default)]
    pub(crate) login: Option<String>,
    /// For CONNECT.
    #[serde(default)]
    pub(crate) passcode: Option<String>,
    /// `sends,expects` of CONNECT, in milliseconds. The generator beats whenever the server did.
    #[serde(default)]
    pub(crate) heart_beat: Option<String>,
    /// Whether SUBSCRIBE is answered by a RECEIPT. Where it is not, a message that arrives tells.
    #[serde(default = "default_receipts")]
    pub(crate) receipts: bool,
}

impl Language {
    /// Another server's, by default.
    pub(crate) fn new(dialect: &str) -> Self {
        Self {
            dialect: dialect.to_owned(),
            path: default_path(),
            destination: default_destination(),
            login: None,
            passcode: None,
            heart_beat: None,
            receipts: true,
        }
    }

    /// The name of a destination.
    pub(crate) fn destination(&self, number: usize) -> String {
        // Always of the same length, so that frames are.
        self.destination.replace("{n}", &format!("{number:05}"))
    }
}

/// How a scenario differs from the plain case: one subscription id for all, nothing acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Variation {
    /// Distinct subscription ids among all subscribers.
    pub(crate) ids: usize,
    /// How subscriptions are acknowledged; each message is, unless it is by itself.
    pub(crate) ack: AckMode,
    /// Messages go to a typed handler and are answered, instead of being published.
    pub(crate) echo: bool,
    /// What CONNECT offers in heart-beats where the language says nothing.
    pub(crate) heart_beat: Option<String>,
    /// Ask the limit reference, or a plain echo, for frames of so many octets on the wire.
    pub(crate) frame: Option<usize>,
}

impl Default for Variation {
    fn default() -> Self {
        Self { ids: 1, ack: AckMode::Auto, echo: false, heart_beat: None, frame: None }
    }
}

fn default_path() -> String {
    "/ws".to_owned()
}

fn default_destination() -> String {
    "/topic/bench-{n}".to_owned()
}

fn default_receipts() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_destinations_have_one_length() {
        let language = Language::new("stomp");
        assert_eq!(language.destination(7), "/topic/bench-00007");
        assert_eq!(language.destination(99_999).len(), language.destination(0).len());
    }
}
