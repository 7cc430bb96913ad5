//! The shape of the function.

#![allow(unused)]

use parlor::{
    extract::{Payload, State},
    on_connected, stomp_handler, subscribe_handler,
};

#[stomp_handler("/app/a")]
struct NotAFunction;

#[stomp_handler("/app/b")]
fn not_async() {}

#[stomp_handler("/app/c")]
async fn generic<T>(Payload(value): Payload<T>) {}

#[stomp_handler("/app/d")]
async fn impl_argument(value: impl Clone) {}

#[stomp_handler("/app/e")]
async unsafe fn qualified() {}

#[stomp_handler("/app/f")]
#[subscribe_handler("/topic/f")]
async fn two_handlers() {}

#[stomp_handler("/app/g")]
async fn nine(
    State(_a): State<u8>,
    State(_b): State<u8>,
    State(_c): State<u8>,
    State(_d): State<u8>,
    State(_e): State<u8>,
    State(_f): State<u8>,
    State(_g): State<u8>,
    State(_h): State<u8>,
    State(_i): State<u8>,
) {
}

#[stomp_handler("/app/h")]
async fn borrows(text: &str, Payload(names): Payload<Vec<&str>>) {}

struct Chat;

impl Chat {
    #[on_connected]
    async fn receiver(&self) {}
}

/// A route is left beside each of them, so that nothing else is wrong with this.
fn main() {
    let _: parlor::app::Router<()> = parlor::app::Router::new()
        .mount(not_async::route())
        .mount(generic::route())
        .mount(impl_argument::route())
        .mount(qualified::route())
        .mount(two_handlers::route())
        .mount(nine::route())
        .mount(borrows::route());
}
