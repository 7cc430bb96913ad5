//! Who is typing: a signal to everyone in the room. Nothing is kept, and nobody misses anything who misses one.
//!
//! A page says it again every few seconds while somebody types; whoever reads it forgets it when it does not come again.

use std::sync::Arc;

use parlor::{
    app::{Route, Router},
    auth::Principal,
    extract::{FromRef, Payload},
    limits::Rate,
};
use serde::{Deserialize, Serialize};

use crate::{
    membership::{in_the_room, room_exists},
    store::Store,
};

/// Where it is seen.
pub(crate) const TYPING: &str = "/topic/rooms/{room}/typing";

/// How often a page may say so: as often as it has a reason to.
const SIGNALS: Rate = Rate::per_second(2);

/// What a page says: that somebody types, or stopped without sending anything.
#[derive(Debug, Deserialize)]
struct Signal {
    typing: bool,
}

/// What everyone in the room sees.
#[derive(Debug, Serialize)]
struct Typing {
    author: String,
    typing: bool,
}

/// The routes of typing.
pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<dyn Store>: FromRef<S>,
{
    Router::new()
        .mount(Route::message("/app/rooms/{room}/typing", typing).send_to(TYPING).authorize(in_the_room).rate(SIGNALS))
        .mount(Route::subscribe(TYPING, watch).authorize(room_exists))
}

/// Somebody types.
async fn typing(user: Principal, Payload(Signal { typing }): Payload<Signal>) -> Payload<Typing> {
    Payload(Typing { author: user.to_string(), typing })
}

/// Somebody watches who types. What was said of it before is over.
async fn watch() {}
