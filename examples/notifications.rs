//! A bell for each user, over WebSocket or as an event stream: `cargo run --example notifications [address]`.
//!
//! Whoever says a name in the query is that user, so that the example needs no log-in; do not do that elsewhere.
//!
//! ```sh
//! curl -d 'Bob named you' 'http://127.0.0.1:8080/notify/ada'          # nobody listens: it waits in her mailbox
//! curl -N 'http://127.0.0.1:8080/events?name=ada&destination=/user/queue/notifications' &   # begins with what is unread
//! curl -d '{"ids":["…"]}' -H content-type:application/json 'http://127.0.0.1:8080/acknowledge?name=ada'
//! ```
//!
//! A STOMP client at `/ws?name=ada` subscribes to the same destination and sends `{"ids":["…"]}` to
//! `/app/notifications/acknowledge`.

use std::{env, error::Error};

use axum::{
    Json,
    extract::{FromRef, Path, State},
    http::StatusCode,
    routing::post,
};
use parlor::{
    Realtime,
    app::Router,
    auth::{AuthError, Handshake, Principal, UserId},
    axum::Authenticated,
    broker::Broker,
    notifications::{Acknowledge, MemoryNotifications, NotificationId, Notifications},
};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Web {
    realtime: Realtime,
    notifications: Notifications,
}

impl FromRef<Web> for Realtime {
    fn from_ref(web: &Web) -> Self {
        web.realtime.clone()
    }
}

/// Believes everyone.
fn by_name(handshake: Handshake<'_>) -> Result<Principal, AuthError> {
    let name = handshake.query("name").ok_or(AuthError::Missing)?;
    Ok(Principal::user(name.parse().map_err(|_| AuthError::Invalid)?))
}

/// `POST /notify/ada`; answers the id of the notification.
async fn notify(
    Path(user): Path<String>,
    State(web): State<Web>,
    text: String,
) -> Result<String, (StatusCode, String)> {
    let user: UserId = user.parse().map_err(|_| (StatusCode::NOT_FOUND, "There is no such user.\n".to_owned()))?;
    match web.notifications.notify(&user, "mention", &text).await {
        Ok(notified) => Ok(format!("{}\n", notified.id)),
        Err(error) => Err((StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))),
    }
}

/// `POST /acknowledge`, for clients that have an event stream alone.
async fn acknowledge(
    Authenticated(user): Authenticated,
    State(web): State<Web>,
    Json(which): Json<Acknowledge>,
) -> Result<Json<Vec<NotificationId>>, StatusCode> {
    let user = user.id().ok_or(StatusCode::FORBIDDEN)?;
    let ids = web.notifications.acknowledge(user, &which).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(ids))
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::default();
    let notifications = Notifications::new(broker.clone(), MemoryNotifications::default());
    let routes = Router::new().merge(notifications.routes("/app/notifications")).with_state(());
    let realtime =
        Realtime::builder(routes).broker(broker).authenticate(by_name).notifications(&notifications).build()?;
    let http = axum::Router::new()
        .route("/notify/{user}", post(notify))
        .route("/acknowledge", post(acknowledge))
        .route_service("/events", parlor::axum::events(&realtime))
        .route_service("/ws", parlor::axum::websocket(&realtime))
        .with_state(Web { realtime: realtime.clone(), notifications });
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/events", listener.local_addr()?);
    parlor::axum::serve(listener, http, realtime).await?;
    Ok(())
}
