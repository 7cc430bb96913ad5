//! Where the answer goes.

#![allow(unused)]

use parlor::{
    app::Rejection,
    error_handler,
    extract::{Path, Payload},
    on_connected, send_to, send_to_user, stomp_handler, subscribe_handler,
};

const TARGET: &str = "/topic/constant";

#[stomp_handler("/app/a")]
#[send_to]
async fn missing() -> Payload<u8> {
    Payload(1)
}

#[stomp_handler("/app/b")]
#[send_to(TARGET)]
async fn not_a_literal() -> Payload<u8> {
    Payload(1)
}

#[stomp_handler("/app/c")]
#[send_to("/topic/*")]
async fn star() -> Payload<u8> {
    Payload(1)
}

#[stomp_handler("/app/d/{room}/{seat}")]
#[send_to("/topic/d/{rom}")]
async fn placeholder(_: Path<(u8, u8)>) -> Payload<u8> {
    Payload(1)
}

#[stomp_handler("/app/e")]
#[send_to("topic/{room}")]
async fn no_slash_and_nothing_captured() -> Payload<u8> {
    Payload(1)
}

#[stomp_handler("/app/f/{room}")]
#[send_to_user("/user/queue/{room}")]
async fn user_path() -> Payload<u8> {
    Payload(1)
}

#[stomp_handler("/app/g")]
#[send_to("/topic/g")]
#[send_to("/topic/h")]
async fn twice() -> Payload<u8> {
    Payload(1)
}

#[send_to_user("/queue/i")]
#[stomp_handler("/app/i")]
#[send_to("/topic/i")]
async fn both() -> Payload<u8> {
    Payload(1)
}

#[send_to("/topic/j")]
async fn without_a_handler() -> Payload<u8> {
    Payload(1)
}

#[on_connected]
#[send_to("/topic/k")]
async fn not_here() -> Payload<u8> {
    Payload(1)
}

#[stomp_handler("/app/l")]
#[send_to("/topic/l")]
async fn nothing_to_send() -> Result<(), Rejection> {
    Ok(())
}

#[stomp_handler("/app/m")]
async fn payload_goes_nowhere() -> Result<Option<Payload<u8>>, Rejection> {
    Ok(None)
}

#[subscribe_handler("/topic/n")]
async fn payload_instead_of_reply() -> Payload<u8> {
    Payload(1)
}

#[error_handler]
async fn tells_nothing(error: Rejection) {}

fn main() {}
