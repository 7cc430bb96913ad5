//! `parlor` under another name in `Cargo.toml`: every attribute says `crate = "realtime"`.

use realtime::{
    app::{Connected, Disconnected, Rejection, Router, Subscribed, Unsubscribed, require_role},
    error_handler,
    extract::{Path, Payload, Reply},
    on_connected, on_disconnected, on_subscribed, on_unsubscribed, routes, stomp_handler, subscribe_handler,
};

#[stomp_handler(
    "/app/rooms/{room}/say",
    crate = "realtime",
    authorize = require_role("member"),
    rate = "5/s",
    max_size = "4 KiB",
    concurrent = 2
)]
#[send_to("/topic/rooms/{room}")]
async fn say(_: Path<u32>, text: Payload<String>) -> Payload<String> {
    text
}

#[subscribe_handler("/topic/rooms/{room}", crate = "realtime")]
async fn enter(Path(room): Path<u32>) -> Reply<u32> {
    Reply(room)
}

#[stomp_handler("/app/sum", crate = "realtime", state = ())]
#[send_to_user("/queue/sums")]
async fn sum(Payload((a, b)): Payload<(i64, i64)>) -> Payload<i64> {
    Payload(a + b)
}

#[error_handler(crate = "realtime")]
async fn told(error: Rejection) -> Rejection {
    error
}

#[on_connected(crate = "realtime")]
async fn came(_: Connected) {}

#[on_subscribed(crate = "realtime")]
async fn entered(_: Subscribed) {}

#[on_unsubscribed(crate = "realtime")]
async fn went(_: Unsubscribed) {}

#[on_disconnected(crate = "realtime")]
async fn left(_: Disconnected) {}

#[test]
fn a_renamed_dependency_is_named_in_the_attribute() {
    let router: Router<()> = Router::new().mount(routes![say, enter, sum, told, came, entered, went, left]);
    let table = format!("{router:?}");
    for pattern in ["/app/rooms/{room}/say", "/topic/rooms/{room}", "/app/sum"] {
        assert!(table.contains(pattern), "{table}");
    }
}
