//! What the arguments take, and what the pattern and the event have.

#![allow(unused)]

use parlor::{
    app::{Connected, Rejection},
    error_handler,
    extract::{Path, Payload},
    on_connected, stomp_handler, subscribe_handler,
};

#[stomp_handler("/app/rooms")]
async fn nothing_captured(Path(room): Path<u32>) {}

#[stomp_handler("/app/rooms/{room}/seats/{seat}")]
async fn too_few(Path(room): Path<u32>) {}

#[stomp_handler("/app/rooms/{room}")]
async fn too_many(Path((room, seat)): Path<(u32, u8)>) {}

#[stomp_handler("/app/rooms/{room}/seats/{seat}")]
async fn too_many_by_one(Path((room, seat, row)): Path<(u32, u8, u8)>) {}

#[on_connected]
async fn no_pattern(event: Connected, Path(room): Path<u32>) {}

#[stomp_handler("/app/rooms")]
async fn two_payloads(Payload(draft): Payload<String>, Payload(rating): Payload<u8>) {}

#[subscribe_handler("/topic/rooms")]
async fn body_of_a_subscribe(draft: Option<Payload<String>>) {}

#[on_connected]
async fn body_of_a_session(Payload(draft): Payload<String>) {}

#[error_handler]
async fn error_is_missing() -> Rejection {
    Rejection::new("failed", "It failed.")
}

fn main() {}
