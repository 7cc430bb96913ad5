//! The strict verifier of JSON Web Tokens (RFC 7519), from a cookie or a bearer header.
//!
//! The signature is checked by `jsonwebtoken`; every claim is checked here, because libraries accept by default what
//! people think they reject: a missing issuer, a list of issuers, an unknown `crit`, a token past its end.

use std::{
    any::Any,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::{BoxFuture, ready};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, crypto::aws_lc};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    auth::{AuthError, Authenticator, Handshake, Principal, unique_claims::UniqueClaims},
    clock,
};

/// The longest token, in octets, before anything is done with it.
const LONGEST_TOKEN: usize = 8 * 1024;

/// The shortest secret: as long as the hash (RFC 7518 section 3.2).
const SHORTEST_SECRET: usize = 32;

/// How far the clocks of issuer and verifier may differ for `nbf` and `iat`. For `exp` they may not.
const CLOCK_LEEWAY: Duration = Duration::from_secs(5);

/// The longest life of a token by default.
const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The `typ` headers that are accepted by default: none, and those of access tokens (RFC 9068 section 2.1).
const ACCESS_TOKEN_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// Verifies tokens and makes principals of them: `sub` is the user's id, `name` the name to show, `exp` the end of the
/// session.
///
/// Required are a signature by the key's own algorithm, `sub` and `exp`; `iss`, `aud` and `typ` once they are configured.
/// A token past its `exp`, before its `nbf` or `iat` (5 s of leeway), living longer than 24 h, with an unknown `crit`, with
/// repeated claims, with more than 64 claims or 8 KiB is refused.
///
/// ```
/// use parlor_core::auth::JwtVerifier;
///
/// let verifier = JwtVerifier::hs256(b"at least thirty-two octets of it")?.cookie("token").bearer().issuer("me");
/// # let _ = verifier; Ok::<(), parlor_core::auth::JwtKeyError>(())
/// ```
#[derive(Clone)]
pub struct JwtVerifier {
    key: DecodingKey,
    validation: Validation,
    cookie: Option<String>,
    bearer: bool,
    issuer: Option<String>,
    audience: Option<String>,
    types: Vec<String>,
    max_lifetime: Duration,
    claims: Option<ReadClaims>,
}

/// Adds typed claims to a principal.
type ReadClaims = Arc<dyn Fn(Principal, Value) -> Result<Principal, JwtError> + Send + Sync>;

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtKeyError {
    /// A PEM file is a public key, and everybody has it.
    #[error("this secret is a PEM text; a secret for HS256 is random octets that nobody else has")]
    Pem,
    /// The secret can be guessed.
    #[error("the secret has {0} octets; HS256 needs at least {SHORTEST_SECRET} random ones (RFC 7518 section 3.2)")]
    TooShort(usize),
}

/// Why a token is refused. For logs and tests: clients learn only that it is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// A claim is missing or not of its type.
    #[error("the claim {0} is missing or malformed")]
    Claim(&'static str),
    /// An extension that must be understood is not.
    #[error("an unknown critical extension")]
    Critical,
    /// Past its end.
    #[error("expired")]
    Expired,
    /// It lives longer than is accepted.
    #[error("lives too long")]
    Lifetime,
    /// Not a token, or not signed by the key and its algorithm.
    #[error("malformed, or not signed by our key")]
    Signature,
    /// Before its beginning.
    #[error("not valid yet")]
    TooEarly,
    /// Too many octets.
    #[error("too long")]
    TooLong,
    /// Of another type: a refresh token, say.
    #[error("not an access token")]
    Type,
}

