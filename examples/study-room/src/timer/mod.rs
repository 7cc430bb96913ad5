//! The focus timer of each room: handlers first, the service below them.
//!
//! A page gets the phase, when it ends by the server's clock, and what that clock says now: so all pages show the same second,
//! whatever their own clocks say. Whoever comes late, or comes back, gets it as the first message of the subscription.
//!
//! The timers live in memory: a restart ends the rounds that are under way, and pages show so when they are back.

mod service;
mod state;

use std::sync::Arc;

use parlor::{
    app::{Rejection, Route, Router},
    auth::Principal,
    broker::PublishError,
    extract::{FromRef, Path, Payload, Reply, State},
    limits::Rate,
};
pub(crate) use service::TimerService;
use service::{Lobby, Shown};
pub(crate) use state::Command;

use crate::{
    membership::{in_the_room, room_exists},
    store::Store,
};

/// Where a room's timer is seen.
pub(crate) const TIMER: &str = "/topic/rooms/{room}/timer";

/// Where all timers are seen.
pub(crate) const LOBBY: &str = "/topic/lobby/timers";

/// How often a page may command a timer: as fast as one can press a button.
const COMMANDS: Rate = Rate::per_second(2).burst(5);

/// The routes of the timer.
pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    TimerService: FromRef<S>,
    Arc<dyn Store>: FromRef<S>,
{
    Router::new()
        .mount(Route::message("/app/rooms/{room}/timer", command).authorize(in_the_room).rate(COMMANDS))
        .mount(Route::subscribe(TIMER, look).authorize(room_exists))
        .mount(Route::subscribe(LOBBY, look_at_all))
}

/// Somebody in the room starts, pauses, resumes or resets its timer. Everyone sees it before the RECEIPT comes.
async fn command(
    Path(room): Path<String>,
    user: Principal,
    State(timers): State<TimerService>,
    Payload(command): Payload<Command>,
) -> Result<(), TimerError> {
    timers.command(&room, &user.to_string(), command).await
}

/// Somebody looks at a room's timer: how it stands comes first, then every change.
async fn look(Path(room): Path<String>, State(timers): State<TimerService>) -> Reply<Shown> {
    Reply(timers.shown(&room))
}

/// Somebody looks at the lobby: all timers that are under way come first, then every change of one.
async fn look_at_all(State(timers): State<TimerService>) -> Reply<Lobby> {
    Reply(timers.all())
}

/// Why a command is not obeyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TimerError {
    #[error("A focus round and a break each last 1 to 120 minutes.")]
    BadLengths,
    #[error("Too many rooms have a timer running. Try again when one has ended.")]
    Full,
    #[error(transparent)]
    NotPublished(#[from] PublishError),
}

impl From<TimerError> for Rejection {
    fn from(error: TimerError) -> Self {
        let code = match &error {
            TimerError::BadLengths => "bad-lengths",
            TimerError::Full => "timers-full",
            TimerError::NotPublished(error) => return Self::internal(error),
        };
        Self::new(code, error.to_string())
    }
}
