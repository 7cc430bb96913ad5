//! A subscription of a test client: what arrived, taken in its order.

use std::{fmt, panic::Location, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use parlor_stomp::{Command, Frame};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::testing::{
    TestMessage,
    client::{Guard, barrier},
    state::Beginning,
    trace::shown,
    wait::{PATIENCE, TimedOut, turns},
};

/// A subscription in force. Messages arrive by themselves and wait to be taken; each `expect` takes the next one.
///
/// It can be looked at after its end, and keeps its client's connection open.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let news = TestClient::connect(&realtime, "ada").await.subscribe("/topic/news").await;
/// realtime.broker().publish("/topic/news", &7).await?;
/// realtime.broker().publish("/topic/news", "eight").await?;
/// assert_eq!(news.expect::<u8>().within(Duration::from_secs(1)).await, 7);
/// news.expect_json("eight").await;
/// news.assert_silent().during(Duration::from_secs(60)).await;
/// # Ok(()) }) }
/// ```
pub struct TestSubscription {
    guard: Arc<Guard>,
    id: String,
    destination: String,
    beginning: Beginning,
}

/// The wait for the next message. `await` it; [`within`](Self::within) bounds it.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let news = TestClient::connect(&realtime, "ada").await.subscribe("/topic/news").await;
/// let waiting = news.expect::<u32>().within(Duration::from_secs(30));
/// realtime.broker().publish("/topic/news", &7).await?;
/// assert_eq!(waiting.await, 7);
/// # Ok(()) }) }
/// ```
#[must_use = "nothing is expected before this is awaited"]
pub struct Expectation<'a, T> {
    subscription: &'a TestSubscription,
    at: &'static Location<'static>,
    limit: Duration,
    what: String,
    take: Box<dyn FnOnce(TestMessage) -> Result<T, String> + Send + 'a>,
}

/// The check that nothing more comes. `await` it; [`during`](Self::during) makes it last.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/*");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let news = TestClient::connect(&realtime, "ada").await.subscribe("/topic/news").await;
/// realtime.broker().publish("/topic/weather", "rain").await?;
/// news.assert_silent().during(Duration::from_secs(3600)).await; // an hour of test time
/// # Ok(()) }) }
/// ```
#[must_use = "nothing is checked before this is awaited"]
pub struct Silence<'a> {
    subscription: &'a TestSubscription,
    at: &'static Location<'static>,
    time: Duration,
}

impl TestSubscription {
    pub(super) fn new(guard: Arc<Guard>, id: &str, destination: &str) -> Self {
        Self { guard, id: id.to_owned(), destination: destination.to_owned(), beginning: Beginning::default() }
    }

    pub(super) fn with_beginning(self, beginning: Beginning) -> Self {
        Self { beginning, ..self }
    }

    /// The subscription's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What was subscribed to.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// Whether nothing is missing between the position that this subscription went on from and its first message (rule 15),
    /// as its receipt said; none where it did not [resume](crate::testing::Subscribing::resume_from).
    #[must_use]
    pub fn recovered(&self) -> Option<bool> {
        self.beginning.recovered
    }

    /// The place that this subscription began at, as its receipt said (rule 14): another one can
    /// [resume](crate::testing::Subscribing::resume_from) from there before a message has come. None where the destination has no
    /// history.
    #[must_use]
    pub fn position(&self) -> Option<&str> {
        self.beginning.position.as_deref()
    }

    /// The next message, read from JSON. `await` it.
    ///
    /// # Panics
    /// When the next message is no `T`, or none comes in 5 s or before the connection ends.
    #[track_caller]
    pub fn expect<T: DeserializeOwned + Send + 'static>(&self) -> Expectation<'_, T> {
        let what = std::any::type_name::<T>().to_owned();
        self.expectation(what, |message| message.parse())
    }

