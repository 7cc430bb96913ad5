//! What one writes today with axum's WebSocket, as a peer of the benchmark: `axum-peer plain|one-task|tuned PORT`.
//!
//! `/sub` receives each text message that arrives at `/pub`, through a channel of tokio's kind `broadcast` and one task per
//! subscriber; `/echo` sends each text message back. `plain` and `one-task` leave everything as the libraries have it,
//! `tuned` changes what costs most; `peer.toml` of each says what that is.

mod plain;
mod tuned;

use std::{env, error::Error, io, net::Ipv4Addr, process::ExitCode};

use axum::{Router, serve::ListenerExt};
use tokio::{net::TcpListener, runtime};

/// Messages that a subscriber may be behind before it misses some. More than the benchmark has in flight.
const BACKLOG: usize = 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [kind, port] = arguments.as_slice() else { return Err("usage: axum-peer plain|one-task|tuned PORT".into()) };
    let port = port.parse()?;
    match kind.as_str() {
        "plain" => as_main()?.block_on(serve(plain::routes(), port))?,
        "one-task" => as_main()?.block_on(serve(plain::routes_in_one_task(), port))?,
        "tuned" => {
            runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(tuned::routes(), port))?
        }
        other => return Err(format!("{other} is none of plain, one-task and tuned").into()),
    }
    Ok(())
}

/// What `#[tokio::main]` makes on one core.
fn as_main() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

async fn serve(routes: Router, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?.tap_io(|stream| {
        // Otherwise it would be Nagle's algorithm that is measured. A socket that is closed already shows that soon enough.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await
}
