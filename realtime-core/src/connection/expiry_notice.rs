//! What a session is told before its token ends: a MESSAGE on `/user/queue/session` (by the configured prefixes), if it listens
//! there. Nothing else tells it; a client that does not listen is closed at the end like any other.

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    broker::Publication,
    clock,
    destination::UserDestination,
    endpoint::Endpoint,
    session::{Session, seconds_left},
    telemetry,
};

/// The stable code.
const CODE: &str = "token-expiring";

/// The header, and the member of the body, with the seconds that are left.
const EXPIRES_IN: &str = "expires-in";

#[derive(Serialize)]
struct Body {
    code: &'static str,
    expires_in: u64,
}

/// Tells this session, not the user's others; whether it listens.
pub(super) fn tell(endpoint: &Endpoint, session: &Session, expires: Instant) -> bool {
    let expires_in = seconds_left(expires, clock::now());
    let Ok(publication) = Publication::json(&Body { code: CODE, expires_in }) else { return false };
    let publication = publication.with_header("code", CODE).with_header(EXPIRES_IN, &expires_in.to_string());
    let to = UserDestination { owner: session.owner(), path: endpoint.notices.clone() };
    match endpoint.broker.hand_to_owner(&to, &publication, Some(session.id())) {
        Ok((sent, _)) => sent.subscriptions > 0,
        Err(error) => {
            telemetry::application_failed("the end of a token could not be told", &error);
            false
        }
    }
}
