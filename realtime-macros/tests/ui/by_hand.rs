//! Handlers that are mounted without an attribute: what is wrong with them, and how to be told more.

use std::{future::ready, rc::Rc};

use parlor::{
    app::{Listener, Route, Router},
    extract::{Payload, Reply},
};

async fn not_an_extractor(_flag: bool) {}

async fn without_a_body(_: Payload<u32>) {}

async fn goes_nowhere() -> Payload<u32> {
    Payload(1)
}

async fn not_send() {
    let count = Rc::new(1);
    ready(()).await;
    drop(count);
}

fn not_async() {}

async fn answers_a_listener() -> Reply<u32> {
    Reply(1)
}

fn main() {
    let _: Router<()> = Router::new()
        .mount(Route::message("/app/a", not_an_extractor))
        .mount(Route::subscribe("/topic/b", without_a_body))
        .mount(Route::message("/app/c", goes_nowhere))
        .mount(Route::message("/app/d", not_send))
        .mount(Route::message("/app/e", not_async))
        .mount(Listener::connected(answers_a_listener));
}
