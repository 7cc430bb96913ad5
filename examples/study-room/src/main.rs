//! `cargo run -p study-room`: starts the study room and says where to click.

use std::process::ExitCode;

use study_room::{App, Settings};
use tracing_subscriber::EnvFilter;

/// The exit status after a wrong setting, as programs use it for wrong arguments. What fails later exits with 1.
const WRONG_SETTING: u8 = 2;

#[tokio::main]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the terminal is this program's user interface")]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("The study room cannot start. {error}");
            return ExitCode::from(WRONG_SETTING);
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
