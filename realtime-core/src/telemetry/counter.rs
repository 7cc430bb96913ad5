//! Counters and gauges: a relaxed atomic each, so that counting costs a few nanoseconds and never waits.
//!
//! With the feature `metrics` each of them also feeds its handle in the recorder that was installed when it was made.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::telemetry::{Metric, catalog::Label};

/// A number that only grows.
#[derive(Debug)]
pub(crate) struct Counter {
    value: AtomicU64,
    #[cfg(feature = "metrics")]
    exported: metrics::Counter,
}

/// A number of things that are there now.
#[derive(Debug)]
pub(crate) struct Gauge {
    value: AtomicI64,
    #[cfg(feature = "metrics")]
    exported: metrics::Gauge,
}

impl Counter {
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "names matter to a recorder alone"))]
    pub(crate) fn new(metric: &Metric, labels: &[Label<'_>]) -> Self {
        Self {
            value: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            exported: crate::telemetry::export::counter(metric, labels),
        }
    }

    pub(crate) fn add(&self, count: u64) {
        self.value.fetch_add(count, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.exported.increment(count);
    }

    pub(crate) fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl Gauge {
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "names matter to a recorder alone"))]
    pub(crate) fn new(metric: &Metric, labels: &[Label<'_>]) -> Self {
        Self {
            value: AtomicI64::new(0),
            #[cfg(feature = "metrics")]
            exported: crate::telemetry::export::gauge(metric, labels),
        }
    }

    pub(crate) fn increment(&self) {
        self.value.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.exported.increment(1.0);
    }

    pub(crate) fn decrement(&self) {
        self.value.fetch_sub(1, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.exported.decrement(1.0);
    }

    /// The number now; one that is being changed by several threads may be seen below zero for an instant, which counts as
    /// zero.
    pub(crate) fn value(&self) -> u64 {
        u64::try_from(self.value.load(Ordering::Relaxed)).unwrap_or_default()
    }
}
