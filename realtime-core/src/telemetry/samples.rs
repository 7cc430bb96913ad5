//! The figures of [`Stats`] under the names of [`METRICS`](super::METRICS), for whoever writes them in a format of their own.

use std::collections::BTreeMap;

use crate::telemetry::{HistogramStats, Metric, Stats, catalog};

/// One figure with its name and labels, from [`Stats::samples`].
///
/// ```
/// use parlor_core::telemetry::{SampleValue, Stats};
///
/// let mut stats = Stats::default();
/// stats.connections.closes.insert("slow-consumer".to_owned(), 2);
/// let line = stats.samples().into_iter().find_map(|sample| match (&sample.labels[..], sample.value) {
///     ([(name, label)], SampleValue::Number(count)) if count > 0 => {
///         Some(format!("{}{{{name}=\"{label}\"}} {count}", sample.metric.name))
///     }
///     _ => None,
/// });
/// assert_eq!(line.as_deref(), Some("parlor_closes_total{code=\"slow-consumer\"} 2"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample<'a> {
    /// What it is.
    pub metric: Metric,
    /// Names and values of its labels, in the order of [`Metric::labels`].
    pub labels: Vec<(&'static str, &'a str)>,
    /// The figure.
    pub value: SampleValue<'a>,
}

/// The value of a [`Sample`].
///
/// ```
/// use parlor_core::telemetry::{SampleValue, Stats};
///
/// let stats = Stats::default();
/// let samples = stats.samples();
/// let peak = samples.iter().find(|sample| sample.metric.name == "parlor_outbox_peak_bytes").unwrap();
/// let SampleValue::Histogram(peak) = peak.value else { panic!("its kind is a histogram") };
/// assert_eq!(peak.count, 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a figure is a number or a histogram")]
pub enum SampleValue<'a> {
    /// Of a counter or a gauge.
    Number(u64),
    /// Of a histogram.
    Histogram(&'a HistogramStats),
}

impl Stats {
    /// Every figure, those of one metric together. Labels that were never counted are left out.
    ///
    /// ```
    /// use parlor_core::telemetry::{SampleValue, Stats};
    ///
    /// let mut stats = Stats::default();
    /// stats.sessions.connected = 3;
    /// let samples = stats.samples();
    /// let sessions = samples.iter().find(|sample| sample.metric.name == "parlor_sessions").unwrap();
    /// assert_eq!(sessions.value, SampleValue::Number(3));
    /// ```
    #[must_use]
    pub fn samples(&self) -> Vec<Sample<'_>> {
        let mut samples = Samples(Vec::new());
        let Self { connections, sessions, traffic, messages, faults, .. } = self;
        samples.by_label(catalog::CLOSES, &connections.closes);
        samples.number(catalog::CONNECTIONS, connections.total);
        samples.number(catalog::CONNECTIONS_WAITING, connections.waiting);
        samples.number(catalog::DESTINATIONS, self.destinations);
        samples.by_label(catalog::DISCONNECTS, &sessions.disconnects);
        samples.number(catalog::EVENT_STREAMS, connections.event_streams);
        samples.number(catalog::EVENT_STREAMS_OPENED, connections.event_streams_total);
        samples.by_label(catalog::FRAMES_RECEIVED, &traffic.frames_received);
        samples.by_label(catalog::FRAMES_SENT, &traffic.frames_sent);
        for (route, stats) in &self.by_route {
            let outcomes = [
                ("cancelled", stats.cancelled),
                ("done", stats.done),
                ("panicked", stats.panicked),
                ("refused", stats.refused),
            ];
            for (outcome, count) in outcomes {
                let value = SampleValue::Number(count);
                samples.add(catalog::HANDLER_CALLS, vec![("route", route), ("outcome", outcome)], value);
            }
        }
        for (route, stats) in &self.by_route {
            samples.add(catalog::HANDLER_DURATION, vec![("route", route)], SampleValue::Histogram(&stats.duration));
        }
        for (route, stats) in &self.by_route {
            samples.add(catalog::HANDLERS_RUNNING, vec![("route", route)], SampleValue::Number(stats.running));
        }
        samples.by_label(catalog::HANDSHAKES_REFUSED, &connections.handshakes_refused);
        samples.number(catalog::LISTENER_TIMEOUTS, faults.listener_timeouts);
        samples.by_label(catalog::LOG_LINES_SUPPRESSED, &self.log_lines_suppressed);
        for (pattern, stats) in &self.by_destination {
            samples.labelled(catalog::MESSAGES_DELIVERED, pattern, stats.delivered);
        }
        samples.labelled(catalog::MESSAGES_DROPPED, "closing", messages.dropped_closing);
        samples.labelled(catalog::MESSAGES_DROPPED, "overflow", messages.dropped_overflow);
        samples.labelled(catalog::MESSAGES_DROPPED, "slow-consumer", messages.dropped_slow_consumer);
        samples.labelled(catalog::MESSAGES_DROPPED, "superseded", messages.dropped_superseded);
        for (pattern, stats) in &self.by_destination {
            samples.labelled(catalog::MESSAGES_PUBLISHED, pattern, stats.published);
        }
        samples.add(catalog::OUTBOX_PEAK, Vec::new(), SampleValue::Histogram(&connections.outbox_peak));
        samples.labelled(catalog::PANICS, "handler", faults.handler_panics);
        samples.labelled(catalog::PANICS, "listener", faults.listener_panics);
        samples.number(catalog::OCTETS_RECEIVED, traffic.octets_received);
        samples.by_label(catalog::REFUSALS, &traffic.refusals);
        samples.number(catalog::OCTETS_SENT, traffic.octets_sent);
        samples.number(catalog::SESSIONS, sessions.connected);
        samples.number(catalog::SESSIONS_OPENED, sessions.total);
        for (pattern, stats) in &self.by_destination {
            samples.labelled(catalog::SUBSCRIPTIONS, pattern, stats.subscriptions);
        }
        samples.number(catalog::USERS, sessions.users);
        samples.number(catalog::USERS_ARRIVED, sessions.users_total);
        samples.0
    }
}

