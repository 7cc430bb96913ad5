//! The strict verifier of JSON Web Tokens (RFC 7519), from a cookie or a bearer header.
//!
//! The cryptography is that of `jsonwebtoken`; every claim is checked here, because libraries accept by default what
//! people think they reject: a missing issuer, a list of issuers, an unknown `crit`, a token past its end.

use std::{
    any::Any,
    borrow::Cow,
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::{BoxFuture, ready};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;

use crate::{
    auth::{
        AuthError, Authenticator, Handshake, JwtClaims, JwtError, JwtKey, JwtKeyError, JwtKeys, JwtOptionError,
        Principal, Revocation,
        jwt::{
            compact::Compact,
            error::{MAX_CLAIMS, MAX_LIFETIME},
            unique_object::{ObjectError, unique_object},
        },
    },
    clock,
};

/// The longest token, in octets, before anything is done with it.
const LONGEST_TOKEN: usize = 8 * 1024;

/// The longest life of a token by default.
const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The most claims of a token by default.
const DEFAULT_MAX_CLAIMS: usize = 64;

/// The `typ` headers that are accepted by default: none, and those of access tokens (RFC 9068 section 2.1).
const ACCESS_TOKEN_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// The claim that names the login (OpenID Connect Front-Channel Logout 1.0 section 3).
const LOGIN_CLAIM: &str = "sid";

/// What may stand in a cookie's name beside letters and digits (RFC 9110 section 5.6.2).
const TOKEN_MARKS: &[u8] = b"!#$%&'*+-.^_`|~";

/// Verifies tokens and makes principals of them: `sub` is the user's id, `name` the name to show, `sid` the login that the token
/// belongs to, `exp` the end of the session. Cheap to clone; clones share their keys.
///
/// Required are a signature by one of the keys and its own algorithm, `sub` and `exp`; `iss`, `aud` and `typ` once they are
/// configured. A token past its `exp`, before its `nbf` or `iat` (5 s of leeway), living longer than 24 h, with an unknown
/// `crit`, with repeated claims, with more than 64 claims or 8 KiB is refused.
///
/// ```
/// use parlor_core::auth::JwtVerifier;
///
/// let verifier = JwtVerifier::hs256(b"at least thirty-two octets of it")?.cookie("token").bearer().issuer("me");
/// # let _ = verifier; Ok::<(), parlor_core::auth::JwtKeyError>(())
/// ```
#[derive(Clone)]
pub struct JwtVerifier {
    keys: Arc<RwLock<Arc<JwtKeys>>>,
    cookie: Option<String>,
    bearer: bool,
    issuer: Option<String>,
    audience: Option<String>,
    types: Vec<String>,
    max_lifetime: Duration,
    max_claims: usize,
    login: Cow<'static, str>,
    roles: Option<String>,
    claims: Option<ReadClaims>,
    revocation: Option<Arc<dyn Revocation>>,
}

/// Adds typed claims to a principal.
type ReadClaims = Arc<dyn Fn(Principal, &JwtClaims) -> Result<Principal, JwtError> + Send + Sync>;

impl JwtVerifier {
    /// A verifier with these keys; a [`JwtKey`] alone is good as well.
    #[must_use]
    pub fn new(keys: impl Into<JwtKeys>) -> Self {
        Self {
            keys: Arc::new(RwLock::new(Arc::new(keys.into()))),
            cookie: None,
            bearer: false,
            issuer: None,
            audience: None,
            types: ACCESS_TOKEN_TYPES.map(str::to_owned).to_vec(),
            max_lifetime: DEFAULT_MAX_LIFETIME,
            max_claims: DEFAULT_MAX_CLAIMS,
            login: Cow::Borrowed(LOGIN_CLAIM),
            roles: None,
            claims: None,
            revocation: None,
        }
    }

    /// A verifier of tokens that are signed with HMAC SHA-256 and name no key.
    ///
    /// # Errors
    /// When the secret is shorter than 32 octets, or a PEM text.
    pub fn hs256(secret: &[u8]) -> Result<Self, JwtKeyError> {
        JwtKey::hs256(secret).map(Self::new)
    }

    /// Takes the token from this cookie.
    #[must_use]
    pub fn cookie(mut self, name: &str) -> Self {
        self.cookie = Some(name.to_owned());
        self
    }

    /// Takes the token from `Authorization: Bearer`. Where a request brings one there and one in the cookie, it is refused
    /// (RFC 6750 section 2).
    #[must_use]
    pub fn bearer(mut self) -> Self {
        self.bearer = true;
        self
    }

    /// Demands this one `iss`.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    /// Demands that `aud` is this or holds this.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// Demands this `typ` header, with or without `application/` before it (RFC 7515 section 4.1.9), so that a refresh token
    /// or an id token of the same issuer opens nothing. Default: none, `JWT` or `at+jwt`.
    #[must_use]
    pub fn token_type(mut self, typ: &str) -> Self {
        self.types = vec![typ.to_owned()];
        self
    }

    /// The longest life that is accepted, from `iat` (or now) to `exp`: how long a stolen token can be used. Default 24 h, at
    /// least 1 s, at most 365 days.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// The most claims of a token. Default 64, at least 1, at most 1024.
    #[must_use]
    pub fn max_claims(mut self, count: usize) -> Self {
        self.max_claims = count;
        self
    }

    /// Takes the [login](Principal::login) that a token belongs to from this claim, a text. Default `sid`. A token without it has
    /// none, so that a refresh by it extends nothing else of the user.
    #[must_use]
    pub fn login(mut self, claim: &str) -> Self {
        self.login = Cow::Owned(claim.to_owned());
        self
    }

    /// Takes the user's [roles](Principal::roles) from this claim, a list of texts. A token without it has none, one in which
    /// it is anything else is refused. Default: no roles.
    #[must_use]
    pub fn roles(mut self, claim: &str) -> Self {
        self.roles = Some(claim.to_owned());
        self
    }

    /// Keeps the token's claims as a `C`, for [`Principal::claims`]. A token whose claims are no `C` is refused.
    #[must_use]
    pub fn claims<C: DeserializeOwned + Any + Send + Sync>(mut self) -> Self {
        self.claims = Some(Arc::new(|principal, claims| match claims.read::<C>() {
            Ok(claims) => Ok(principal.with_claims(claims)),
            Err(_) => Err(JwtError::Claim("of the application")),
        }));
        self
    }

    /// Asks whether a token that is good was taken back. Default: none ever is.
    #[must_use]
    pub fn revocation(mut self, revocation: impl Revocation) -> Self {
        self.revocation = Some(Arc::new(revocation));
        self
    }

    /// Verifies with these keys from now on, this verifier and all its clones. Tokens of a key that is not among them are
    /// refused; sessions that they have opened go on until the token's end, unless the application
    /// [disconnects](crate::session::Registry::disconnect_where) them. It never waits.
    pub fn replace_keys(&self, keys: impl Into<JwtKeys>) {
        *self.keys.write() = Arc::new(keys.into());
    }

    /// Verifies a token at a given time. Whether it was [revoked](Self::revocation) is not asked: that may need waiting.
    ///
    /// # Errors
    /// The check that failed.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Principal, JwtError> {
        let claims = self.verified(token, now)?;
        let mut principal = Principal::user(claims.subject().clone()).with_expiry(claims.expires_at());
        if let Some(name) = claims.text("name") {
            principal = principal.with_name(name);
        }
        if let Some(login) = claims.text(&self.login).filter(|login| !login.is_empty()) {
            principal = principal.with_login(login);
        }
        if let Some(roles) = &self.roles {
            principal = principal.with_roles(claims.texts(roles).ok_or(JwtError::Claim("of the roles"))?);
        }
        if let Some(read) = &self.claims {
            principal = read(principal, &claims)?;
        }
        Ok(if self.revocation.is_some() { principal.with_credential(claims) } else { principal })
    }

    fn verified(&self, token: &str, now: SystemTime) -> Result<JwtClaims, JwtError> {
        if token.len() > LONGEST_TOKEN {
            return Err(JwtError::TooLong);
        }
        let token = Compact::parse(token)?;
        let keys = Arc::clone(&self.keys.read());
        let key = keys.choose(token.header.key_id()?)?;
        if !token.header.algorithm().is_some_and(|name| key.algorithm().is_named(name)) {
            return Err(JwtError::Algorithm);
        }
        if !key.has_signed(token.signed, &token.signature) {
            return Err(JwtError::Signature);
        }
        if token.header.has_critical_extensions() {
            return Err(JwtError::Critical);
        }
        self.check_type(token.header.token_type()?)?;
        let claims = unique_object(&token.payload, self.max_claims).map_err(|error| match error {
            ObjectError::Malformed => JwtError::Malformed,
            ObjectError::TooManyMembers => JwtError::TooManyClaims,
        })?;
        let claims = JwtClaims::check(claims, now, self.max_lifetime)?;
        if let Some(issuer) = &self.issuer {
            claims.check_issuer(issuer)?;
        }
        if let Some(audience) = &self.audience {
            claims.check_audience(audience)?;
        }
        Ok(claims)
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), JwtError> {
        let is_demanded = self.types != ACCESS_TOKEN_TYPES;
        match typ {
            None if !is_demanded => Ok(()),
            Some(typ) if self.types.iter().any(|known| is_same_type(known, typ)) => Ok(()),
            _ => Err(JwtError::Type),
        }
    }

    /// The token of a handshake: one, from one place.
    fn token<'a>(&self, handshake: &Handshake<'a>) -> Result<&'a str, AuthError> {
        let bearer = if self.bearer { handshake.bearer()? } else { None };
        let cookie = match &self.cookie {
            Some(name) => handshake.cookie(name)?,
            None => None,
        };
        let some = |token: Option<&'a str>| token.filter(|token| !token.is_empty());
        match (some(bearer), some(cookie)) {
            (Some(_), Some(_)) => Err(AuthError::Invalid),
            (Some(token), None) | (None, Some(token)) => Ok(token),
            (None, None) => Err(AuthError::Missing),
        }
    }

    fn judge(&self, handshake: &Handshake<'_>) -> Result<Principal, AuthError> {
        self.verify(self.token(handshake)?, clock::wall()).map_err(refused)
    }

    /// `judged`, unless its token was taken back.
    fn unless_revoked(&self, judged: Result<Principal, AuthError>) -> BoxFuture<'_, Result<Principal, AuthError>> {
        if self.revocation.is_none() {
            return Box::pin(ready(judged));
        }
        Box::pin(async move {
            let principal = judged?;
            match self.is_revoked(&principal).await? {
                true => Err(refused(JwtError::Revoked)),
                false => Ok(principal),
            }
        })
    }

    /// Asks the revocation about a principal of ours.
    async fn is_revoked(&self, principal: &Principal) -> Result<bool, AuthError> {
        match (&self.revocation, principal.credential::<JwtClaims>()) {
            (Some(revocation), Some(token)) => revocation.is_revoked(token).await,
            _ => Ok(false),
        }
    }
}

