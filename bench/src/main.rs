//! Measures a STOMP broker from outside: `cargo run --release -p bench -- --help`.
//!
//! It starts the broker example as a process of its own, loads it through Parlor's own client (`control.rs` says why its readers are the client's state machine alone), and prints
//! deliveries per second of server CPU time (the steadiest figure on a shared machine) and memory per session.

mod control;
#[expect(dead_code, reason = "the load generator that speaks it comes next")]
mod dialect;
mod fan_out;
mod process;
mod subscriber;
mod websocket;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;

use crate::{
    fan_out::{FanOut, Workload},
    process::Server,
};

/// Fan-out against the broker example: one publisher, many subscribers, every delivery counted, and one of them checked.
#[derive(Debug, Parser)]
struct Options {
    /// The broker to start; built by `cargo build --release --example broker`
    #[arg(long, default_value = "target/release/examples/broker")]
    broker: PathBuf,
    /// Subscribers of the one topic
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Octets of a message's body
    #[arg(long, default_value_t = 128)]
    body: usize,
    /// Seconds of one round, after a tenth of it to warm up
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Rounds of each workload; the median and the range are printed
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[expect(clippy::print_stderr, reason = "the terminal is this program's user interface")]
fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]
fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Subscribers are tasks of this one thread, so that counting needs no locks.
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let server = Server::start(&options.broker).await?;
        let before = server.resident_bytes()?;
        let mut fan_out = FanOut::connect(&server, options.subscribers, options.body).await?;
        let resident = server.resident_bytes()?.saturating_sub(before);
        println!("{} subscribers, {} octets of body, one server thread", options.subscribers, options.body);
        println!("resident memory per idle session: {} octets", resident / options.subscribers.max(1) as u64);
        for (name, in_flight) in [("one message in flight", 1), ("32 messages in flight", 32)] {
            let mut figures = Vec::new();
            for _ in 0..options.rounds {
                let workload = Workload { in_flight, time: Duration::from_secs_f64(options.seconds) };
                figures.push(fan_out.run(&server, workload).await?);
            }
            figures.sort_by(|one, two| one.per_cpu_second.total_cmp(&two.per_cpu_second));
            let (least, most) = (&figures[0], &figures[figures.len() - 1]);
            let median = &figures[figures.len() / 2];
            println!(
                "{name}: {:.0} deliveries per server CPU-second (median of {}; {:.0} to {:.0}), {:.0} per second of time, {} lost",
                median.per_cpu_second,
                figures.len(),
                least.per_cpu_second,
                most.per_cpu_second,
                median.per_second,
                figures.iter().map(|figure| figure.lost).sum::<u64>(),
            );
            if figures.iter().any(|figure| figure.lost > 0) {
                return Err("deliveries were lost".into());
            }
        }
        Ok(())
    })
}