struct Samples<'a>(Vec<Sample<'a>>);

impl<'a> Samples<'a> {
    fn add(&mut self, metric: Metric, labels: Vec<(&'static str, &'a str)>, value: SampleValue<'a>) {
        self.0.push(Sample { metric, labels, value });
    }

    fn number(&mut self, metric: Metric, value: u64) {
        self.add(metric, Vec::new(), SampleValue::Number(value));
    }

    /// For a metric with one label.
    fn labelled(&mut self, metric: Metric, label: &'a str, value: u64) {
        let labels = metric.labels.iter().map(|name| (*name, label)).collect();
        self.add(metric, labels, SampleValue::Number(value));
    }

    fn by_label(&mut self, metric: Metric, values: &'a BTreeMap<String, u64>) {
        for (label, value) in values {
            self.labelled(metric, label, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{METRICS, RouteStats};

    #[test]
    fn every_metric_has_its_samples_together_and_its_labels() {
        let mut stats = Stats::default();
        let one = || BTreeMap::from([("x".to_owned(), 1)]);
        stats.connections.closes = one();
        stats.connections.handshakes_refused = one();
        stats.sessions.disconnects = one();
        stats.traffic.frames_received = one();
        stats.traffic.frames_sent = one();
        stats.traffic.refusals = one();
        stats.log_lines_suppressed = one();
        stats.by_route.insert("SEND /app/x".to_owned(), RouteStats::default());
        stats.by_destination.insert("/topic/x".to_owned(), Default::default());
        let samples = stats.samples();
        let mut names: Vec<_> = samples.iter().map(|sample| sample.metric.name).collect();
        names.dedup();
        assert_eq!(names, METRICS.iter().map(|metric| metric.name).collect::<Vec<_>>());
        for sample in &samples {
            let labels: Vec<_> = sample.labels.iter().map(|(name, _)| *name).collect();
            assert_eq!(labels, sample.metric.labels, "{}", sample.metric.name);
        }
    }
}
