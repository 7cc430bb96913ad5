//! How often which value was seen: fixed buckets, an atomic each.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::Serialize;

use crate::telemetry::{Metric, catalog::Label};

/// Upper bounds of durations in nanoseconds: from 100 µs to 10 s.
pub(super) const DURATIONS: &[u64] = &[
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Upper bounds of octets: nothing, then powers of four up to 1 MiB.
pub(super) const OCTETS: &[u64] = &[0, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20];

/// Seconds in a nanosecond.
const NANOSECOND: f64 = 1e-9;

/// Buckets of values.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// What one unit of a value is in the unit that is shown.
    scale: f64,
    /// One more than bounds: what is above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    #[cfg(feature = "metrics")]
    exported: metrics::Histogram,
}

/// A histogram as it was at one moment.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::{Realtime, app::{Route, Router}, auth::Anonymous, testing::TestClient};
///
/// async fn slow(_: String) {
///     tokio::time::sleep(Duration::from_millis(20)).await;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let routes = Router::new().mount(Route::message("/app/slow", slow)).with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).build()?;
/// TestClient::connect(&realtime, "ada").await.send_text("/app/slow", "").await;
/// let duration = &realtime.stats().by_route["SEND /app/slow"].duration;
/// assert_eq!(duration.count, 1);
/// let at_most = |bound: f64| duration.buckets.iter().find(|(upper, _)| *upper == bound).unwrap().1;
/// assert_eq!((at_most(0.01), at_most(0.025)), (0, 1)); // between 10 and 25 ms
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HistogramStats {
    /// How many values were seen.
    pub count: u64,
    /// Their sum, in the unit of the metric (seconds, octets).
    pub sum: f64,
    /// For each upper bound, in ascending order, how many values were at most that; those above the last one are only in
    /// `count`.
    pub buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// Of times, shown in seconds.
    pub(crate) fn durations(metric: &Metric, labels: &[Label<'_>]) -> Self {
        Self::new(metric, labels, DURATIONS, NANOSECOND)
    }

    /// Of octets.
    pub(crate) fn octets(metric: &Metric, labels: &[Label<'_>]) -> Self {
        Self::new(metric, labels, OCTETS, 1.0)
    }

    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "names matter to a recorder alone"))]
    fn new(metric: &Metric, labels: &[Label<'_>], bounds: &'static [u64], scale: f64) -> Self {
        Self {
            bounds,
            scale,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            exported: crate::telemetry::export::histogram(metric, labels),
        }
    }

    pub(crate) fn record_duration(&self, time: Duration) {
        self.record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn record(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.exported.record(value as f64 * self.scale);
    }

    pub(crate) fn stats(&self) -> HistogramStats {
        let mut count = 0;
        let mut up_to = |bucket: &AtomicU64| {
            count += bucket.load(Ordering::Relaxed);
            count
        };
        let cumulative: Vec<u64> = self.counts.iter().map(&mut up_to).collect();
        let bounds = self.bounds.iter().map(|bound| *bound as f64 * self.scale);
        HistogramStats {
            count,
            sum: self.sum.load(Ordering::Relaxed) as f64 * self.scale,
            buckets: bounds.zip(cumulative).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::catalog;

    #[test]
    fn a_value_counts_at_its_bound_and_in_all_buckets_above() {
        let histogram = Histogram::octets(&catalog::OUTBOX_PEAK, &[]);
        for value in [0, 1024, 1025, u64::from(u32::MAX)] {
            histogram.record(value);
        }
        let stats = histogram.stats();
        assert_eq!(stats.count, 4);
        assert_eq!(stats.buckets[..3], [(0.0, 1), (1024.0, 2), (4096.0, 3)]);
        assert_eq!(stats.buckets.last(), Some(&(1_048_576.0, 3)), "what is above all bounds is in the count alone");
    }

    #[test]
    fn durations_are_shown_in_seconds() {
        let histogram = Histogram::durations(&catalog::HANDLER_DURATION, &[]);
        histogram.record_duration(Duration::from_millis(1500));
        let stats = histogram.stats();
        assert!((stats.sum - 1.5).abs() < 1e-9, "{}", stats.sum);
        assert_eq!(stats.buckets.iter().filter(|(_, count)| *count == 1).map(|(bound, _)| *bound).next(), Some(2.5));
    }
}
