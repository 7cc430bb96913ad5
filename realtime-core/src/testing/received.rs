//! What a test looks at: messages, refusals, and how a connection ended.

use std::{fmt, time::Duration};

use bytes::Bytes;
use parlor_stomp::{Headers, MessageEvent};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::testing::trace::shown;

/// A MESSAGE that a subscription received.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let news = TestClient::connect(&realtime, "ada").await.subscribe("/topic/news").await;
/// realtime.broker().publish("/topic/news", &["a", "b"]).await?;
/// let message = news.expect_message().await;
/// assert_eq!(message.destination(), "/topic/news");
/// assert_eq!(message.header("content-type"), Some("application/json"));
/// assert_eq!((message.text(), message.json::<Vec<String>>().len()), (r#"["a","b"]"#, 2));
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestMessage {
    headers: Headers,
    body: Bytes,
}

/// A SEND or SUBSCRIBE that the server refused, or a failure that it told on the error queue.
///
/// ```
/// use parlor_core::{
///     Realtime,
///     app::{Rejection, Route, Router},
///     auth::Anonymous,
///     testing::TestClient,
/// };
///
/// async fn buy(_: String) -> Result<(), Rejection> {
///     Err(Rejection::new("sold-out", "There is nothing left."))
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let routes = Router::new().mount(Route::message("/app/buy", buy)).with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// let refusal = ada.send_text("/app/buy", "tea").refused("sold-out").await;
/// assert_eq!(refusal.destination, "/app/buy");
/// assert_eq!(refusal.to_string(), "sold-out: There is nothing left.");
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The stable code, `forbidden` say.
    pub code: String,
    /// The sentence for people.
    pub message: String,
    /// The destination that was refused; empty where the server named none.
    pub destination: String,
    /// The receipt that the refused frame asked for.
    pub receipt: Option<String>,
    /// The subscription that was in force until now, where rights have changed. Not told by ERROR.
    pub subscription: Option<String>,
    /// When it is worth trying again. Not told by ERROR.
    pub retry_after: Option<Duration>,
    /// What programs may read about it. Not told by ERROR.
    pub details: Option<Box<Value>>,
}

/// How a connection ended.
///
/// ```
/// # use parlor_core::{Realtime, app::Router, auth::Anonymous, testing::TestClient};
/// use parlor_core::connection::Closing;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// ada.session().unwrap().close(Closing::application("banned", 4403, "You were banned"));
/// let end = ada.expect_closed("banned").await;
/// assert_eq!((end.status, end.message.as_deref()), (4403, Some("You were banned")));
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestClose {
    /// The status of the server's WebSocket close frame. 1006 where the connection ended without one.
    pub status: u16,
    /// The reason of the close frame.
    pub reason: String,
    /// The `code` of the ERROR frame before it.
    pub code: Option<String>,
    /// The `message` of the ERROR frame before it.
    pub message: Option<String>,
}

impl TestMessage {
    pub(super) fn new(event: MessageEvent) -> Self {
        Self { headers: event.headers, body: event.body }
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The destination; empty where the server named none.
    #[must_use]
    pub fn destination(&self) -> &str {
        self.header("destination").unwrap_or_default()
    }

    /// Its place in the history of its destination, where that has one: what a later subscription
    /// [resumes from](crate::testing::Subscribing::resume_from).
    #[must_use]
    pub fn position(&self) -> Option<&str> {
        self.header("position")
    }

    /// How many messages of the subscription are missing in front of this one, as the destination's policy dropped them
    /// (rule 16).
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.header("dropped").and_then(|count| count.parse().ok()).unwrap_or_default()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(_) => panic!("the body is no text: {}", shown(&self.body)),
        }
    }

    /// The body, read as JSON.
    ///
    /// # Panics
    /// When it is not a `T`.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match self.parse() {
            Ok(value) => value,
            Err(complaint) => panic!("{complaint}"),
        }
    }

    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| {
            format!("the body is no {}: {error}; it is: {}", std::any::type_name::<T>(), shown(&self.body))
        })
    }
}

impl Refusal {
    /// From a MESSAGE on the error queue.
    pub(super) fn of_message(message: &TestMessage) -> Self {
        #[derive(Deserialize)]
        struct Body {
            message: String,
            details: Option<Box<Value>>,
        }
        let (text, details) = match message.parse::<Body>() {
            Ok(body) => (body.message, body.details),
            Err(_) => (shown(&message.body), None),
        };
        Self {
            code: message.header("code").unwrap_or_default().to_owned(),
            message: text,
            destination: message.header("refused-destination").unwrap_or_default().to_owned(),
            receipt: message.header("receipt-id").map(str::to_owned),
            subscription: message.header("refused-subscription").map(str::to_owned),
            retry_after: message.header("retry-after").and_then(|time| time.parse().ok()).map(Duration::from_millis),
            details,
        }
    }
}

impl TestClose {
    /// Whether `end` names this: a code or a status.
    pub(super) fn matches(&self, end: &End) -> bool {
        match end {
            End::Code(code) => self.code.as_deref() == Some(code),
            End::Status(status) => self.status == *status,
        }
    }
}

/// An end that a test expects: the code of the ERROR frame (`"token-expired"`) or the status of the close frame (`1012`).
///
/// ```
/// # use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_core::testing::{End, TestClient};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// realtime.begin_stop();
/// realtime.shutdown(Duration::ZERO).await;
/// // The same as `ada.expect_closed(1012)`: a status; a text is the code of the ERROR frame.
/// ada.expect_closed(End::Status(1012)).await;
/// assert_eq!(End::from("token-expired"), End::Code("token-expired".to_owned()));
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The code of the ERROR frame.
    Code(String),
    /// The status of the close frame.
    Status(u16),
}

impl From<&str> for End {
    fn from(code: &str) -> Self {
        Self::Code(code.to_owned())
    }
}

impl From<u16> for End {
    fn from(status: u16) -> Self {
        Self::Status(status)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Status(status) => write!(f, "status {status}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl fmt::Display for TestClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            1006 => f.write_str("it was lost without a close frame")?,
            status => write!(f, "the server closed it with {status} {:?}", self.reason)?,
        }
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => write!(f, " after ERROR {code}: {message}"),
            _ => Ok(()),
        }
    }
}
