//! What operators see: figures ([`Stats`], [`METRICS`]), log lines and spans, and the trace a message belongs to.
//!
//! Counting is always on and costs a publish a few atomic additions, however many subscribe. The feature `metrics` feeds the
//! recorder of the `metrics` facade as well. Every label has a bounded number of values, and no destination, user or session is
//! ever one. What log lines show of a client's text is cut and escaped, and each reason has a bounded number of lines.
//!
//! `docs/operations.md` lists metrics, log fields and what to watch.

mod catalog;
mod connections;
mod counter;
mod destinations;
mod events;
#[cfg(feature = "metrics")]
mod export;
mod family;
mod frame;
mod handlers;
mod histogram;
mod meters;
mod samples;
mod shown;
mod stats;
mod throttle;
mod trace_context;
mod traffic;

pub use catalog::{METRICS, Metric, MetricKind, MetricUnit};
pub use connections::{ConnectionStats, SessionStats};
pub(crate) use counter::{Counter, Gauge};
pub(crate) use destinations::DestinationMeters;
pub use destinations::DestinationStats;
pub(crate) use events::{
    OutboxHistory, application_failed, connection_panicked, connection_span, handler_panicked, internal_error,
    listener_panicked, listener_timed_out, presence_full,
};
pub(crate) use family::Family;
pub use family::{MAX_LABEL_VALUES, OTHER};
pub(crate) use frame::{FrameInFlight, Observed, scope};
pub(crate) use handlers::RouteMeters;
pub use handlers::{FaultStats, RouteStats};
pub(crate) use histogram::Histogram;
pub use histogram::HistogramStats;
pub(crate) use meters::Meters;
pub use samples::{Sample, SampleValue};
pub(crate) use shown::Shown;
pub use stats::{MessageStats, OutboxStats, Stats};
pub(crate) use throttle::Throttle;
pub use trace_context::{TRACEPARENT, TRACESTATE, TraceContext};
pub use traffic::TrafficStats;
