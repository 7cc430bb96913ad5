//! A recorder of the `metrics` facade gets the figures that `stats()` shows.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use parlor_core::{
    Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::Anonymous,
    telemetry::{METRICS, MetricKind, SampleValue},
};
use support::{Client, user};

/// Keeps everything by name and labels.
#[derive(Clone, Default)]
struct Kept {
    meters: Arc<Mutex<BTreeMap<String, Arc<Meter>>>>,
    described: Arc<Mutex<BTreeSet<(String, MetricKindName)>>>,
}

type MetricKindName = &'static str;

#[derive(Default)]
struct Meter {
    number: AtomicI64,
    records: AtomicU64,
}

impl Kept {
    fn meter(&self, key: &Key) -> Arc<Meter> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::clone(self.meters.lock().unwrap().entry(format!("{} {}", key.name(), labels.join(","))).or_default())
    }

    fn describe(&self, name: &KeyName, kind: MetricKindName) {
        self.described.lock().unwrap().insert((name.as_str().to_owned(), kind));
    }
}

impl CounterFn for Meter {
    fn increment(&self, value: u64) {
        self.number.fetch_add(i64::try_from(value).unwrap(), Ordering::Relaxed);
    }

    fn absolute(&self, _: u64) {
        panic!("counters are incremented");
    }
}

impl GaugeFn for Meter {
    fn increment(&self, value: f64) {
        self.number.fetch_add(value as i64, Ordering::Relaxed);
    }

    fn decrement(&self, value: f64) {
        self.number.fetch_sub(value as i64, Ordering::Relaxed);
    }

    fn set(&self, _: f64) {
        panic!("gauges are shared by several endpoints");
    }
}

impl HistogramFn for Meter {
    fn record(&self, _: f64) {
        self.records.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name, "counter");
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name, "gauge");
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name, "histogram");
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.meter(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.meter(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.meter(key))
    }
}

async fn say(text: String) -> Result<String, Rejection> {
    if text == "refuse" { Err(Rejection::new("no-luck", "Not today.")) } else { Ok(text) }
}

#[tokio::test(start_paused = true)]
async fn a_recorder_gets_every_figure_of_stats() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let routes = Router::new().mount(Route::message("/app/{room}", say).send_to("/topic/{room}")).with_state(());
    let rules = Rules::deny_all().allow_subscribe("/topic/**");
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules).build().unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/topic/7").await;
    client.subscribe("e", "/user/queue/errors").await;
    for text in ["hello", "refuse"] {
        client.send(&format!("SEND\ndestination:/app/7\n\n{text}")).await;
        client.frame().await;
    }
    let mut other = Client::connect(&realtime, user("bob")).await;
    other.send("NONSENSE\n\n").await;
    other.error_and_close().await;
    other.vanish().await;

    let stats = realtime.stats();
    let samples = stats.samples();
    let meters = kept.meters.lock().unwrap();
    let mut not_zero = 0;
    for sample in &samples {
        let labels: Vec<_> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let key = format!("{} {}", sample.metric.name, labels.join(","));
        let meter = meters.get(&key).unwrap_or_else(|| panic!("the recorder has no {key}"));
        let (seen, expected) = match sample.value {
            SampleValue::Number(number) => (meter.number.load(Ordering::Relaxed), number as i64),
            SampleValue::Histogram(histogram) => (meter.records.load(Ordering::Relaxed) as i64, histogram.count as i64),
        };
        assert_eq!(seen, expected, "{key}");
        not_zero += usize::from(expected > 0);
    }
    assert!(not_zero > 20, "{samples:?}");
    let described = kept.described.lock().unwrap();
    let all: BTreeSet<_> = METRICS.iter().map(|metric| (metric.name.to_owned(), metric.kind.as_str())).collect();
    assert_eq!(*described, all, "every metric is described, as what it is");
    assert!(METRICS.iter().any(|metric| metric.kind == MetricKind::Histogram));
}
