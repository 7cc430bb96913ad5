//! Parlor on hyper alone, with an accept loop of your own: `cargo run --example plain_hyper`.
//!
//! Two things are yours then: upgrades must be switched on (`…_with_upgrades`), and the stop must be told to the sessions.
//! `parlor::hyper::Server` does both, and bounds what this loop does not: see `examples/tower_stack.rs`.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use std::{convert::Infallible, env, error::Error, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use parlor::{
    Realtime,
    app::{Router, Rules},
    auth::Anonymous,
    hyper::{PeerAddr, ReadyService, WebSocketService, stop_signal},
};
use tokio::net::TcpListener;
use tower::Service;

/// How long the stop may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Everything that this server answers.
async fn answer(request: Request<Incoming>, realtime: Realtime) -> Result<Response<Full<Bytes>>, Infallible> {
    match request.uri().path() {
        "/ws" => WebSocketService::new(&realtime).call(request).await,
        "/readyz" => ReadyService::new(&realtime).call(request).await,
        _ => {
            let mut response = Response::new(Full::from("Connect a STOMP client to /ws.\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_send("/topic/**").allow_subscribe("/topic/**"))
        .build()?;
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on ws://{}/ws", listener.local_addr()?);
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
    // RFC 8441: WebSockets over HTTP/2.
    http.http2().enable_connect_protocol();
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = &mut stop => break,
        };
        let endpoint = realtime.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddr(peer));
            answer(request, endpoint.clone())
        });
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        #[expect(clippy::disallowed_methods, reason = "the graceful shutdown below ends and awaits it")]
        tokio::spawn(async move {
            // A client that breaks off is none of the server's business.
            let _ = connection.await;
        });
    }
    drop(listener);
    // Sessions finish what was read, get their receipts, and are told when to come back.
    tokio::join!(realtime.shutdown(PATIENCE), tokio::time::timeout(PATIENCE, connections.shutdown())).1?;
    Ok(())
}
