//! Parlor in a tower stack, without any web framework: `cargo run --example tower_stack`.
//!
//! A service is a function of a request; layers stand in front of it; `parlor::hyper::Server` serves the stack within its
//! limits, drains on SIGTERM, and speaks HTTP/1.1 and HTTP/2 (and TLS, with the feature `tls`).

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use std::{convert::Infallible, env, error::Error};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use parlor::{
    Realtime,
    app::{Router, Rules},
    auth::Anonymous,
    hyper::{LiveService, ReadyService, RequestBody, Server, WebSocketService},
};
use tokio::net::TcpListener;
use tower::{
    Layer, Service,
    limit::GlobalConcurrencyLimitLayer,
    service_fn,
    util::{MapResponse, MapResponseLayer},
};

/// Requests that may be answered at a time; an upgraded WebSocket is none any more.
const MAX_REQUESTS: usize = 512;

/// Everything that this server answers.
async fn answer(request: Request<RequestBody>, realtime: Realtime) -> Result<Response<Full<Bytes>>, Infallible> {
    match request.uri().path() {
        "/ws" => WebSocketService::new(&realtime).call(request).await,
        "/readyz" => ReadyService::new(&realtime).call(request).await,
        "/livez" => LiveService::new().call(request).await,
        _ => {
            let mut response = Response::new(Full::from("Connect a STOMP client to /ws.\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
    }
}

/// A layer of this program's own making: every answer says that it may not be guessed to be something else.
fn no_sniffing(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_send("/topic/**").allow_subscribe("/topic/**"))
        .build()?;
    let endpoint = realtime.clone();
    let routes = service_fn(move |request| answer(request, endpoint.clone()));
    let limited = GlobalConcurrencyLimitLayer::new(MAX_REQUESTS).layer(routes);
    let stack: MapResponse<_, fn(_) -> _> = MapResponseLayer::new(no_sniffing as fn(_) -> _).layer(limited);
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on ws://{}/ws", listener.local_addr()?);
    Server::new(listener, stack, realtime).run().await?;
    Ok(())
}