    /// The next message, whatever it is. `await` it.
    ///
    /// # Panics
    /// When none comes in 5 s or before the connection ends.
    #[track_caller]
    pub fn expect_message(&self) -> Expectation<'_, TestMessage> {
        self.expectation("message".to_owned(), Ok)
    }

    /// The next message, whose body is JSON that equals `expected`. `await` it.
    ///
    /// # Panics
    /// When the next message is another one, or none comes in 5 s or before the connection ends.
    #[track_caller]
    pub fn expect_json(&self, expected: impl Into<Value>) -> Expectation<'_, TestMessage> {
        let expected = expected.into();
        self.expectation(expected.to_string(), move |message| match message.parse::<Value>()? {
            body if body == expected => Ok(message),
            body => Err(format!("another message came\n  expected: {expected}\n  received: {body}")),
        })
    }

    /// The next message, whose body is exactly this text. `await` it.
    ///
    /// # Panics
    /// When the next message is another one, or none comes in 5 s or before the connection ends.
    #[track_caller]
    pub fn expect_text<'a>(&'a self, expected: &'a str) -> Expectation<'a, TestMessage> {
        self.expectation(format!("{expected:?}"), move |message| {
            if message.body() == expected.as_bytes() {
                return Ok(message);
            }
            Err(format!("another message came\n  expected: {expected}\n  received: {}", shown(message.body())))
        })
    }

    /// Takes what has arrived, oldest first, and waits for nothing. After [`TestClient::sync`](crate::testing::TestClient::sync)
    /// that is everything that was published before it.
    #[must_use]
    pub fn messages(&self) -> Vec<TestMessage> {
        self.guard.wire().with(|state| state.inbox(&self.id).drain(..).collect())
    }

    /// Checks that nothing has come that was not taken, and that nothing comes. `await` it.
    ///
    /// Exactly: everything that was published before this call, by whomever, has had its chance to arrive, because a publish
    /// hands its message to the session before it returns and the session answers a receipt behind it; the tasks of the
    /// runtime that were ready have had 32 turns (on the runtime of `#[tokio::test]`, which has one thread), and what they
    /// published has had its chance as well. No time passes. What waits for time, or for something outside of the runtime
    /// (a database), may still come, and so may what a handler publishes later whose route is
    /// [concurrent](crate::app::Route::concurrent): give it time by [`during`](Silence::during), or wait for what it does.
    ///
    /// # Panics
    /// When a message is there or comes, with that message, or when the connection has ended, as its silence says nothing.
    #[track_caller]
    pub fn assert_silent(&self) -> Silence<'_> {
        Silence { subscription: self, at: Location::caller(), time: Duration::ZERO }
    }

    /// Unsubscribes and waits for the receipt. Messages that came before can still be taken; later ones would be a fault of
    /// the server, and [`assert_silent`](Self::assert_silent) finds them.
    ///
    /// # Panics
    /// When it is not confirmed in 5 s.
    #[track_caller]
    pub fn unsubscribe(&self) -> impl Future<Output = ()> + Send {
        let (wire, at) = (self.guard.wire(), Location::caller());
        async move {
            wire.send(&Frame::new(Command::Unsubscribe).with_header("id", &self.id));
            barrier(wire, PATIENCE, at).await;
        }
    }

    #[track_caller]
    fn expectation<'a, T>(
        &'a self,
        what: String,
        take: impl FnOnce(TestMessage) -> Result<T, String> + Send + 'a,
    ) -> Expectation<'a, T> {
        Expectation { subscription: self, at: Location::caller(), limit: PATIENCE, what, take: Box::new(take) }
    }
}

impl<T> Expectation<'_, T> {
    /// Waits this long, in test time; what comes at the last moment counts. Default 5 s.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl Silence<'_> {
    /// Nothing comes during this much test time either, its last moment included. Where time is paused it passes at once, like in
    /// [`TestClock::advance`](crate::testing::TestClock::advance); a clock that is held must be advanced instead.
    pub fn during(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    async fn check(self) {
        let Self { subscription, at, time } = self;
        let (wire, id) = (subscription.guard.wire(), &subscription.id);
        barrier(wire, PATIENCE, at).await;
        turns().await;
        barrier(wire, PATIENCE, at).await;
        let broken = |message: &TestMessage| {
            let destination = &subscription.destination;
            wire.fail(at, &format!("silence on {destination} was expected, not {}", shown(message.body())))
        };
        if let Some(message) = wire.with(|state| state.inbox(id).front().cloned()) {
            broken(&message);
        }
        if time.is_zero() {
            return;
        }
        let heard = wire
            .wait_for(time, |state| match state.inbox(id).front() {
                Some(message) => Some(Some(message.clone())),
                None => state.closed().map(|_| None),
            })
            .await;
        match heard {
            Ok(Some(message)) => broken(&message),
            Ok(None) => wire.fail(at, "the connection ended while silence was expected"),
            Err(TimedOut::TestTime(_)) => {}
            Err(timed_out) => wire.fail(at, &format!("silence could not be waited for {timed_out}")),
        }
    }
}

impl<'a, T: Send + 'a> IntoFuture for Expectation<'a, T> {
    type Output = T;
    type IntoFuture = BoxFuture<'a, T>;

    fn into_future(self) -> BoxFuture<'a, T> {
        let Self { subscription, at, limit, what, take } = self;
        let (wire, id, destination) = (subscription.guard.wire(), &subscription.id, &subscription.destination);
        Box::pin(async move {
            let next = wire
                .wait_for(limit, |state| match state.inbox(id).pop_front() {
                    Some(message) => Some(Some(message)),
                    None => state.closed().map(|_| None),
                })
                .await;
            match next {
                Ok(Some(message)) => match take(message) {
                    Ok(value) => value,
                    Err(complaint) => wire.fail(at, &format!("on {destination}: {complaint}")),
                },
                Ok(None) => wire.fail(at, &format!("no {what} came on {destination} before the end")),
                Err(timed_out) => wire.fail(at, &format!("no {what} came on {destination} {timed_out}")),
            }
        })
    }
}

impl<'a> IntoFuture for Silence<'a> {
    type Output = ();
    type IntoFuture = BoxFuture<'a, ()>;

    fn into_future(self) -> BoxFuture<'a, ()> {
        Box::pin(self.check())
    }
}

impl fmt::Debug for TestSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSubscription")
            .field("id", &self.id)
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Expectation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expectation").field("what", &self.what).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl fmt::Debug for Silence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Silence").field("time", &self.time).finish_non_exhaustive()
    }
}
