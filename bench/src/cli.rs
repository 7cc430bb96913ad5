//! The command line.

use std::{
    error::Error,
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    codec::{self, Direction},
    compare::{self, Wishes},
    contest::{Comparison, Contest, Pool, Rounds},
    cores::Cores,
    generator::Reception,
    limit::Limit,
    program, report,
    scenario::BODY,
    subject::{LIMIT, LIMIT_COALESCING, LIMIT_ECHO, PARLOR, Programs, Subject, become_server},
};

/// Measures Parlor's broker example, the limit and peers, round by round beside each other
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One message to many
    FanOut {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
        subscribers: usize,
        /// Messages in flight; the next one goes when one has reached everyone
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        in_flight: u32,
        /// Messages a second instead, whatever the server does
        #[arg(long, value_parser = above_nothing)]
        rate: Option<f64>,
        /// Octets of a message's body, of at least 32
        #[arg(long, default_value_t = BODY)]
        body: usize,
    },
    /// Sixteen messages in one write, to many
    Burst {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
        subscribers: usize,
    },
    /// Many small rooms in which everybody talks
    Rooms {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
        rooms: usize,
        #[arg(long, default_value_t = 10, value_parser = at_least_one)]
        members: usize,
    },
    /// A quiet room beside a busy one
    Neighbours {
        #[command(flatten)]
        common: Common,
    },
    /// Memory of sessions that say nothing
    Idle {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
        sessions: usize,
    },
    /// Clients that come and go, and subscriptions that do beside a quiet room
    Churn {
        #[command(flatten)]
        common: Common,
    },
    /// Event streams beside WebSockets
    Sse {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
        subscribers: usize,
    },
    /// A typed handler that answers, against plain echoes
    Handlers {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 100, value_parser = at_least_one)]
        clients: usize,
    },
    /// Acknowledged deliveries and unique subscription ids, against plain ones
    #[command(visible_aliases = ["acks", "ids"])]
    Kinds {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
        subscribers: usize,
    },
    /// Cost while subscribers, topics, sessions, payload or ids grow
    Curves {
        #[command(flatten)]
        common: Common,
        /// Only curves whose names contain this
        #[arg(long)]
        only: Option<String>,
    },
    /// What CI looks at: fan-out and bursts against the limit, and memory of idle sessions
    Quick {
        #[command(flatten)]
        common: Common,
    },
    /// All of it, with all peers that can be installed, into docs/benchmarks.md
    Compare {
        #[command(flatten)]
        common: Common,
        /// Subscribers of the contests that peers take part in
        #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
        subscribers: usize,
        /// Only these contests: fan-out-1000, burst, rate, curve for all curves, …; what the document says of the others stays
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Measure nothing: write the document and its plots anew from benchmarks.json
        #[arg(long)]
        render: bool,
        /// The folder of benchmarks.md, benchmarks.json and the plots
        #[arg(long, default_value = "docs")]
        output: PathBuf,
    },
    /// Becomes a server under test, which is killed with its parent: how the others start theirs
    #[command(hide = true)]
    Become {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Takes frames through the codec and nothing else: what `scripts/check-hot-path` counts the instructions of
    #[command(hide = true)]
    Codec { direction: Direction, frames: usize },
    /// The limit reference: started by the others
    Limit {
        #[arg(long)]
        port: u16,
        /// Write to each subscriber once what one read has brought
        #[arg(long)]
        coalescing: bool,
    },
}

#[derive(Args, Debug)]
struct Common {
    /// Rounds of each contestant [default: 5; compare: 15]
    #[arg(long, value_parser = at_least_one)]
    rounds: Option<usize>,
    /// Seconds of a round, after a tenth of it to warm up
    #[arg(long, default_value_t = 3.0, value_parser = above_nothing)]
    seconds: f64,
    /// Who takes part: parlor, limit, limit-coalescing, and folders of bench/peers
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
    /// The broker to start; built by `cargo build --release --example broker`
    #[arg(long, default_value = "target/release/examples/broker")]
    broker: PathBuf,
    /// A further option of the broker, `--retain=0` say; repeatable
    #[arg(long, allow_hyphen_values = true)]
    broker_option: Vec<String>,
    /// The folder of the peers
    #[arg(long, default_value = "bench/peers")]
    peers: PathBuf,
    /// Print all rounds as JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Have the generator ask again and again for what has come, so that no server pays for waking it; it is then always busy. Not
    /// for `compare`, which has a contest of that kind
    #[arg(long)]
    spin: bool,
    /// Have the clients begin in the kernel's pingpong mode, as if they answered what they receive: bench/notes/method.md says what that
    /// is. Not for `compare`, which has a contest of that kind
    #[arg(long)]
    interactive: bool,
}

/// A number of clients or rounds.
fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|error| format!("{error}"))?;
    if number > 0 { Ok(number) } else { Err("at least 1".to_owned()) }
}

/// A time or a rate.
fn above_nothing(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("a number above 0".to_owned()) }
}

impl Common {
    fn programs(&self) -> Programs {
        Programs { broker: self.broker.clone(), broker_options: self.broker_option.clone(), peers: self.peers.clone() }
    }

    fn rounds(&self) -> Rounds {
        let reception = Reception { spins: self.spin, interactive: self.interactive };
        Rounds { rounds: self.rounds.unwrap_or(5), seconds: self.seconds, warm_up: false, reception }
    }

    /// The subjects that were asked for, or these.
    fn subjects(&self, usual: &[&str]) -> Result<Vec<Subject>, Box<dyn Error>> {
        let programs = self.programs();
        if self.subjects.is_empty() {
            return usual.iter().map(|name| Subject::named(name, &programs)).collect();
        }
        self.subjects.iter().map(|name| Subject::named(name, &programs)).collect()
    }

