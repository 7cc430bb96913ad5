//! The command line: `check` logs, `run` to make and check one; `serve` is the broker of a run.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use delivery_check::{
    chaos::{self, BrokerOptions, RunOptions},
    checker::{Verdict, check},
    read,
};

/// How many violations are printed; the count is that of all.
const PRINTED: usize = 20;

/// The exit code where nothing could be judged.
const NOT_JUDGED: u8 = 2;

/// Proves or refutes from logs that nothing was lost, doubled or reordered.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks the logs of one run
    Check {
        /// Logs of the format that README.md describes; the lines of a client are all in one of them
        #[arg(required = true)]
        logs: Vec<PathBuf>,
    },
    /// Makes a log under forced reconnects, and checks it
    Run {
        /// What is done to the connections
        #[arg(long, value_enum, default_value_t = Mode::Window)]
        mode: Mode,
        /// Decides the faults [default: another one each time]
        #[arg(long)]
        seed: Option<u64>,
        /// Reconnects after which it ends, in the mode `window`
        #[arg(long, default_value_t = 1000)]
        reconnects: u64,
        /// Outages after which it ends, in the other modes
        #[arg(long, default_value_t = 10)]
        outages: u64,
        /// Clients that send
        #[arg(long, default_value_t = 20)]
        publishers: u64,
        /// Clients that listen, each to every destination
        #[arg(long, default_value_t = 6)]
        subscribers: usize,
        /// Topics
        #[arg(long, default_value_t = 4)]
        destinations: usize,
        /// How subscribers listen
        #[arg(long, value_enum, default_value_t = Transports::Both)]
        transports: Transports,
        /// How long a stalled connection stands still, in milliseconds; heart-beats come five times as often
        #[arg(long, default_value_t = 1000)]
        stall_ms: u64,
        /// Where the log is kept [default: a file of the system's temporary folder, removed where all is well]
        #[arg(long)]
        log: Option<PathBuf>,
    },
    /// Is the broker of a run, until standard input ends
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        history: usize,
        #[arg(long)]
        heart_beat_ms: u64,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    Restarts,
    SmallHistory,
    Window,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Transports {
    Both,
    EventStreams,
    WebSocket,
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the terminal is this program's user interface")]
async fn main() -> ExitCode {
    match execute(Options::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(NOT_JUDGED)
        }
    }
}

async fn execute(command: Command) -> Result<ExitCode, Box<dyn std::error::Error + Send + Sync>> {
    match command {
        Command::Check { logs } => {
            let mut records = Vec::new();
            for log in &logs {
                records.extend(read(log)?);
            }
            let verdict = check(&records);
            print(&verdict.counts);
            Ok(tell(&verdict, &[]))
        }
        Command::Serve { history, heart_beat_ms } => {
            chaos::serve(BrokerOptions::new(history, Duration::from_millis(heart_beat_ms))).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run {
            mode,
            seed,
            reconnects,
            outages,
            publishers,
            subscribers,
            destinations,
            transports,
            stall_ms,
            log,
        } => {
            let seed = seed.unwrap_or_else(random_seed);
            let kept = log.is_some();
            let log = log.unwrap_or_else(|| std::env::temp_dir().join(format!("delivery-check-{seed}.jsonl")));
            let mode = match mode {
                Mode::Restarts => chaos::Mode::Restarts,
                Mode::SmallHistory => chaos::Mode::SmallHistory,
                Mode::Window => chaos::Mode::Window,
            };
            print(&format!("mode {mode:?}, seed {seed}, log {}", log.display()));
            let mut options = RunOptions::new(mode, seed, log.clone());
            (options.reconnects, options.outages, options.publishers) = (reconnects, outages, publishers);
            (options.subscribers, options.destinations) = (subscribers, destinations);
            options.transports = match transports {
                Transports::Both => chaos::Transports::Both,
                Transports::EventStreams => chaos::Transports::EventStreams,
                Transports::WebSocket => chaos::Transports::WebSocket,
            };
            options.stall = Duration::from_millis(stall_ms);
            let outcome = chaos::run(options).await?;
            print(&outcome);
            if outcome.is_good() && !kept {
                std::fs::remove_file(&log)?;
            }
            Ok(tell(&outcome.verdict, &outcome.faults))
        }
    }
}

/// Prints the verdict; the exit code that says it.
fn tell(verdict: &Verdict, faults: &[String]) -> ExitCode {
    for violation in verdict.violations.iter().take(PRINTED) {
        print(violation);
    }
    for fault in faults {
        print(fault);
    }
    let found = verdict.violations.len() + faults.len();
    if found == 0 {
        print(&"proved: nothing lost, nothing doubled, every order kept");
        return ExitCode::SUCCESS;
    }
    print(&format!("refuted: {found} violations"));
    ExitCode::FAILURE
}

#[expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]
fn print(line: &impl std::fmt::Display) {
    println!("{line}");
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}
