//! The claims of a token whose signature is good, and the checks of each.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::auth::{JwtError, UserId};

/// How far the clocks of issuer and verifier may differ for `nbf` and `iat`. For `exp` they may not.
const CLOCK_LEEWAY: Duration = Duration::from_secs(5);

/// What a verified token says. It was checked: its signature, its times, its issuer and audience where they are demanded.
///
/// ```
/// use parlor_core::auth::JwtClaims;
///
/// fn login(claims: &JwtClaims) -> String {
///     format!("{} by the login {}", claims.subject(), claims.text("sid").unwrap_or("(none)"))
/// }
/// ```
#[derive(Clone)]
pub struct JwtClaims {
    all: Map<String, Value>,
    subject: UserId,
    issued_at: Option<SystemTime>,
    expires_at: SystemTime,
}

impl JwtClaims {
    /// Checks what every token must have: a user in `sub`, a time in `exp` that has not come and is no further away than
    /// `max_lifetime`, and neither `nbf` nor `iat` in the future.
    pub(super) fn check(all: Map<String, Value>, now: SystemTime, max_lifetime: Duration) -> Result<Self, JwtError> {
        let expires_at = time(&all, "exp")?.ok_or(JwtError::Claim("exp"))?;
        let issued_at = time(&all, "iat")?;
        let not_before = time(&all, "nbf")?;
        if expires_at <= now {
            return Err(JwtError::Expired);
        }
        if [issued_at, not_before].into_iter().flatten().any(|begin| begin > now + CLOCK_LEEWAY) {
            return Err(JwtError::TooEarly);
        }
        let lifetime = expires_at.duration_since(issued_at.unwrap_or(now)).unwrap_or_default();
        if lifetime > max_lifetime {
            return Err(JwtError::Lifetime);
        }
        let subject = all.get("sub").and_then(Value::as_str).and_then(|sub| sub.parse().ok());
        Ok(Self { subject: subject.ok_or(JwtError::Claim("sub"))?, all, issued_at, expires_at })
    }

    /// Checks that `iss` is this one text.
    pub(super) fn check_issuer(&self, issuer: &str) -> Result<(), JwtError> {
        if self.text("iss") == Some(issuer) { Ok(()) } else { Err(JwtError::Claim("iss")) }
    }

    /// Checks that `aud` is this text, or a list of texts with this one.
    pub(super) fn check_audience(&self, audience: &str) -> Result<(), JwtError> {
        let is_named = match self.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => {
                several.iter().all(Value::is_string) && several.iter().any(|one| one == audience)
            }
            _ => false,
        };
        if is_named { Ok(()) } else { Err(JwtError::Claim("aud")) }
    }

    /// A claim as it stands.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// A claim that is a text: `jti` names the token, `sid` the login that it belongs to.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Whom the token is about (`sub`).
    #[must_use]
    pub fn subject(&self) -> &UserId {
        &self.subject
    }

    /// When the token was issued (`iat`), where it says so.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// When the token ends (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// The texts of a claim that is a list of texts; none where it is absent.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        match self.get(name) {
            None => Some(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
            Some(_) => None,
        }
    }

    /// All claims as a `C`.
    pub(super) fn read<C: DeserializeOwned>(&self) -> Result<C, serde_json::Error> {
        C::deserialize(&self.all)
    }
}

/// A `NumericDate` (RFC 7519 section 2): a number of seconds, not a text, and none that overflows.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<SystemTime>, JwtError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().ok_or(JwtError::Claim(name))?;
    let since = Duration::try_from_secs_f64(seconds).map_err(|_| JwtError::Claim(name))?;
    UNIX_EPOCH.checked_add(since).map(Some).ok_or(JwtError::Claim(name))
}

/// Only whom it is about and its times: claims may hold what is nobody's business.
impl fmt::Debug for JwtClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtClaims")
            .field("subject", &self.subject)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
