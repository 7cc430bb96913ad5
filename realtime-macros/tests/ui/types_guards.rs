//! Guards that are none, or that want a part of a state that is not named.

#![allow(unused)]

use parlor::{
    extract::{FromRef, Path, State},
    stomp_handler,
};

#[derive(Clone)]
struct App;

#[derive(Clone)]
struct Members;

impl FromRef<App> for Members {
    fn from_ref(_: &App) -> Self {
        Self
    }
}

async fn is_member(Path(room): Path<u32>, State(_): State<Members>) -> bool {
    room != 0
}

async fn counts() -> u32 {
    1
}

#[stomp_handler("/app/a/{room}", authorize = is_member)]
async fn of_every_state() {}

#[stomp_handler("/app/b/{room}", authorize = is_member, state = App)]
async fn of_this_state() {}

#[stomp_handler("/app/c", authorize = counts, state = App)]
async fn no_verdict() {}

fn main() {}
