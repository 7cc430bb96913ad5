//! The way to a recorder of the `metrics` facade, for the feature `metrics`.
//!
//! A handle is asked for once, when its meter is made, and kept: counting is then one call, without a look-up by name. A
//! recorder therefore has to be installed before the broker or the endpoint is made.

use metrics::{Key, KeyName, Level, Metadata, SharedString, Unit};

use crate::telemetry::{Metric, MetricUnit, catalog::Label};

const METADATA: Metadata<'static> = Metadata::new("parlor", Level::INFO, None);

pub(super) fn counter(metric: &Metric, labels: &[Label<'_>]) -> metrics::Counter {
    metrics::with_recorder(|recorder| {
        recorder.describe_counter(name(metric), unit(metric), SharedString::const_str(metric.help));
        recorder.register_counter(&key(metric, labels), &METADATA)
    })
}

pub(super) fn gauge(metric: &Metric, labels: &[Label<'_>]) -> metrics::Gauge {
    metrics::with_recorder(|recorder| {
        recorder.describe_gauge(name(metric), unit(metric), SharedString::const_str(metric.help));
        recorder.register_gauge(&key(metric, labels), &METADATA)
    })
}

pub(super) fn histogram(metric: &Metric, labels: &[Label<'_>]) -> metrics::Histogram {
    metrics::with_recorder(|recorder| {
        recorder.describe_histogram(name(metric), unit(metric), SharedString::const_str(metric.help));
        recorder.register_histogram(&key(metric, labels), &METADATA)
    })
}

fn name(metric: &Metric) -> KeyName {
    KeyName::from_const_str(metric.name)
}

fn key(metric: &Metric, labels: &[Label<'_>]) -> Key {
    let labels: Vec<_> = labels.iter().map(|(name, value)| metrics::Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

fn unit(metric: &Metric) -> Option<Unit> {
    match metric.unit {
        MetricUnit::Bytes => Some(Unit::Bytes),
        MetricUnit::Count => Some(Unit::Count),
        MetricUnit::Seconds => Some(Unit::Seconds),
    }
}