impl JwtVerifier {
    /// A verifier of tokens that are signed with HMAC SHA-256.
    ///
    /// # Errors
    /// When the secret is shorter than 32 octets, or a PEM text.
    pub fn hs256(secret: &[u8]) -> Result<Self, JwtKeyError> {
        if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(JwtKeyError::Pem);
        }
        if secret.len() < SHORTEST_SECRET {
            return Err(JwtKeyError::TooShort(secret.len()));
        }
        // One provider, chosen here: otherwise a second one that some crate switches on would make the first use panic.
        // An error says that the application has chosen one itself.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        Ok(Self::new(DecodingKey::from_secret(secret), Algorithm::HS256))
    }

    fn new(key: DecodingKey, algorithm: Algorithm) -> Self {
        let mut validation = Validation::new(algorithm);
        // The claims are checked below, all of them and with our clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            key,
            validation,
            cookie: None,
            bearer: false,
            issuer: None,
            audience: None,
            types: ACCESS_TOKEN_TYPES.map(str::to_owned).to_vec(),
            max_lifetime: DEFAULT_MAX_LIFETIME,
            claims: None,
        }
    }

    /// Takes the token from this cookie.
    #[must_use]
    pub fn cookie(mut self, name: &str) -> Self {
        self.cookie = Some(name.to_owned());
        self
    }

    /// Takes the token from `Authorization: Bearer`, and rather from there than from a cookie.
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

    /// Demands this `typ` header. Default: none, `JWT` or `at+jwt`.
    #[must_use]
    pub fn token_type(mut self, typ: &str) -> Self {
        self.types = vec![typ.to_owned()];
        self
    }

    /// The longest life that is accepted, from `iat` (or now) to `exp`. Default 24 h.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// Keeps the token's claims as a `C`, for [`Principal::claims`]. A token whose claims are no `C` is refused.
    #[must_use]
    pub fn claims<C: DeserializeOwned + Any + Send + Sync>(mut self) -> Self {
        self.claims = Some(Arc::new(|principal, claims| match serde_json::from_value::<C>(claims) {
            Ok(claims) => Ok(principal.with_claims(claims)),
            Err(_) => Err(JwtError::Claim("of the application")),
        }));
        self
    }

    /// Verifies a token at a given time.
    ///
    /// # Errors
    /// The check that failed.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Principal, JwtError> {
        if token.len() > LONGEST_TOKEN {
            return Err(JwtError::TooLong);
        }
        let token = jsonwebtoken::decode::<UniqueClaims>(token, &self.key, &self.validation)
            .map_err(|_| JwtError::Signature)?;
        if token.header.crit.is_some() {
            return Err(JwtError::Critical);
        }
        self.check_type(token.header.typ.as_deref())?;
        let claims = token.claims.0;
        let expires_at = self.check_times(&claims, now)?;
        self.check_names(&claims)?;
        let user = claims.get("sub").and_then(Value::as_str).and_then(|sub| sub.parse().ok());
        let mut principal = Principal::user(user.ok_or(JwtError::Claim("sub"))?).with_expiry(expires_at);
        if let Some(name) = claims.get("name").and_then(Value::as_str) {
            principal = principal.with_name(name);
        }
        match &self.claims {
            Some(read) => read(principal, Value::Object(claims)),
            None => Ok(principal),
        }
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), JwtError> {
        let demanded = self.types != ACCESS_TOKEN_TYPES;
        match typ {
            None if !demanded => Ok(()),
            Some(typ) if self.types.iter().any(|known| known.eq_ignore_ascii_case(typ)) => Ok(()),
            _ => Err(JwtError::Type),
        }
    }

    fn check_times(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<SystemTime, JwtError> {
        let expires_at = time(claims, "exp")?.ok_or(JwtError::Claim("exp"))?;
        let issued_at = time(claims, "iat")?;
        let not_before = time(claims, "nbf")?;
        if expires_at <= now {
            return Err(JwtError::Expired);
        }
        if [issued_at, not_before].into_iter().flatten().any(|begin| begin > now + CLOCK_LEEWAY) {
            return Err(JwtError::TooEarly);
        }
        let lifetime = expires_at.duration_since(issued_at.unwrap_or(now)).unwrap_or_default();
        if lifetime > self.max_lifetime {
            return Err(JwtError::Lifetime);
        }
        Ok(expires_at)
    }

    fn check_names(&self, claims: &Map<String, Value>) -> Result<(), JwtError> {
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(JwtError::Claim("iss"));
        }
        if let Some(audience) = &self.audience {
            let named = match claims.get("aud") {
                Some(Value::String(one)) => one == audience,
                Some(Value::Array(several)) => {
                    several.iter().all(Value::is_string) && several.iter().any(|one| one == audience)
                }
                _ => false,
            };
            if !named {
                return Err(JwtError::Claim("aud"));
            }
        }
        Ok(())
    }

    fn judge(&self, handshake: Handshake<'_>) -> Result<Principal, AuthError> {
        let bearer = handshake.bearer().filter(|_| self.bearer);
        let token = match (bearer, &self.cookie) {
            (Some(token), _) => Some(token),
            (None, Some(name)) => handshake.cookie(name)?,
            (None, None) => None,
        };
        let token = token.filter(|token| !token.is_empty()).ok_or(AuthError::Missing)?;
        self.verify(token, clock::wall()).map_err(|error| {
            tracing::debug!(%error, "a token was refused");
            AuthError::Invalid
        })
    }
}

