//! Two routes of a list that would have to share a destination.

#![allow(unused)]

use parlor::{app::Router, routes, stomp_handler, subscribe_handler};

#[stomp_handler("/app/rooms/{room}")]
async fn by_name() {}

#[stomp_handler("/app/rooms/*")]
async fn by_star() {}

#[stomp_handler("/app/rooms/lobby")]
async fn lobby() {}

#[subscribe_handler("/app/rooms/{room}")]
async fn not_a_message() {}

fn main() {
    let _: Router<()> = Router::new().mount(routes![lobby, by_name, not_a_message, by_star]);
}
