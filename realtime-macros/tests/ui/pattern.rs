//! Patterns that no destination can match, or that are not there.

#![allow(unused)]

use parlor::{on_connected, stomp_handler, subscribe_handler};

const PATTERN: &str = "/app/constant";

#[stomp_handler]
async fn missing() {}

#[stomp_handler(PATTERN)]
async fn not_a_literal() {}

#[stomp_handler(rate = "5/s", "/app/late")]
async fn not_first() {}

#[stomp_handler("/app/one", "/app/two")]
async fn twice() {}

#[on_connected("/topic/**")]
async fn not_here() {}

#[stomp_handler("app/rooms")]
async fn no_slash() {}

#[stomp_handler("/app//rooms")]
async fn empty_segment() {}

#[subscribe_handler("/topic/rooms/")]
async fn trailing_slash() {}

#[stomp_handler("/app/../rooms")]
async fn dot_segment() {}

#[stomp_handler("/app/a%2Fb")]
async fn character() {}

#[stomp_handler("/app/**/rooms")]
async fn rest_in_the_middle() {}

#[stomp_handler("/app/room-*")]
async fn star() {}

#[stomp_handler("/app/{room/chat")]
async fn placeholder() {}

#[stomp_handler("/app/{room}/{room}")]
async fn duplicate_placeholder() {}

#[stomp_handler("/app/a/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long")]
async fn too_long() {}

#[stomp_handler("app/{}//.")]
async fn all_at_once() {}

fn main() {}