/// The reason is one of our own sentences; nothing of the token is logged.
fn refused(error: JwtError) -> AuthError {
    tracing::debug!(%error, "a token was refused");
    AuthError::Invalid
}

/// Whether two media types are the same: `application/` may be left out where no other slash stands (RFC 7515 section 4.1.9).
fn is_same_type(one: &str, other: &str) -> bool {
    let short = |typ: &str| {
        let typ = typ.to_ascii_lowercase();
        match typ.strip_prefix("application/") {
            Some(rest) if !rest.contains('/') => rest.to_owned(),
            _ => typ,
        }
    };
    short(one) == short(other)
}

impl Authenticator for JwtVerifier {
    fn authenticate<'a>(&'a self, handshake: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>> {
        self.unless_revoked(self.judge(&handshake))
    }

    /// Where bearer tokens are taken at all: a page that logs in by an HttpOnly cookie has none to send.
    fn authenticate_token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Principal, AuthError>> {
        if !self.bearer {
            return Box::pin(ready(Err(AuthError::Forbidden)));
        }
        self.unless_revoked(self.verify(token, clock::wall()).map_err(refused))
    }

    fn is_still_good<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(async move { matches!(self.is_revoked(principal).await, Ok(false)) })
    }

    fn check(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let is_token = |name: &str| {
            !name.is_empty() && name.bytes().all(|octet| TOKEN_MARKS.contains(&octet) || octet.is_ascii_alphanumeric())
        };
        if let Some(name) = self.cookie.as_ref().filter(|name| !is_token(name)) {
            return Err(JwtOptionError::Cookie(name.clone()).into());
        }
        if self.cookie.is_none() && !self.bearer {
            return Err(JwtOptionError::NoSource.into());
        }
        if !MAX_CLAIMS.contains(&self.max_claims) {
            return Err(JwtOptionError::MaxClaims(self.max_claims).into());
        }
        if !MAX_LIFETIME.contains(&self.max_lifetime) {
            return Err(JwtOptionError::MaxLifetime(self.max_lifetime).into());
        }
        Ok(())
    }

    fn uses_cookies(&self) -> bool {
        self.cookie.is_some()
    }
}

/// The keys themselves are not shown.
impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("keys", &self.keys.read())
            .field("cookie", &self.cookie)
            .field("bearer", &self.bearer)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
