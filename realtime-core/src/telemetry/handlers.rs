//! How often handlers were called, how long they took and how they ended, by route; and the faults of application code.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    clock,
    telemetry::{Counter, Family, Gauge, Histogram, HistogramStats, catalog},
};

/// How a call of a handler ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallOutcome {
    Done,
    Refused,
    Panicked,
    Cancelled,
}

/// The meters of one route.
#[derive(Debug)]
pub(crate) struct RouteMeters {
    running: Gauge,
    duration: Histogram,
    done: Counter,
    refused: Counter,
    panicked: Counter,
    cancelled: Counter,
}

/// The meters of application code.
#[derive(Debug)]
pub(crate) struct HandlerMeters {
    routes: Family<RouteMeters>,
    handler_panics: Counter,
    listener_panics: Counter,
    listener_timeouts: Counter,
}

/// What happened at one route.
///
/// ```
/// use parlor_core::{Realtime, app::{Rejection, Route, Router}, auth::Anonymous, testing::TestClient};
///
/// async fn buy(what: String) -> Result<(), Rejection> {
///     if what == "tea" { Ok(()) } else { Err(Rejection::new("sold-out", "There is nothing left.")) }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let routes = Router::new().mount(Route::message("/app/buy", buy)).with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// ada.send_text("/app/buy", "tea").await;
/// ada.send_text("/app/buy", "milk").refused("sold-out").await;
/// let route = &realtime.stats().by_route["SEND /app/buy"];
/// assert_eq!((route.done, route.refused, route.running), (1, 1, 0));
/// assert_eq!(route.duration.count, 2);
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RouteStats {
    /// Calls that have not ended.
    pub running: u64,
    /// Calls that ended well.
    pub done: u64,
    /// Calls that ended with a rejection.
    pub refused: u64,
    /// Calls that panicked.
    pub panicked: u64,
    /// Calls that were dropped before their end: the connection's patience was over.
    pub cancelled: u64,
    /// How long the calls took, in seconds.
    pub duration: HistogramStats,
}

/// Faults of application code that were caught.
///
/// ```
/// use parlor_core::{Realtime, app::{Route, Router}, auth::Anonymous, testing::TestClient};
///
/// async fn broken(_: String) {
///     panic!("a mistake of the application")
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let routes = Router::new().mount(Route::message("/app/broken", broken)).with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// ada.send_text("/app/broken", "").refused("internal").await;
/// assert_eq!(realtime.stats().faults.handler_panics, 1);
/// assert!(ada.is_open());
/// # Ok(()) }) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FaultStats {
    /// Panics of handlers and rules.
    pub handler_panics: u64,
    /// Panics of lifecycle listeners.
    pub listener_panics: u64,
    /// Lifecycle listeners that took too long.
    pub listener_timeouts: u64,
}

/// A call that runs. However its future ends, dropping it counts.
struct Call {
    route: Arc<RouteMeters>,
    since: Instant,
    outcome: CallOutcome,
}

impl HandlerMeters {
    pub(super) fn new() -> Self {
        let panics = |place| Counter::new(&catalog::PANICS, &[("place", place)]);
        Self {
            routes: Family::new(RouteMeters::new),
            handler_panics: panics("handler"),
            listener_panics: panics("listener"),
            listener_timeouts: Counter::new(&catalog::LISTENER_TIMEOUTS, &[]),
        }
    }

    /// The meters of the handler for `command` at the route `pattern`.
    pub(crate) fn route(&self, command: &str, pattern: &str) -> Arc<RouteMeters> {
        self.routes.get(&format!("{command} {pattern}"))
    }

    pub(super) fn handler_panicked(&self) {
        self.handler_panics.add(1);
    }

    pub(super) fn listener_panicked(&self) {
        self.listener_panics.add(1);
    }

    pub(super) fn listener_timed_out(&self) {
        self.listener_timeouts.add(1);
    }

    pub(super) fn stats(&self) -> (BTreeMap<String, RouteStats>, FaultStats) {
        let faults = FaultStats {
            handler_panics: self.handler_panics.value(),
            listener_panics: self.listener_panics.value(),
            listener_timeouts: self.listener_timeouts.value(),
        };
        (self.routes.collect(RouteMeters::stats), faults)
    }
}

impl RouteMeters {
    fn new(route: &str) -> Self {
        let outcome = |outcome| Counter::new(&catalog::HANDLER_CALLS, &[("route", route), ("outcome", outcome)]);
        Self {
            running: Gauge::new(&catalog::HANDLERS_RUNNING, &[("route", route)]),
            duration: Histogram::durations(&catalog::HANDLER_DURATION, &[("route", route)]),
            done: outcome("done"),
            refused: outcome("refused"),
            panicked: outcome("panicked"),
            cancelled: outcome("cancelled"),
        }
    }

    /// Runs a call of the route's handler.
    pub(crate) async fn timed<T, E>(self: Arc<Self>, handler: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.running.increment();
        let mut call = Call { route: self, since: clock::now(), outcome: CallOutcome::Cancelled };
        let result = handler.await;
        call.outcome = if result.is_ok() { CallOutcome::Done } else { CallOutcome::Refused };
        result
    }

    /// None for a route that was never called.
    fn stats(&self) -> Option<RouteStats> {
        let stats = RouteStats {
            running: self.running.value(),
            done: self.done.value(),
            refused: self.refused.value(),
            panicked: self.panicked.value(),
            cancelled: self.cancelled.value(),
            duration: self.duration.stats(),
        };
        (stats.running + stats.duration.count > 0).then_some(stats)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let route = &self.route;
        route.running.decrement();
        route.duration.record_duration(clock::now() - self.since);
        // A panic in the handler unwinds through the future that owns this.
        let outcome = if std::thread::panicking() { CallOutcome::Panicked } else { self.outcome };
        let counter = match outcome {
            CallOutcome::Done => &route.done,
            CallOutcome::Refused => &route.refused,
            CallOutcome::Panicked => &route.panicked,
            CallOutcome::Cancelled => &route.cancelled,
        };
        counter.add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::{panic::AssertUnwindSafe, time::Duration};

    use futures_util::FutureExt;

    use super::*;

    async fn call(route: &Arc<RouteMeters>, handler: impl Future<Output = Result<(), ()>>) {
        let timed = Arc::clone(route).timed(handler);
        let caught = AssertUnwindSafe(timed).catch_unwind();
        let _ = tokio::time::timeout(Duration::from_secs(60), caught).await;
    }

    #[tokio::test(start_paused = true)]
    async fn however_a_call_ends_it_is_counted_once_with_its_duration() {
        let handlers = HandlerMeters::new();
        let route = handlers.route("SEND", "/app/rooms/{room}");
        call(&route, async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        })
        .await;
        call(&route, async { Err(()) }).await;
        call(&route, async { panic!("this is the test's own panic") }).await;
        call(&route, std::future::pending()).await;
        let (routes, _) = handlers.stats();
        let stats = &routes["SEND /app/rooms/{room}"];
        let outcomes = (stats.running, stats.done, stats.refused, stats.panicked, stats.cancelled);
        assert_eq!(outcomes, (0, 1, 1, 1, 1));
        assert_eq!(stats.duration.count, 4);
        assert!((stats.duration.sum - 60.02).abs() < 0.01, "{}", stats.duration.sum);
    }
}
