//! The cookie that a login leaves: a JWT that scripts cannot read.

use std::{error::Error, time::Duration};

use cookie::{Cookie, SameSite};
use jsonwebtoken::{EncodingKey, Header};
use parlor::auth::{JwtError, JwtKeyError, JwtVerifier, Principal};
use serde::{Deserialize, Serialize};

use crate::{accounts::EndedLogins, clock, ids, store::Account};

/// How long a cookie lasts.
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

impl Claims {
    /// When the token was made: milliseconds since 1970.
    pub(super) fn issued_at_ms(&self) -> i64 {
        self.iat.saturating_mul(1000)
    }

    /// When the token ends: milliseconds since 1970.
    pub(super) fn expires_at_ms(&self) -> i64 {
        self.exp.saturating_mul(1000)
    }

    /// How long the token lasts from now on, in milliseconds: browsers' clocks need not agree with ours.
    pub(super) fn expires_in_ms(&self) -> i64 {
        (self.expires_at_ms() - clock::now_ms()).max(0)
    }
}

/// A new cookie, and what its token says.
pub(crate) struct Issued {
    /// The `Set-Cookie`.
    pub(crate) cookie: String,
    pub(super) token: String,
    pub(super) claims: Claims,
}

/// Makes cookies, and the verifier that takes them.
#[derive(Clone)]
pub(crate) struct Tokens {
    key: EncodingKey,
    verifier: JwtVerifier,
    secure: bool,
}

impl Tokens {
    /// `secure` is whether browsers reach the study room over https.
    pub(crate) fn new(secret: &[u8], secure: bool, ended: &EndedLogins) -> Result<Self, JwtKeyError> {
        let verifier = JwtVerifier::hs256(secret)?
            .cookie(cookie_name(secure))
            .token_type(TOKEN_TYPE)
            .claims::<Claims>()
            .revocation(ended.revocation());
        Ok(Self { key: EncodingKey::from_secret(secret), verifier, secure })
    }

    /// What the handshake is checked with.
    pub(crate) fn verifier(&self) -> JwtVerifier {
        self.verifier.clone()
    }

    /// The cookie of a new login.
    pub(crate) fn log_in(&self, account: &Account) -> Result<Issued, Box<dyn Error + Send + Sync>> {
        self.issue(account.id.clone(), account.name.clone(), ids::random_id::<16>()?)
    }

    /// The next cookie of a login.
    pub(super) fn renew(&self, claims: &Claims) -> Result<Issued, Box<dyn Error + Send + Sync>> {
        self.issue(claims.sub.clone(), claims.name.clone(), claims.sid.clone())
    }

    /// Who a token of ours is about.
    pub(super) fn principal(&self, issued: &Issued) -> Result<Principal, JwtError> {
        self.verifier.verify(&issued.token, clock::wall())
    }

    /// The `Set-Cookie` that takes the cookie away.
    pub(super) fn no_cookie(&self) -> String {
        self.cookie(String::new(), cookie::time::Duration::ZERO)
    }

    fn issue(&self, sub: String, name: String, sid: String) -> Result<Issued, Box<dyn Error + Send + Sync>> {
        let iat = clock::now_ms() / 1000;
        let claims = Claims { sub, name, sid, iat, exp: iat + i64::try_from(LIFETIME.as_secs())? };
        let header = Header { typ: Some(TOKEN_TYPE.to_owned()), ..Header::default() };
        let token = jsonwebtoken::encode(&header, &claims, &self.key)?;
        let cookie = self.cookie(token.clone(), cookie::time::Duration::try_from(LIFETIME)?);
        Ok(Issued { cookie, token, claims })
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
            let cookie = Tokens::new(&[7; 32], secure, &ended).unwrap().log_in(&account).unwrap().cookie;
            assert!(cookie.starts_with(name), "{cookie}");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"));
            assert_eq!(cookie.contains("Secure"), secure);
        }
    }
}
