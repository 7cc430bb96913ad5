//! Every metric by name: the one list that the meters are made from and that `docs/operations.md` is checked against.

/// What a metric is. [`METRICS`] has them all.
///
/// ```
/// use parlor_core::telemetry::{METRICS, MetricKind, MetricUnit};
///
/// let metric = METRICS.iter().find(|metric| metric.name == "parlor_closes_total").unwrap();
/// assert_eq!((metric.kind, metric.unit), (MetricKind::Counter, MetricUnit::Count));
/// assert_eq!(metric.labels, ["code"]);
/// assert!(!metric.help.is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name, the same in every recorder.
    pub name: &'static str,
    /// How its values come about.
    pub kind: MetricKind,
    /// What one of it is.
    pub unit: MetricUnit,
    /// The names of its labels; each has at most [`MAX_LABEL_VALUES`](super::MAX_LABEL_VALUES) values and `other`.
    pub labels: &'static [&'static str],
    /// One line on what it counts.
    pub help: &'static str,
}

/// How a metric's values come about.
///
/// ```
/// use parlor_core::telemetry::{METRICS, MetricKind};
///
/// // The heads of an exposition in Prometheus's format.
/// let heads: Vec<_> = METRICS.iter().map(|metric| format!("# TYPE {} {}", metric.name, metric.kind.as_str())).collect();
/// assert!(heads.contains(&"# TYPE parlor_sessions gauge".to_owned()));
/// assert_eq!(MetricKind::Histogram.as_str(), "histogram");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only grows, from the start of the process.
    Counter,
    /// How many there are now.
    Gauge,
    /// How often which value was seen.
    Histogram,
}

/// What one of a metric is.
///
/// ```
/// use parlor_core::telemetry::{METRICS, MetricUnit};
///
/// // Names end in their unit, as Prometheus wants it.
/// for metric in METRICS.iter().filter(|metric| metric.unit == MetricUnit::Seconds) {
///     assert!(metric.name.ends_with("_seconds"), "{}", metric.name);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricUnit {
    /// Octets.
    Bytes,
    /// Things.
    Count,
    /// Seconds.
    Seconds,
}

/// A label's name and value.
pub(crate) type Label<'a> = (&'static str, &'a str);

impl MetricKind {
    /// The word for it in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:ident, $unit:ident, [$($label:literal),*], $help:literal;)*) => {
        $(
            pub(crate) const $constant: Metric = Metric {
                name: $name,
                kind: MetricKind::$kind,
                unit: MetricUnit::$unit,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// All metrics, in alphabetical order of their names.
        ///
        /// ```
        /// use parlor_core::telemetry::METRICS;
        ///
        /// assert!(METRICS.iter().any(|metric| metric.name == "parlor_sessions"));
        /// ```
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    CLOSES = "parlor_closes_total", Counter, Count, ["code"],
        "Connections that the server ended with a close frame, by code";
    CONNECTIONS = "parlor_connections_total", Counter, Count, [],
        "WebSocket connections that were opened";
    CONNECTIONS_WAITING = "parlor_connections_waiting", Gauge, Count, [],
        "Open connections that have not sent CONNECT yet";
    DESTINATIONS = "parlor_destinations", Gauge, Count, [],
        "Destinations that have subscribers";
    DISCONNECTS = "parlor_disconnects_total", Counter, Count, ["reason"],
        "Sessions that ended, by reason";
    EVENT_STREAMS = "parlor_event_streams", Gauge, Count, [],
        "Event streams that are open";
    EVENT_STREAMS_OPENED = "parlor_event_streams_total", Counter, Count, [],
        "Event streams that were opened";
    FRAMES_RECEIVED = "parlor_frames_received_total", Counter, Count, ["command"],
        "STOMP frames from clients, by command";
    FRAMES_SENT = "parlor_frames_sent_total", Counter, Count, ["command"],
        "STOMP frames handed to connections, by command";
    HANDLER_CALLS = "parlor_handler_calls_total", Counter, Count, ["route", "outcome"],
        "Handler calls that ended, by route and outcome";
    HANDLER_DURATION = "parlor_handler_duration_seconds", Histogram, Seconds, ["route"],
        "Time from a handler's call to its end, by route";
    HANDLERS_RUNNING = "parlor_handlers_running", Gauge, Count, ["route"],
        "Handler calls that have not ended, by route";
    HANDSHAKES_REFUSED = "parlor_handshakes_refused_total", Counter, Count, ["code"],
        "Handshakes that were refused before the upgrade, by code";
    LISTENER_TIMEOUTS = "parlor_listener_timeouts_total", Counter, Count, [],
        "Lifecycle listeners that took too long and were cut off";
    LOG_LINES_SUPPRESSED = "parlor_log_lines_suppressed_total", Counter, Count, ["reason"],
        "Log lines that only the level DEBUG shows because there were too many of their reason";
    MESSAGES_DELIVERED = "parlor_messages_delivered_total", Counter, Count, ["destination"],
        "Messages handed to subscriptions, by pattern of the destination";
    MESSAGES_DROPPED = "parlor_messages_dropped_total", Counter, Count, ["reason"],
        "Messages that a subscription's connection did not take, by reason";
    MESSAGES_PUBLISHED = "parlor_messages_published_total", Counter, Count, ["destination"],
        "Messages that were published, by pattern of the destination";
    OUTBOX_PEAK = "parlor_outbox_peak_bytes", Histogram, Bytes, [],
        "The most octets that ever waited for a client, seen once for each connection at its end";
    PANICS = "parlor_panics_total", Counter, Count, ["place"],
        "Panics of application code that were caught, by place";
    OCTETS_RECEIVED = "parlor_received_bytes_total", Counter, Bytes, [],
        "Octets of WebSocket frames from clients";
    REFUSALS = "parlor_refusals_total", Counter, Count, ["code"],
        "SENDs and SUBSCRIBEs that were refused or failed, by code";
    OCTETS_SENT = "parlor_sent_bytes_total", Counter, Bytes, [],
        "Octets of WebSocket frames handed to connections";
    SESSIONS = "parlor_sessions", Gauge, Count, [],
        "STOMP sessions that are open";
    SESSIONS_OPENED = "parlor_sessions_total", Counter, Count, [],
        "STOMP sessions that were opened";
    SUBSCRIPTIONS = "parlor_subscriptions", Gauge, Count, ["destination"],
        "Subscriptions in force, by pattern of the destination";
    USERS = "parlor_users", Gauge, Count, [],
        "Users with at least one session";
    USERS_ARRIVED = "parlor_users_total", Counter, Count, [],
        "Times that a user without a session opened one";
}
