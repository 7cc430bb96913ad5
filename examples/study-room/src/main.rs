//! `cargo run -p study-room`: starts the study room and says where to click.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use study_room::{App, Command, HELP, Settings, VERSION};
use tracing_subscriber::EnvFilter;

/// The exit status after a wrong argument or setting. What fails later exits with 1.
const WRONGLY_CALLED: u8 = 2;

#[expect(clippy::print_stderr, reason = "the terminal is this program's user interface")]
fn main() -> ExitCode {
    match Command::read(env::args_os().skip(1)) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(&format!("{VERSION}\n")),
        Ok(_) => start(),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(WRONGLY_CALLED)
        }
    }
}

/// Into a pipe that somebody has closed, too: `study-room --help | head -1` is no failure.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the terminal is this program's user interface")]
async fn start() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("The study room cannot start. {error}");
            return ExitCode::from(WRONGLY_CALLED);
        }
    };
    let app = match App::start(settings).await {
        Ok(app) => app,
        Err(error) => {
            eprintln!("The study room cannot start. {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("Study room: open {}", app.public_url());
    println!("Its data lies in {}", app.data_place());
    if let Some(warning) = app.warning() {
        println!("Note: {warning}");
    }
    match app.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The study room stopped: {error}");
            ExitCode::FAILURE
        }
    }
}