/// A `NumericDate` (RFC 7519 section 2): a number of seconds, not a text, and none that overflows.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<SystemTime>, JwtError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().ok_or(JwtError::Claim(name))?;
    let since = Duration::try_from_secs_f64(seconds).map_err(|_| JwtError::Claim(name))?;
    UNIX_EPOCH.checked_add(since).map(Some).ok_or(JwtError::Claim(name))
}

impl Authenticator for JwtVerifier {
    fn authenticate<'a>(&'a self, handshake: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>> {
        Box::pin(ready(self.judge(handshake)))
    }
}

/// The key is not shown.
impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("algorithms", &self.validation.algorithms)
            .field("cookie", &self.cookie)
            .field("bearer", &self.bearer)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const NOW: u64 = 1_800_000_000;

    fn verifier() -> JwtVerifier {
        JwtVerifier::hs256(SECRET).unwrap().issuer("me").audience("app")
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn good() -> Value {
        json!({ "sub": "ada", "iss": "me", "aud": "app", "exp": NOW + 60 })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = good();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn token(header: &Header, claims: &Value, secret: &[u8]) -> String {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn verify(claims: &Value) -> Result<Principal, JwtError> {
        verifier().verify(&token(&Header::default(), claims, SECRET), now())
    }

    #[test]
    fn a_good_token_names_its_user_and_its_end() {
        let principal = verify(&with("name", json!("Ada"))).unwrap();
        assert_eq!(principal.id().unwrap().as_str(), "ada");
        assert_eq!(principal.display_name(), Some("Ada"));
        assert_eq!(principal.expires_at(), Some(now() + Duration::from_secs(60)));
        assert!(verify(&with("aud", json!(["other", "app"]))).is_ok());
    }

    #[test]
    fn every_row_of_the_negative_table_is_refused() {
        use JwtError::*;
        for (row, claims, expected) in [
            ("iss absent", without("iss"), Claim("iss")),
            ("iss of another", with("iss", json!("you")), Claim("iss")),
            ("iss a number", with("iss", json!(5)), Claim("iss")),
            ("iss a list", with("iss", json!(["evil", "me"])), Claim("iss")),
            ("aud absent", without("aud"), Claim("aud")),
            ("aud an object", with("aud", json!({})), Claim("aud")),
            ("aud a list with a number", with("aud", json!(["app", 1])), Claim("aud")),
            ("sub absent", without("sub"), Claim("sub")),
            ("sub empty", with("sub", json!("")), Claim("sub")),
            ("sub a number", with("sub", json!(1)), Claim("sub")),
            ("sub with a line end", with("sub", json!("bob\nsubscription:0")), Claim("sub")),
            ("exp absent", without("exp"), Claim("exp")),
            ("exp a text", with("exp", json!("1800000060")), Claim("exp")),
            ("exp negative", with("exp", json!(-1)), Claim("exp")),
            ("exp too large to count", with("exp", json!(1e30)), Claim("exp")),
            ("exp now", with("exp", json!(NOW)), Expired),
            ("59 s past exp", with("exp", json!(NOW - 59)), Expired),
            ("exp far away", with("exp", json!(NOW + 86_401)), Lifetime),
            ("nbf in an hour", with("nbf", json!(NOW + 3600)), TooEarly),
            ("iat in an hour", with("iat", json!(NOW + 3600)), TooEarly),
        ] {
            assert_eq!(verify(&claims).map(drop), Err(expected), "{row}");
        }
    }

    #[test]
    fn what_is_just_within_a_limit_passes_and_one_more_does_not() {
        for (within, beyond, error) in [
            (with("exp", json!(NOW + 1)), with("exp", json!(NOW)), JwtError::Expired),
            (with("exp", json!(NOW + 86_400)), with("exp", json!(NOW + 86_401)), JwtError::Lifetime),
            (with("nbf", json!(NOW + 5)), with("nbf", json!(NOW + 6)), JwtError::TooEarly),
            (with("iat", json!(NOW + 5)), with("iat", json!(NOW + 6)), JwtError::TooEarly),
            // From `iat` to `exp` it lives for a day, although only a minute of it is left.
            (with("iat", json!(NOW + 60 - 86_400)), with("iat", json!(NOW + 59 - 86_400)), JwtError::Lifetime),
            (with_claims(64), with_claims(65), JwtError::Signature),
        ] {
            assert_eq!(verify(&within).map(drop), Ok(()), "{within}");
            assert_eq!(verify(&beyond).map(drop), Err(error), "{beyond}");
        }
    }

    /// A good token with so many claims in all.
    fn with_claims(count: usize) -> Value {
        let mut claims = good();
        for index in 0..count - 4 {
            claims[format!("c{index}")] = json!(index);
        }
        claims
    }

    #[test]
    fn headers_and_signatures_are_checked() {
        use JwtError::*;
        let verify = |token: &str| verifier().verify(token, now()).map(drop);
        let typed = |typ: Option<&str>| {
            let header = Header { typ: typ.map(str::to_owned), ..Header::default() };
            verify(&token(&header, &good(), SECRET))
        };
        assert_eq!([typed(None), typed(Some("JWT")), typed(Some("at+jwt"))], [Ok(()), Ok(()), Ok(())]);
        assert_eq!(typed(Some("refresh+jwt")), Err(Type));
        let critical = Header { crit: Some(vec!["exp".to_owned()]), ..Header::default() };
        assert_eq!(verify(&token(&critical, &good(), SECRET)), Err(Critical));
        assert_eq!(verify(&token(&Header::default(), &good(), &[7; 32])), Err(Signature));
        assert_eq!(verify(&token(&Header::new(Algorithm::HS512), &good(), SECRET)), Err(Signature));
        let whole = token(&Header::default(), &good(), SECRET);
        let (unsigned, _) = whole.rsplit_once('.').unwrap();
        assert_eq!(verify(&format!("{unsigned}.")), Err(Signature));
        // {"alg":"none"} with the same payload and no signature.
        let payload = unsigned.split_once('.').unwrap().1;
        assert_eq!(verify(&format!("eyJhbGciOiJub25lIn0.{payload}.")), Err(Signature));
        assert_eq!(verify("not a token"), Err(Signature));
        assert_eq!(verify(&"x".repeat(LONGEST_TOKEN + 1)), Err(TooLong));
    }

    #[test]
    fn a_repeated_claim_is_refused() {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        // Signed by hand, as no serialiser writes a name twice.
        let claims = serde_json::value::RawValue::from_string(format!(
            r#"{{"sub":"ada","iss":"me","aud":"app","exp":{},"exp":{}}}"#,
            NOW + 60,
            NOW + 61
        ))
        .unwrap();
        let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap();
        assert_eq!(verifier().verify(&token, now()).map(drop), Err(JwtError::Signature));
    }

    #[test]
    fn a_demanded_type_must_be_there() {
        let verifier = verifier().token_type("at+jwt");
        let header = Header { typ: None, ..Header::default() };
        assert_eq!(verifier.verify(&token(&header, &good(), SECRET), now()).map(drop), Err(JwtError::Type));
    }

    #[test]
    fn typed_claims_are_kept() {
        #[derive(serde::Deserialize)]
        struct Login {
            sid: String,
        }
        let verifier = verifier().claims::<Login>();
        let principal = verifier.verify(&token(&Header::default(), &with("sid", json!("s1")), SECRET), now()).unwrap();
        assert_eq!(principal.claims::<Login>().unwrap().sid, "s1");
        let without = token(&Header::default(), &good(), SECRET);
        assert!(verifier.verify(&without, now()).is_err());
    }

    #[test]
    fn weak_and_public_keys_are_refused() {
        assert_eq!(JwtVerifier::hs256(&[0; 31]).unwrap_err(), JwtKeyError::TooShort(31));
        assert!(JwtVerifier::hs256(&[0; 32]).is_ok());
        let pem = b"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n";
        assert_eq!(JwtVerifier::hs256(pem).unwrap_err(), JwtKeyError::Pem);
    }
}
