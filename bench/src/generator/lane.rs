//! Streams that are measured together: a lane has its own pace and its own latencies.

use hdrhistogram::Histogram;

use crate::{clock::SECOND, generator::Pace};

/// The longest latency that is told apart, in nanoseconds: a minute.
const LONGEST: u64 = 60 * SECOND;

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// Streams, how fast they go, and what came of it.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(super) pace: Pace,
    pub(super) streams: Vec<usize>,
    pub(super) published: u64,
    pub(super) expected: u64,
    delivered: u64,
    latencies: Histogram<u32>,
}

/// What became of a lane.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Messages that were published.
    pub(crate) published: u64,
    /// Deliveries that came, each once.
    pub(crate) delivered: u64,
    /// Deliveries that never came.
    pub(crate) lost: u64,
    /// From when a message should have been sent to when somebody had it, in nanoseconds.
    pub(crate) latencies: Histogram<u32>,
}

impl Lane {
    /// Streams at a pace.
    pub(crate) fn new(pace: Pace, streams: Vec<usize>) -> Self {
        #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram takes")]
        let latencies = Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are good");
        Self { pace, streams, published: 0, expected: 0, delivered: 0, latencies }
    }

    pub(super) fn delivered(&mut self, latency: u64) {
        self.delivered += 1;
        self.latencies.saturating_record(latency);
    }

    pub(super) fn finish(self) -> Outcome {
        let lost = self.expected.saturating_sub(self.delivered);
        Outcome { published: self.published, delivered: self.delivered, lost, latencies: self.latencies }
    }
}