    fn parlor(&self) -> Subject {
        Subject::parlor(&self.programs())
    }

    /// Holds contests and prints them.
    fn run(&self, contests: &[Contest]) -> Result<(), Box<dyn Error>> {
        self.run_as(contests, self.rounds())
    }

    #[expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]
    fn run_as(&self, contests: &[Contest], rounds: Rounds) -> Result<(), Box<dyn Error>> {
        let mut pool = Pool::new(Cores::claim()?);
        let mut comparisons = Vec::new();
        for contest in contests {
            let comparison = contest.hold_alone(rounds, &mut pool, &mut tell);
            if !self.json {
                println!("\n{}\n\n{}", comparison.title, report::table(&comparison));
            }
            comparisons.push(comparison);
        }
        if self.json {
            print_whole(&serde_json::to_string_pretty(&comparisons)?)?;
        }
        judge(&comparisons)
    }
}

/// Runs the command line.
#[expect(clippy::print_stderr, reason = "the terminal is this program's user interface")]
pub fn main() -> ExitCode {
    match run(Options::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    raise_descriptor_limit()?;
    match command {
        Command::FanOut { common, subscribers, in_flight, rate, body } => {
            let subjects = common.subjects(&[PARLOR, LIMIT])?;
            common.run(&[match rate {
                Some(rate) => program::rate(&subjects, subscribers, Some(rate)),
                None => program::fan_out(&subjects, subscribers, in_flight, body),
            }])
        }
        Command::Codec { direction, frames } => codec::run(direction, frames),
        Command::Burst { common, subscribers } => {
            common.run(&[program::burst(&common.subjects(&[PARLOR, LIMIT_COALESCING])?, subscribers)])
        }
        Command::Rooms { common, rooms, members } => {
            common.run(&[program::rooms(&common.subjects(&[PARLOR, LIMIT])?, rooms, members)])
        }
        Command::Neighbours { common } => common.run(&[program::neighbours(&common.subjects(&[PARLOR, LIMIT])?)]),
        Command::Idle { common, sessions } => {
            common.run(&[program::idle(&common.subjects(&[PARLOR, LIMIT])?, sessions)])
        }
        Command::Churn { common } => {
            let subjects = common.subjects(&[PARLOR, LIMIT])?;
            common.run(&[program::connects(&subjects), program::topic_churn(&subjects)])
        }
        Command::Sse { common, subscribers } => common.run(&[program::sse(&common.parlor(), subscribers)]),
        Command::Handlers { common, clients } => {
            let echoes = common.subjects(&[LIMIT_ECHO])?;
            common.run(&[program::handlers(&common.parlor(), &echoes, clients)])
        }
        Command::Kinds { common, subscribers } => common.run(&[program::kinds(&common.parlor(), subscribers)]),
        Command::Curves { common, only } => {
            let mut curves = program::curves(&common.parlor(), &Subject::limit(LIMIT)?);
            let known: Vec<_> = curves.iter().map(|curve| curve.name.clone()).collect();
            curves.retain(|curve| only.as_ref().is_none_or(|only| curve.name.contains(only.as_str())));
            if curves.is_empty() {
                return Err(format!("There is no such curve. There are: {}.", known.join(", ")).into());
            }
            common.run(&curves)
        }
        Command::Quick { common } => quick(&common),
        Command::Compare { common, .. } if common.spin || common.interactive => {
            Err("Leave `--spin` and `--interactive` out: in `compare`, each contest says how its clients receive."
                .into())
        }
        Command::Compare { render: true, output, .. } => compare::render(&output),
        Command::Compare { common, subscribers, only, output, .. } => {
            let rounds = Rounds { rounds: common.rounds.unwrap_or(15), warm_up: true, ..common.rounds() };
            let wishes = Wishes { rounds, subscribers, subjects: common.subjects.clone(), only, output };
            compare::compare(&wishes, &common.programs(), Cores::claim()?, &mut tell)
        }
        Command::Become { command } => become_server(&command),
        Command::Limit { port, coalescing } => Limit::bind(port, coalescing)?.serve(),
    }
}

/// What CI looks at.
fn quick(common: &Common) -> Result<(), Box<dyn Error>> {
    let parlor = common.parlor();
    let subjects = |limit| Ok::<_, Box<dyn Error>>([parlor.clone(), Subject::limit(limit)?]);
    common.run_as(
        &[
            program::fan_out(&subjects(LIMIT)?, 1000, 1, BODY),
            program::burst(&subjects(LIMIT_COALESCING)?, 1000),
            program::idle(std::slice::from_ref(&parlor), 5000),
        ],
        common.rounds(),
    )
}

/// Prints a long text; who reads no more of it has read enough.
fn print_whole(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Whether Parlor and the limit delivered everything once and in order; what peers do is only written down.
fn judge(comparisons: &[Comparison]) -> Result<(), Box<dyn Error>> {
    for entry in comparisons.iter().flat_map(|comparison| &comparison.entries) {
        let is_ours = entry.subject == PARLOR || entry.subject.starts_with(LIMIT);
        if let Some(reason) = entry.failure() {
            return Err(format!("{}: {reason}", entry.label).into());
        }
        if is_ours && (entry.is_faulty() || entry.is_disordered()) {
            return Err(format!("{}: deliveries were lost, doubled, out of order or went astray", entry.label).into());
        }
    }
    Ok(())
}

/// Thousands of sockets need as many descriptors; servers inherit the limit.
fn raise_descriptor_limit() -> Result<(), Box<dyn Error>> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

#[expect(clippy::print_stderr, reason = "the terminal is this program's user interface")]
fn tell(line: &str) {
    eprintln!("{line}");
}
