//! Return types that say nothing, errors that nobody could be told, and futures that cannot move between threads.

#![allow(unused)]

use std::{future::ready, rc::Rc};

use parlor::{
    app::{Connected, Rejection},
    error_handler,
    extract::Payload,
    on_connected, stomp_handler,
};

struct NotARejection;

#[stomp_handler("/app/a")]
async fn goes_nowhere() -> u32 {
    1
}

#[stomp_handler("/app/b")]
#[send_to("/topic/b")]
async fn cannot_be_published() -> u32 {
    1
}

#[stomp_handler("/app/c")]
#[send_to("/topic/c")]
async fn not_a_rejection() -> Result<Payload<u32>, NotARejection> {
    Ok(Payload(1))
}

#[stomp_handler("/app/d")]
async fn not_send() {
    let count = Rc::new(1);
    ready(()).await;
    drop(count);
}

#[on_connected]
async fn listens(_: Connected) -> u32 {
    1
}

#[error_handler]
async fn of_no_rejection(_: NotARejection) -> Rejection {
    Rejection::new("failed", "It failed.")
}

#[error_handler]
async fn tells_a_number(_: Rejection) -> u32 {
    1
}

fn main() {}
