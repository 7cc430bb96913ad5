//! What a server says when it refuses something: an ERROR frame, or a message on the error queue.

use std::{fmt, time::Duration};

use parlor_stomp::Headers;
use serde::Deserialize;
use serde_json::Value;

/// A refusal, as the server told it.
///
/// The codes of Parlor are listed in its `docs/codes.md`; applications add their own.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::Client;
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut refusals = client.refusals();
/// client.send("/app/nowhere").json("hello").await?;
/// let refusal = refusals.recv().await?;
/// match refusal.code.as_deref() {
///     Some("rate-limited") => println!("again in {:?}", refusal.retry_after),
///     _ => println!("{refusal}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What to switch on, where the server says one.
    pub code: Option<String>,
    /// A sentence for people.
    pub message: String,
    /// What was refused: the destination of the SEND or SUBSCRIBE, where the server says it.
    pub destination: Option<String>,
    /// More about it, as the application's handler gave it.
    pub details: Option<Value>,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Body {
    message: String,
    #[serde(default)]
    details: Option<Value>,
}

impl Refusal {
    /// From the headers and body of ERROR or of a message on the error queue.
    pub(crate) fn new(headers: &Headers, body: &[u8]) -> Self {
        let owned = |name| headers.get(name).map(str::to_owned);
        let told = serde_json::from_slice::<Body>(body).ok();
        let (message, details) = told.map_or((None, None), |body| (Some(body.message), body.details));
        Self {
            code: owned("code"),
            message: message.or_else(|| owned("message")).unwrap_or_else(|| "refused without a reason".to_owned()),
            destination: owned("refused-destination"),
            details,
            retry_after: headers.get("retry-after").and_then(milliseconds),
        }
    }
}

impl Refusal {
    /// Whether an ERROR says that somebody was slow or silent, and not that something is wrong with a frame.
    pub(crate) fn is_about_time(&self) -> bool {
        matches!(self.code.as_deref(), Some("frame-timeout" | "heart-beat-timeout" | "slow-consumer" | "slow-handler"))
    }
}

/// A plain decimal number of milliseconds.
pub(crate) fn milliseconds(digits: &str) -> Option<Duration> {
    digits.trim().parse().ok().map(Duration::from_millis)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} ({code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_message_tells_code_sentence_details_and_when_to_come_back() {
        let headers = [("code", "rate-limited"), ("refused-destination", "/app/a"), ("retry-after", "1500")];
        let refusal = Refusal::new(
            &headers.into_iter().collect(),
            br#"{"code":"rate-limited","message":"Slow down.","details":{"left":0}}"#,
        );
        assert_eq!(refusal.to_string(), "Slow down. (rate-limited)");
        assert_eq!(refusal.retry_after, Some(Duration::from_millis(1500)));
        assert_eq!(refusal.destination.as_deref(), Some("/app/a"));
        assert_eq!(refusal.details.unwrap()["left"], 0);
    }

    #[test]
    fn an_error_of_another_server_is_told_by_its_message_header() {
        let refusal = Refusal::new(&[("message", "no access")].into_iter().collect(), b"more about it");
        assert_eq!((refusal.to_string().as_str(), refusal.code), ("no access", None));
    }
}
