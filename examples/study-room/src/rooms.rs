//! Rooms: listed, made and looked up over HTTP.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
    http::StatusCode,
    routing::get,
};
use parlor::{Realtime, axum::Authenticated};
use serde::{Deserialize, Serialize};

use crate::{
    api::{ApiError, ApiJson, ApiQuery},
    clock, ids,
    store::{NewRoom, Page, Room, Store},
};

/// Names and subjects, in characters.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 1..=60;
const SUBJECT_LENGTH: std::ops::RangeInclusive<usize> = 0..=120;

/// Rooms of the lobby: more than anyone reads, and an answer of bounded size.
const MOST_LISTED: u32 = 200;

/// Messages of one page of history.
pub(crate) const PAGE: u32 = 50;

#[derive(Deserialize)]
struct Draft {
    name: String,
    #[serde(default)]
    subject: String,
}

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<Room>,
}

#[derive(Deserialize)]
struct Before {
    before: Option<i64>,
}

pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<dyn Store>: FromRef<S>,
    Realtime: FromRef<S>,
{
    Router::new()
        .route("/rooms", get(list).post(create))
        .route("/rooms/{id}", get(one))
        .route("/rooms/{id}/messages", get(messages))
}

async fn list(State(store): State<Arc<dyn Store>>, _: Authenticated) -> Result<Json<Rooms>, ApiError> {
    Ok(Json(Rooms { rooms: store.rooms(MOST_LISTED).await? }))
}

async fn create(
    State(store): State<Arc<dyn Store>>,
    Authenticated(user): Authenticated,
    ApiJson(draft): ApiJson<Draft>,
) -> Result<(StatusCode, Json<Room>), ApiError> {
    let (name, subject) = (draft.name.trim(), draft.subject.trim());
    let bad_name = || ApiError::field("bad-name", "A room's name has 1 to 60 characters, in one line.", "name");
    let bad_subject =
        || ApiError::field("bad-subject", "A subject has at most 120 characters, in one line.", "subject");
    let faults = [
        (!fits(name, NAME_LENGTH)).then(bad_name), //
        (!fits(subject, SUBJECT_LENGTH)).then(bad_subject),
    ];
    if let Some(error) = ApiError::of_all(faults.into_iter().flatten()) {
        return Err(error);
    }
    let room = NewRoom {
        id: ids::random_id::<8>().map_err(ApiError::internal)?,
        name: name.to_owned(),
        subject: subject.to_owned(),
        created_by: user.to_string(),
        created_at: clock::now_ms(),
    };
    Ok((StatusCode::CREATED, Json(store.create_room(room).await?)))
}

async fn one(
    State(store): State<Arc<dyn Store>>,
    _: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Room>, ApiError> {
    store.room(&id).await?.map(Json).ok_or_else(ApiError::room_not_found)
}

async fn messages(
    State(store): State<Arc<dyn Store>>,
    _: Authenticated,
    Path(id): Path<String>,
    ApiQuery(Before { before }): ApiQuery<Before>,
) -> Result<Json<Page>, ApiError> {
    if store.room(&id).await?.is_none() {
        return Err(ApiError::room_not_found());
    }
    Ok(Json(store.messages(&id, before, PAGE).await?))
}

/// One line without control characters or marks that turn the direction of what follows.
fn fits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    let breaks = |char: char| matches!(char, '\u{2028}' | '\u{2029}');
    let turns = |char: char| matches!(char, '\u{061C}' | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    length.contains(&text.chars().count()) && !text.chars().any(|char| char.is_control() || breaks(char) || turns(char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rooms_name_is_one_line_that_stays_in_its_place() {
        for name in ["x", "Algebra II: groups & rings", "小林 😀", &"x".repeat(60)] {
            assert!(fits(name, NAME_LENGTH), "{name}");
        }
        for name in ["", "a\nb", "a\u{2028}b", "a\u{202E}b", "a\u{061C}b", "\0", &"x".repeat(61)] {
            assert!(!fits(name, NAME_LENGTH), "{name:?}");
        }
        assert!(fits("", SUBJECT_LENGTH));
    }
}
