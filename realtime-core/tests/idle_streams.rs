//! What event streams cost that nobody says anything on: memory of each, and time of a heart-beat.
//!
//! No gate: `cargo test --release -p parlor-core --test idle_streams -- --ignored --nocapture` prints it.

#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and says what it found"
)]

use std::{
    fs,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt};
use parlor_core::{
    Config, Realtime,
    app::{Router, Rules},
    auth::{Anonymous, Principal},
    event_stream::EventsRequest,
};

const STREAMS: usize = 10_000;
const PERIODS: u32 = 10;

/// Memory that the process holds, in octets.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel counts it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Opens all streams and lets some periods of silence pass; returns the real time that each of them took.
async fn periods(config: Config) -> Duration {
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .config(config.max_connections(STREAMS))
        .build()
        .expect("a good endpoint");
    let before = resident();
    let mut streams = Vec::with_capacity(STREAMS);
    for _ in 0..STREAMS {
        let nobody = Principal::anonymous();
        let admission = realtime.admit(None).and_then(|applicant| applicant.for_event_stream(&nobody));
        let opened = realtime.events(EventsRequest::new("/topic/a"), nobody, admission.expect("room")).await;
        let (stream, running) = opened.expect("it is allowed");
        tokio::spawn(running);
        streams.push(stream);
    }
    tokio::task::yield_now().await;
    println!("{} octets of memory for each idle stream", (resident() - before) / STREAMS as u64);
    let begin = Instant::now();
    for _ in 0..PERIODS {
        tokio::time::sleep(Duration::from_secs(15)).await;
        for stream in &mut streams {
            while stream.next().now_or_never().is_some() {}
        }
    }
    begin.elapsed() / PERIODS
}

#[tokio::test(start_paused = true)]
#[ignore = "a measurement"]
async fn idle_streams_cost_little() {
    let silent = periods(Config::development().sse_heart_beat(Duration::from_secs(100_000))).await;
    let beating = periods(Config::development()).await;
    let beat = beating.saturating_sub(silent) / u32::try_from(STREAMS).expect("it is small");
    println!(
        "{silent:?} to look at {STREAMS} streams that say nothing, {beating:?} with a beat of each: {beat:?} for a beat"
    );
}
