//! A test kit for applications: clients in memory, expectations with bounds, time in the test's hands.
//!
//! It is behind the feature `testing`, which belongs into `[dev-dependencies]`: with it, wall-clock time follows tokio's
//! clock. A test needs tokio's features `macros` and `rt`, and no port.
//!
//! ```
//! use parlor_core::{
//!     Realtime,
//!     app::{Rejection, Route, Router, Rules},
//!     auth::{Anonymous, Principal},
//!     extract::Payload,
//!     testing::TestClient,
//! };
//! use serde_json::{Value, json};
//!
//! async fn say(user: Principal, Payload(text): Payload<String>) -> Result<Payload<Value>, Rejection> {
//!     match text.as_str() {
//!         "" => Err(Rejection::new("empty", "Write something first.")),
//!         text => Ok(Payload(json!({ "author": user.to_string(), "text": text }))),
//!     }
//! }
//!
//! fn endpoint() -> Realtime {
//!     let routes = Router::new().mount(Route::message("/app/say", say).send_to("/topic/said")).with_state(());
//!     Realtime::builder(routes).authenticate(Anonymous).authorize(Rules::deny_all().allow_subscribe("/topic/said")).build().unwrap()
//! }
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() { what_is_said_is_heard_and_nothing_is_not().await }
//! async fn what_is_said_is_heard_and_nothing_is_not() {
//!     let realtime = endpoint();
//!     let ada = TestClient::connect(&realtime, "ada").await;
//!     let bob = TestClient::connect(&realtime, "bob").await;
//!     let heard = bob.subscribe("/topic/said").await;
//!
//!     ada.send("/app/say", "hello").await;
//!     heard.expect_json(json!({ "author": "ada", "text": "hello" })).await;
//!
//!     ada.send("/app/say", "").refused("empty").await;
//!     heard.assert_silent().await;
//! }
//! ```
//!
//! # What is real
//!
//! Everything from the upgrade on: WebSocket frames, the STOMP codec, the connection's driver and outbox, routing, rules,
//! handlers, the broker. The HTTP handshake is not there: a client is whoever the test says, unless
//! [`Connecting::request`] has the endpoint's own authenticator judge a request.
//!
//! # Bounds
//!
//! Everything waits 5 s of test time at most unless told otherwise, and fails with what was expected, where, and the last
//! frames of the connection. Where test time stands still ([`TestClock::hold`]) or the runtime never rests, the bound is
//! 6 s of real time. Only code that blocks the runtime's thread cannot be interrupted.
//!
//! # The same every time
//!
//! In memory and with time in the test's hands a test takes the same course each time, as far as the application does. Session
//! ids and the prefix of message ids are random on purpose, as they are in production; no promise depends on them, and a
//! test should not either. The times at which clients are told to come back after a stop are spread evenly, not randomly.

mod acknowledging;
mod client;
mod clock;
mod confirmed;
mod connect;
mod notification_suite;
mod received;
mod request;
mod state;
mod subscription;
mod trace;
mod wait;
mod websocket;
mod wire;

pub use client::TestClient;
pub use clock::TestClock;
pub use confirmed::{Sending, Subscribing};
pub use connect::{ConnectError, Connecting, Identity, connect_in_memory};
pub use notification_suite::check_notification_store;
pub use received::{End, Refusal, TestClose, TestMessage};
pub use request::Requesting;
pub use subscription::{Expectation, Silence, TestSubscription};
