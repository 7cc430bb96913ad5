//! Figures for Prometheus, on an address of their own: `cargo run --example metrics`, then
//! `curl http://127.0.0.1:9464/metrics` or `curl http://127.0.0.1:9464/stats`.
//!
//! Two arguments are other addresses, of the figures and of the endpoint.
//!
//! They are nobody's business but the operator's, so they are served from a second listener, which is bound to loopback. An
//! application that has a recorder of the `metrics` crate already switches the feature `metrics` on instead; see
//! `docs/operations.md`.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use std::{env, fmt::Write};

use axum::{Json, Router, http::header, response::IntoResponse, routing::get};
use parlor::{
    Realtime,
    app::{self, Route, Rules},
    auth::Anonymous,
    extract::Payload,
    telemetry::{Sample, SampleValue, Stats},
};
use tokio::net::TcpListener;

/// The content type of the text format
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// SEND to /app/rooms/7/say; everyone who subscribed to /topic/rooms/7 gets it.
async fn say(Payload(text): Payload<String>) -> Payload<String> {
    Payload(text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let routes = app::Router::new()
        .mount(Route::message("/app/rooms/{room}/say", say).send_to("/topic/rooms/{room}"))
        .with_state(());
    let realtime = Realtime::builder(routes)
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/rooms/{room}"))
        .build()?;

    let mut addresses = env::args().skip(1);
    let private = TcpListener::bind(addresses.next().as_deref().unwrap_or("127.0.0.1:9464")).await?;
    println!("figures at http://{}/metrics and /stats", private.local_addr()?);
    let public = TcpListener::bind(addresses.next().as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on ws://{}/ws", public.local_addr()?);

    let figures = operators(realtime.clone());
    let http = Router::new().route_service("/ws", parlor::axum::websocket(&realtime));
    tokio::select! {
        served = async { axum::serve(private, figures).await } => served?,
        served = parlor::axum::serve(public, http, realtime) => served?,
    }
    Ok(())
}

/// What operators may ask.
fn operators(realtime: Realtime) -> Router {
    let asked = realtime.clone();
    let text = async move || ([(header::CONTENT_TYPE, TEXT_FORMAT)], exposition(&asked.stats())).into_response();
    Router::new().route("/metrics", get(text)).route("/stats", get(async move || Json(realtime.stats())))
}

/// All figures in the text format of Prometheus.
fn exposition(stats: &Stats) -> String {
    let mut text = String::new();
    let mut last = "";
    for sample in stats.samples() {
        let metric = sample.metric;
        if metric.name != last {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {} {}", metric.name, metric.help);
            let _ = writeln!(text, "# TYPE {} {}", metric.name, metric.kind.as_str());
            last = metric.name;
        }
        write_sample(&mut text, &sample);
    }
    text
}

fn write_sample(text: &mut String, sample: &Sample<'_>) {
    let name = sample.metric.name;
    let mut line = |suffix: &str, more: Option<String>, value: f64| {
        let labels = sample.labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
        let labels = labels.chain(more).collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}{suffix}{labels} {value}");
    };
    match sample.value {
        SampleValue::Number(number) => line("", None, number as f64),
        SampleValue::Histogram(histogram) => {
            for (bound, count) in &histogram.buckets {
                line("_bucket", Some(format!("le=\"{bound}\"")), *count as f64);
            }
            line("_bucket", Some("le=\"+Inf\"".to_owned()), histogram.count as f64);
            line("_sum", None, histogram.sum);
            line("_count", None, histogram.count as f64);
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_type_for_each_metric_and_a_line_for_each_figure() {
        let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build().unwrap();
        let text = exposition(&realtime.stats());
        assert!(text.contains("# TYPE parlor_sessions gauge\nparlor_sessions 0\n"), "{text}");
        assert!(text.contains("parlor_messages_published_total{destination=\"other\"} 0\n"), "{text}");
        assert!(text.contains("parlor_outbox_peak_bytes_bucket{le=\"+Inf\"} 0\n"), "{text}");
    }
}
