//! What a client logs, one JSON object a line.

use serde::{Deserialize, Serialize};

/// One line of a log: what happened to a client, and when.
///
/// ```
/// use delivery_check::{Event, Record};
///
/// let line = r#"{"at":17,"client":"p3","event":"send","destination":"/topic/a","id":"p3-1"}"#;
/// let record: Record = serde_json::from_str(line).unwrap();
/// assert_eq!(record.event, Event::Send { destination: "/topic/a".into(), id: "p3-1".into() });
/// assert_eq!(serde_json::to_string(&record).unwrap(), line);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds on a clock that all clients of a run share and that never goes back.
    pub at: u64,
    /// Who logs it. A client has one subscription to a destination at most; a second one logs under another name.
    pub client: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen to a client. Each client's lines stand in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A message was given to the application. Logged when the application has it, not when it came.
    Deliver {
        /// Of the subscription.
        destination: String,
        /// The message's.
        id: String,
    },
    /// The subscriber stopped listening here, after it had waited for everything that had its receipt by then.
    Ended {
        /// Of the subscription.
        destination: String,
    },
    /// The receipt of a SEND came.
    Receipt {
        /// The message's.
        id: String,
    },
    /// The subscription is in force again after a reconnect.
    Resumed {
        /// Of the subscription.
        destination: String,
        /// Whether the server promised that nothing is missing.
        recovered: bool,
    },
    /// A message is about to be sent. Logged once, before its first octet; sending it again with its key logs nothing.
    Send {
        /// Where to.
        destination: String,
        /// Unique in all logs of a run.
        id: String,
    },
    /// The server has confirmed the subscription.
    Subscribed {
        /// Of the subscription.
        destination: String,
    },
    /// The sender gave up on a message: it may have been accepted or not.
    Unknown {
        /// The message's.
        id: String,
    },
}
