//! Rules 17 to 21: members of rooms, presence, users online, over real connections and with paused time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod language;
mod online;
mod rooms;
mod status;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use parlor_core::{
    Config, Realtime, RealtimeBuilder,
    app::{Router, Rules},
    auth::{Anonymous, Principal},
    connection::Closing,
    destination::Destination,
    event_stream::{EventStream, EventsRequest},
    testing::TestClock,
};

const SECOND: Duration = Duration::from_secs(1);

/// What listeners heard.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn push(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    /// Everything that was heard since the last time, once nothing more can be.
    async fn take(&self) -> Vec<String> {
        TestClock::pause().settle().await;
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn builder<S: Clone + Send + Sync + 'static>(router: Router<S>, state: S) -> RealtimeBuilder {
    Realtime::builder(router.with_state(state))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .config(Config::development())
}

/// An event stream, and what runs it.
async fn stream(realtime: &Realtime, destination: &str, user: &str) -> (EventStream, BoxFuture<'static, ()>) {
    let principal = Principal::user(user.parse().unwrap());
    let admission = realtime.admit(None).unwrap().for_event_stream(&principal).unwrap();
    realtime.events(EventsRequest::new(destination), principal, admission).await.unwrap()
}

fn banned() -> Closing {
    Closing::application("banned", 4403, "You were banned.")
}

fn room(number: u8) -> Destination {
    format!("/topic/rooms/{number}/chat").parse().unwrap()
}

async fn advance(time: Duration) {
    TestClock::pause().advance(time).await;
}
