//! Arguments that cannot be extracted: our words, at the argument.

#![allow(unused)]

use parlor::{
    app::Router,
    extract::{FromRef, State},
    stomp_handler,
};

#[derive(Clone)]
struct App;

#[derive(Clone)]
struct Rooms;

impl FromRef<App> for Rooms {
    fn from_ref(_: &App) -> Self {
        Self
    }
}

#[derive(Clone)]
struct Missing;

#[stomp_handler("/app/a")]
async fn not_an_extractor(_flag: bool) {}

#[stomp_handler("/app/b")]
async fn missing_part(State(_): State<Rooms>, State(_): State<Missing>) {}

/// Where the state is named, nothing has to be mounted for the error to be seen.
#[stomp_handler("/app/c", state = App)]
async fn both(_flag: bool, State(_): State<Missing>) {}

fn main() {
    let _ = Router::new().mount(not_an_extractor::route()).mount(missing_part::route()).with_state(App);
}
