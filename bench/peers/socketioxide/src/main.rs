//! Fan-out by socketioxide, as a peer of the benchmark: `socketioxide-peer PORT`.
//!
//! A client emits `join` with the name of a room, which is confirmed by `joined`; what it emits as `publish` with a room and a
//! text arrives as `message` at everyone in that room.

use std::{env, error::Error, net::Ipv4Addr, process::ExitCode, time::Duration};

use axum::{Router, serve::ListenerExt};
use socketioxide::{
    SocketIo,
    extract::{Data, SocketRef},
};
use tokio::{net::TcpListener, runtime};

/// Packets that may wait for a client, beyond which it misses some. More than the benchmark has in flight.
const BACKLOG: usize = 1024;

/// Longer than any run: the other peers ping nobody either. The first ping comes at once all the same.
const PING_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

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
    let port = env::args().nth(1).ok_or("usage: socketioxide-peer PORT")?.parse()?;
    // One thread also keeps the order of a client's events, whose handlers are tasks of their own.
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(port))
}

async fn serve(port: u16) -> Result<(), Box<dyn Error>> {
    let (layer, io) = SocketIo::builder()
        .max_buffer_size(BACKLOG)
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_INTERVAL)
        .build_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on("join", async |socket: SocketRef, Data(room): Data<String>| {
            socket.join(room.clone());
            // Fails where the client has gone.
            let _ = socket.emit("joined", &room);
        });
        socket.on("publish", async |io: SocketIo, Data((room, text)): Data<(String, String)>| {
            // Fails for those who have gone or are too far behind; the benchmark counts what is missing.
            let _ = io.to(room).emit("message", &text).await;
        });
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?.tap_io(|stream| {
        // Otherwise it would be Nagle's algorithm that is measured. A socket that is closed already shows that soon enough.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().layer(layer)).await?;
    Ok(())
}
