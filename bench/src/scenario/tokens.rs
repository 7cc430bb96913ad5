//! JWTs of made-up users, and the broker's options that demand them.

use std::error::Error;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;

use crate::clock;

/// Shared with a broker that is started for the measurement alone.
const SECRET: &str = "a secret of the bench, of at least 32 octets";

/// Seconds that a token is good for: longer than any round, and no longer than a broker accepts.
const LIFE: u64 = 12 * 60 * 60;

#[derive(Serialize)]
struct Claims {
    sub: String,
    exp: u64,
}

/// What makes the broker demand tokens.
pub(super) fn options() -> Vec<String> {
    vec![format!("--jwt-secret={SECRET}")]
}

/// One for each of so many users.
pub(super) fn of_users(users: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let exp = clock::date() + LIFE;
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    (0..users)
        .map(|user| Ok(encode(&Header::default(), &Claims { sub: format!("user-{user:05}"), exp }, &key)?))
        .collect()
}
