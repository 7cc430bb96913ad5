//! The cookie that a login leaves: a JWT that scripts cannot read.

use std::time::{Duration, UNIX_EPOCH};

use cookie::{Cookie, SameSite};
use jsonwebtoken::{EncodingKey, Header};
use parlor::auth::{JwtKeyError, JwtVerifier, Principal};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::EndedLogins,
    clock, ids,
    store::{Account, StoreError},
};

/// How long a login lasts.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// The token type of RFC 9068: a token of another kind opens nothing.
const TOKEN_TYPE: &str = "at+jwt";

/// What the token says beside the standard claims.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Claims {
    /// The account's id.
    pub(crate) sub: String,
    /// The account's name.
    pub(crate) name: String,
    /// This login: log-out closes the sessions that belong to it.
    pub(crate) sid: String,
    iat: i64,
    exp: i64,
}

/// Makes cookies, and the verifier that takes them.
#[derive(Clone)]
pub(crate) struct Tokens {
    key: EncodingKey,
    verifier: JwtVerifier,
    ended: EndedLogins,
    secure: bool,
}

impl Tokens {
    /// `secure` is whether browsers reach the study room over https.
    pub(crate) fn new(secret: &[u8], secure: bool, ended: EndedLogins) -> Result<Self, JwtKeyError> {
        let verifier = JwtVerifier::hs256(secret)?
            .cookie(cookie_name(secure))
            .token_type(TOKEN_TYPE)
            .claims::<Claims>()
            .revocation(ended.revocation());
        Ok(Self { key: EncodingKey::from_secret(secret), verifier, ended, secure })
    }

    /// What the handshake is checked with.
    pub(crate) fn verifier(&self) -> JwtVerifier {
        self.verifier.clone()
    }

    /// The `Set-Cookie` of a new login.
    pub(crate) fn log_in(&self, account: &Account) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let iat = clock::now_ms() / 1000;
        let claims = Claims {
            sub: account.id.clone(),
            name: account.name.clone(),
            sid: ids::random_id::<16>()?,
            iat,
            exp: iat + i64::try_from(LIFETIME.as_secs())?,
        };
        let header = Header { typ: Some(TOKEN_TYPE.to_owned()), ..Header::default() };
        let token = jsonwebtoken::encode(&header, &claims, &self.key)?;
        Ok(self.cookie(token, cookie::time::Duration::try_from(LIFETIME)?))
    }

    /// Ends a login: its cookie is refused from now on, wherever it was copied to. Returns the `Set-Cookie` that takes it away.
    /// Where that cannot be kept, nothing has ended.
    pub(crate) async fn log_out(&self, user: Option<&Principal>) -> Result<String, StoreError> {
        if let Some(user) = user
            && let Some(login) = user.claims::<Claims>()
        {
            self.ended.add(&login.sid, user.expires_at().unwrap_or(UNIX_EPOCH)).await?;
        }
        Ok(self.cookie(String::new(), cookie::time::Duration::ZERO))
    }

    fn cookie(&self, value: String, max_age: cookie::time::Duration) -> String {
        Cookie::build((cookie_name(self.secure), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .max_age(max_age)
            .build()
            .to_string()
    }
}

/// Browsers take a `__Host-` cookie only over https, for this host alone and from no sub-domain.
fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-token" } else { "token" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    #[tokio::test]
    async fn the_cookie_is_as_closed_as_the_url_allows() {
        let store = store::open(&"sqlite::memory:".parse().unwrap()).await.unwrap();
        let ended = EndedLogins::load(store).await.unwrap();
        let account = Account { id: "1".into(), name: "Ada".into() };
        for (secure, name) in [(true, "__Host-token="), (false, "token=")] {
            let cookie = Tokens::new(&[7; 32], secure, ended.clone()).unwrap().log_in(&account).unwrap();
            assert!(cookie.starts_with(name), "{cookie}");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"));
            assert_eq!(cookie.contains("Secure"), secure);
        }
    }
}
