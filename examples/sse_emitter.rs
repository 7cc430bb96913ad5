//! Events that an application sends itself over HTTP: `cargo run --example sse_emitter [address]`.
//!
//! ```sh
//! curl -N http://127.0.0.1:8080/orders/7 &                  # an event stream: what happens to order 7
//! curl -d packed http://127.0.0.1:8080/orders/7             # says so to everyone who listens to it
//! curl -X DELETE http://127.0.0.1:8080/orders/7             # it is delivered: the streams end for good
//! ```

use std::{env, error::Error, sync::Arc};

use axum::{
    extract::{FromRef, Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use parlor::{
    Realtime,
    app::{Rejection, Router},
    auth::Anonymous,
    axum::Sse,
    event_stream::SseHub,
    sse::SseEvent,
};
use serde::Serialize;
use tokio::{net::TcpListener, sync::Mutex};

/// What routes work with.
#[derive(Clone)]
struct Web {
    realtime: Realtime,
    streams: SseHub<u32>,
    /// Orders that are delivered.
    delivered: Arc<Mutex<Vec<u32>>>,
}

impl FromRef<Web> for Realtime {
    fn from_ref(web: &Web) -> Self {
        web.realtime.clone()
    }
}

/// What a client hears as `event: step`.
#[derive(Serialize)]
struct Step {
    order: u32,
    step: String,
}

/// `GET /orders/7`
async fn listen(Sse(client): Sse, Path(order): Path<u32>, State(web): State<Web>) -> Response {
    if web.delivered.lock().await.contains(&order) {
        // 204: an `EventSource` that came back by itself stops here.
        return client.refuse(Rejection::ended()).into_response().into_response();
    }
    let (emitter, response) = client.open().await;
    if web.streams.join(&emitter, order).is_err() {
        emitter.complete();
    }
    response.into_response()
}

/// `POST /orders/7` with what happened; answers how many heard it.
async fn happened(Path(order): Path<u32>, State(web): State<Web>, step: String) -> Result<String, String> {
    let event = SseEvent::json(&Step { order, step }).map_err(|error| error.to_string())?;
    let event = event.named("step").map_err(|error| error.to_string())?;
    let heard = web.streams.broadcast(&order, &event).map_err(|error| error.to_string())?;
    Ok(format!("{heard}\n"))
}

/// `DELETE /orders/7`
async fn delivered(Path(order): Path<u32>, State(web): State<Web>) {
    web.delivered.lock().await.push(order);
    for emitter in web.streams.emitters(&order) {
        emitter.complete();
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Nothing is subscribed to here; the endpoint judges and counts who connects.
    let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
    let web = Web { realtime: realtime.clone(), streams: SseHub::new(), delivered: Arc::default() };
    let http =
        axum::Router::new().route("/orders/{order}", get(listen).post(happened).delete(delivered)).with_state(web);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/orders/7", listener.local_addr()?);
    parlor::axum::serve(listener, http, realtime).await?;
    Ok(())
}
