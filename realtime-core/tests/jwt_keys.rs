//! Keys: read from secrets, PEM and JWK, chosen by `kid`, replaced while the server runs; and tokens that were taken back.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of the tests, too, fail by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use futures_util::future::{BoxFuture, FutureExt, ready};
use http::{HeaderMap, Uri, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parlor_core::auth::{
    AuthError, Authenticator, Handshake, JwtAlgorithm, JwtClaims, JwtError, JwtKey, JwtKeyError, JwtKeys, JwtVerifier,
    Principal, Revocation,
};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;
const OLD: &[u8] = b"the old secret, over 32 octets of it";
const NEW: &[u8] = b"the new secret, over 32 octets of it";

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("keys/", $name, ".pem"))
    };
}

proptest! {
    #[test]
    fn whatever_is_loaded_as_a_key_is_a_key_or_an_error(text in ".{0,200}", octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = JwtKey::from_pem(&octets);
        let _ = JwtKey::from_pem(format!("-----BEGIN PUBLIC KEY-----{text}-----END PUBLIC KEY-----").as_bytes());
        let body = BASE64_STANDARD.encode(&octets);
        let _ = JwtKey::from_pem(format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n").as_bytes());
        let _ = (JwtKey::from_jwk(&text), JwtKeys::from_jwks(&text));
        for kty in ["RSA", "EC", "OKP", "oct"] {
            let member = BASE64_URL_SAFE_NO_PAD.encode(&octets);
            let jwk = json!({ "kty": kty, "crv": "P-256", "n": member, "e": member, "x": member, "y": member, "k": member });
            let _ = JwtKey::from_jwk(&jwk.to_string());
        }
    }
}

/// The private key of each algorithm.
fn signing(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::EdDSA => EncodingKey::from_ed_pem(pem!("ed25519.private")).unwrap(),
        Algorithm::ES256 => EncodingKey::from_ec_pem(pem!("p256.private")).unwrap(),
        Algorithm::RS256 | Algorithm::RS512 | Algorithm::PS256 => {
            EncodingKey::from_rsa_pem(pem!("rsa2048.private")).unwrap()
        }
        _ => EncodingKey::from_secret(OLD),
    }
}

/// Its public key, as a verifier reads it.
fn verifying(algorithm: Algorithm) -> JwtKey {
    match algorithm {
        Algorithm::EdDSA => JwtKey::from_pem(pem!("ed25519.public")).unwrap(),
        Algorithm::ES256 => JwtKey::from_pem(pem!("p256.public")).unwrap(),
        Algorithm::RS256 => JwtKey::from_pem(pem!("rsa2048.public")).unwrap(),
        _ => JwtKey::hs256(OLD).unwrap(),
    }
}

const ALGORITHMS: [Algorithm; 4] = [Algorithm::HS256, Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256];

fn claims() -> Value {
    json!({ "sub": "ada", "exp": NOW + 60 })
}

fn token(algorithm: Algorithm, key: &EncodingKey, kid: Option<&str>) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, &claims(), key).unwrap()
}

fn hs256(secret: &[u8], kid: Option<&str>) -> String {
    token(Algorithm::HS256, &EncodingKey::from_secret(secret), kid)
}

fn verify(verifier: &JwtVerifier, token: &str) -> Result<(), JwtError> {
    verifier.verify(token, UNIX_EPOCH + Duration::from_secs(NOW)).map(drop)
}

/// The JWK of a PEM test key.
fn jwk(name: Algorithm, more: &Value) -> String {
    let mut jwk =
        serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(&signing(name), name).unwrap()).unwrap();
    jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    jwk.to_string()
}

#[test]
fn each_algorithm_verifies_its_own_tokens_and_no_others() {
    for algorithm in ALGORITHMS {
        let verifier = JwtVerifier::new(verifying(algorithm));
        for signed_with in ALGORITHMS {
            let expected = if signed_with == algorithm { Ok(()) } else { Err(JwtError::Algorithm) };
            let verdict = verify(&verifier, &token(signed_with, &signing(signed_with), None));
            assert_eq!(verdict, expected, "{signed_with:?} for a key of {algorithm:?}");
        }
    }
}

#[test]
fn the_key_decides_the_algorithm_and_not_the_token() {
    let rsa = JwtVerifier::new(verifying(Algorithm::RS256));
    // The public key is known to everybody: as an HMAC secret it must not sign anything.
    let public = EncodingKey::from_secret(pem!("rsa2048.public"));
    assert_eq!(verify(&rsa, &token(Algorithm::HS256, &public, None)), Err(JwtError::Algorithm));
    for sibling in [Algorithm::RS512, Algorithm::PS256] {
        assert_eq!(verify(&rsa, &token(sibling, &signing(sibling), None)), Err(JwtError::Algorithm), "{sibling:?}");
    }
    let secret = JwtVerifier::new(JwtKey::hs256(OLD).unwrap());
    assert_eq!(verify(&secret, &token(Algorithm::HS512, &signing(Algorithm::HS512), None)), Err(JwtError::Algorithm));
}

#[test]
fn a_token_is_verified_by_the_key_that_it_names() {
    let keys =
        JwtKeys::new(ALGORITHMS.map(|algorithm| verifying(algorithm).with_id(&format!("{algorithm:?}")))).unwrap();
    let verifier = JwtVerifier::new(keys);
    for algorithm in ALGORITHMS {
        for named in ALGORITHMS {
            let token = token(algorithm, &signing(algorithm), Some(&format!("{named:?}")));
            assert_eq!(verify(&verifier, &token).is_ok(), algorithm == named, "{algorithm:?} as {named:?}");
        }
    }
}

#[test]
fn an_unknown_kid_is_refused_whoever_has_signed() {
    let named = JwtVerifier::new(JwtKey::hs256(OLD).unwrap().with_id("old"));
    let unnamed = JwtVerifier::hs256(OLD).unwrap();
    for kid in ["", "OLD", "old ", "../../dev/null", "' OR 1=1 --", "old\0", "\u{202E}old"] {
        assert_eq!(verify(&named, &hs256(OLD, Some(kid))), Err(JwtError::UnknownKey), "{kid:?}");
        assert_eq!(verify(&unnamed, &hs256(OLD, Some(kid))), Err(JwtError::UnknownKey), "{kid:?}");
    }
}

#[test]
fn a_token_without_kid_is_accepted_by_the_only_key_or_the_default_one() {
    let (old, new) = (JwtKey::hs256(OLD).unwrap().with_id("old"), JwtKey::hs256(NEW).unwrap().with_id("new"));
    let only = JwtVerifier::new(old.clone());
    assert_eq!(verify(&only, &hs256(OLD, None)), Ok(()));
    let both = JwtKeys::new([old, new]).unwrap();
    let verifier = JwtVerifier::new(both.clone());
    assert_eq!(verify(&verifier, &hs256(OLD, None)), Err(JwtError::UnknownKey));
    let verifier = JwtVerifier::new(both.clone().default_key("old").unwrap());
    assert_eq!(verify(&verifier, &hs256(OLD, None)), Ok(()));
    assert_eq!(verify(&verifier, &hs256(NEW, None)), Err(JwtError::Signature), "the others must be named");
    assert_eq!(verify(&verifier, &hs256(NEW, Some("new"))), Ok(()));
    assert_eq!(both.default_key("none").unwrap_err(), JwtKeyError::UnknownDefault("none".to_owned()));
}

#[test]
fn keys_are_replaced_while_the_server_runs_and_the_old_one_holds_until_it_is_removed() {
    let (old, new) = (JwtKey::hs256(OLD).unwrap().with_id("old"), JwtKey::hs256(NEW).unwrap().with_id("new"));
    let serving = JwtVerifier::new(old.clone());
    let handle = serving.clone();
    let tokens = || [verify(&serving, &hs256(OLD, Some("old"))), verify(&serving, &hs256(NEW, Some("new")))];
    assert_eq!(tokens(), [Ok(()), Err(JwtError::UnknownKey)]);
    handle.replace_keys(JwtKeys::new([old, new.clone()]).unwrap());
    assert_eq!(tokens(), [Ok(()), Ok(())]);
    handle.replace_keys(new);
    assert_eq!(tokens(), [Err(JwtError::UnknownKey), Ok(())]);
}

#[test]
fn a_set_of_keys_is_refused_where_a_token_could_not_tell_them_apart() {
    let key = || JwtKey::hs256(OLD).unwrap();
    for (keys, expected) in [
        (vec![], JwtKeyError::NoKey),
        (vec![key().with_id("a"), key().with_id("a")], JwtKeyError::DuplicateId("a".to_owned())),
        (vec![key().with_id("a"), key()], JwtKeyError::NoId),
        (vec![key(), key()], JwtKeyError::NoId),
        ((0..33).map(|id| key().with_id(&id.to_string())).collect(), JwtKeyError::TooMany(33)),
    ] {
        assert_eq!(JwtKeys::new(keys).unwrap_err(), expected);
    }
    assert!(JwtKeys::new((0..32).map(|id| key().with_id(&id.to_string()))).is_ok());
}

#[test]
fn a_public_key_in_pem_says_its_algorithm_and_everything_else_is_told() {
    for (pem, algorithm) in [
        (&pem!("ed25519.public")[..], JwtAlgorithm::EdDsa),
        (pem!("p256.public"), JwtAlgorithm::Es256),
        (pem!("rsa2048.public"), JwtAlgorithm::Rs256),
        (pem!("rsa2048.pkcs1"), JwtAlgorithm::Rs256),
    ] {
        let key = JwtKey::from_pem(pem).unwrap();
        assert_eq!((key.algorithm(), key.id()), (algorithm, None));
    }
    let two = [&pem!("ed25519.public")[..], pem!("p256.public")].concat();
    let cut = &pem!("p256.public")[..100];
    for (row, pem, expected) in [
        ("private Ed25519", &pem!("ed25519.private")[..], JwtKeyError::Private),
        ("private P-256", pem!("p256.private"), JwtKeyError::Private),
        ("private RSA", pem!("rsa2048.private"), JwtKeyError::Private),
        ("certificate", pem!("rsa2048.certificate"), JwtKeyError::Certificate),
        ("RSA of 1024 bits", pem!("rsa1024.public"), JwtKeyError::RsaSize(1024)),
        ("RSA of 2047 bits", pem!("rsa2047.public"), JwtKeyError::RsaSize(2047)),
        ("two keys", &two, JwtKeyError::NotPem),
        ("cut off", cut, JwtKeyError::NotPem),
        ("empty", b"", JwtKeyError::NotPem),
        ("not a text", &[0xFF; 40], JwtKeyError::NotPem),
        ("not base64", b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", JwtKeyError::NotPem),
    ] {
        assert_eq!(JwtKey::from_pem(pem).unwrap_err(), expected, "{row}");
    }
    for pem in [
        &pem!("p384.public")[..],
        pem!("secp256k1.public"),
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ] {
        assert!(matches!(JwtKey::from_pem(pem), Err(JwtKeyError::Unsupported(_))));
    }
}

#[test]
fn a_jwk_is_read_with_its_id_and_verifies() {
    for algorithm in [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256] {
        for more in [
            json!({ "kid": "k" }),
            json!({ "kid": "k", "alg": null, "use": "sig" }),
            json!({ "kid": "k", "key_ops": ["verify"] }),
        ] {
            let key = JwtKey::from_jwk(&jwk(algorithm, &more)).unwrap();
            assert_eq!(key.id(), Some("k"));
            let verifier = JwtVerifier::new(key);
            assert_eq!(verify(&verifier, &token(algorithm, &signing(algorithm), Some("k"))), Ok(()), "{algorithm:?}");
        }
    }
    // RFC 7515 appendix A.1.1.
    let secret =
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    assert_eq!(JwtKey::from_jwk(secret).unwrap().algorithm(), JwtAlgorithm::Hs256);
    // RFC 9864 calls EdDSA over Ed25519 by the curve, in keys and in tokens.
    let renamed = jwk(Algorithm::EdDSA, &json!({ "alg": "Ed25519" }));
    assert_eq!(JwtKey::from_jwk(&renamed).unwrap().algorithm(), JwtAlgorithm::EdDsa);
}

#[test]
fn rfc_8037_appendix_a_4_the_signature_of_its_example_is_good() {
    // The payload is a text and no claims: after the signature, it is malformed.
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let verifier = JwtVerifier::new(JwtKey::from_jwk(key).unwrap());
    let example = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                   hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(verify(&verifier, example), Err(JwtError::Malformed));
    let forged = example.replace(".hgyY", ".igyY");
    assert_eq!(verify(&verifier, &forged), Err(JwtError::Signature));
}

#[test]
fn a_jwk_for_something_else_or_a_private_one_is_refused() {
    let private = jwk(Algorithm::EdDSA, &json!({ "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" }));
    assert_eq!(JwtKey::from_jwk(&private).unwrap_err(), JwtKeyError::Private);
    for more in [
        json!({ "use": "enc" }),
        json!({ "key_ops": ["sign"] }),
        json!({ "alg": "RS512" }),
        json!({ "alg": "HS256" }),
        json!({ "crv": "P-384" }),
        json!({ "kty": "unknown" }),
    ] {
        let algorithm = if more.get("crv").is_some() { Algorithm::ES256 } else { Algorithm::RS256 };
        let refused = JwtKey::from_jwk(&jwk(algorithm, &more));
        assert!(matches!(refused, Err(JwtKeyError::Unsupported(_))), "{more}: {refused:?}");
    }
    for (algorithm, more) in [
        (Algorithm::RS256, json!({ "n": null })),
        (Algorithm::RS256, json!({ "n": "!" })),
        (Algorithm::EdDSA, json!({ "x": "AAAA" })),
        (Algorithm::ES256, json!({ "y": null })),
        (Algorithm::ES256, json!({ "x": 1 })),
    ] {
        let refused = JwtKey::from_jwk(&jwk(algorithm, &more));
        assert!(matches!(refused, Err(JwtKeyError::Jwk(_))), "{more}: {refused:?}");
    }
    let small = json!({ "kty": "RSA", "n": "A".repeat(170) + "E", "e": "AQAB" }).to_string();
    assert!(matches!(JwtKey::from_jwk(&small), Err(JwtKeyError::RsaSize(_))));
    let exponent_one = jwk(Algorithm::RS256, &json!({ "e": "AQ" }));
    assert!(matches!(JwtKey::from_jwk(&exponent_one), Err(JwtKeyError::Unsupported(_))));
    assert_eq!(JwtKey::from_jwk(r#"{"kty":"oct","k":"c2hvcnQ"}"#).unwrap_err(), JwtKeyError::TooShort(5));
    let leak = JwtKey::from_jwk(r#"{"kty":"oct","k":["CANARY"]}"#).unwrap_err();
    assert!(!leak.to_string().contains("CANARY"), "{leak}");
}

#[test]
fn a_key_set_is_read_without_the_keys_that_are_for_others() {
    let set = |keys: &[String]| format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    let good = [jwk(Algorithm::EdDSA, &json!({ "kid": "e" })), jwk(Algorithm::RS256, &json!({ "kid": "r" }))];
    let others = [
        jwk(Algorithm::RS256, &json!({ "kid": "x", "use": "enc" })),
        jwk(Algorithm::RS256, &json!({ "kid": "y", "alg": "RS512" })),
        r#"{"kty":"of the future","x":1}"#.to_owned(),
    ];
    let keys = JwtKeys::from_jwks(&set(&[&good[..], &others].concat())).unwrap();
    assert_eq!(keys.iter().map(JwtKey::id).collect::<Vec<_>>(), [Some("e"), Some("r")]);
    let verifier = JwtVerifier::new(keys);
    assert_eq!(verify(&verifier, &token(Algorithm::EdDSA, &signing(Algorithm::EdDSA), Some("e"))), Ok(()));
    let twice = set(&[good[0].clone(), good[0].clone()]);
    assert_eq!(JwtKeys::from_jwks(&twice).unwrap_err(), JwtKeyError::DuplicateId("e".to_owned()));
    assert!(matches!(JwtKeys::from_jwks(&set(&others)), Err(JwtKeyError::Unsupported(_))));
    assert_eq!(JwtKeys::from_jwks(&set(&[])).unwrap_err(), JwtKeyError::NoKey);
    for broken in ["", "[]", "{}", r#"{"keys":{}}"#, &" ".repeat(256 * 1024 + 1)] {
        assert!(matches!(JwtKeys::from_jwks(broken), Err(JwtKeyError::Jwk(_))), "{broken:.20}");
    }
}

#[test]
fn neither_keys_nor_claims_are_shown() {
    let verifier = JwtVerifier::hs256(b"CANARY CANARY CANARY CANARY CANARY").unwrap();
    assert!(!format!("{verifier:?}").contains("CANARY"));
    let seen: Arc<std::sync::Mutex<String>> = Arc::default();
    let log = Arc::clone(&seen);
    let verifier = JwtVerifier::hs256(OLD).unwrap().bearer().revocation(move |token: &JwtClaims| {
        *log.lock().unwrap() = format!("{token:?}");
        false
    });
    let claims = json!({ "sub": "ada", "exp": wall_seconds() + 60, "email": "CANARY" });
    assert!(authenticate(&verifier, &claims).is_ok());
    let shown = seen.lock().unwrap();
    assert!(shown.contains("ada") && !shown.contains("CANARY"), "{shown}");
}

#[expect(clippy::disallowed_methods, reason = "a token must be valid at the time of the test")]
fn wall_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What a handshake with these claims is answered.
fn authenticate(verifier: &JwtVerifier, claims: &Value) -> Result<Principal, AuthError> {
    let token = encode(&Header::default(), claims, &EncodingKey::from_secret(OLD)).unwrap();
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let uri = Uri::from_static("/ws");
    verifier.authenticate(Handshake::new(&headers, &uri, None)).now_or_never().expect("nothing waits here")
}

#[test]
fn a_revoked_token_is_refused_and_a_session_that_it_opened_is_no_longer_good() {
    let revoked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&revoked);
    let is_revoked = move |token: &JwtClaims| token.text("jti") == Some("t1") && seen.load(Ordering::Relaxed);
    let verifier = JwtVerifier::hs256(OLD).unwrap().bearer().revocation(is_revoked);
    let claims = |jti: &str| json!({ "sub": "ada", "exp": wall_seconds() + 60, "jti": jti });
    let principal = authenticate(&verifier, &claims("t1")).unwrap();
    let is_still_good = || verifier.is_still_good(&principal).now_or_never().unwrap();
    assert!(is_still_good());
    revoked.store(true, Ordering::Relaxed);
    assert_eq!(authenticate(&verifier, &claims("t1")).map(drop), Err(AuthError::Invalid));
    assert!(authenticate(&verifier, &claims("t2")).is_ok());
    assert!(!is_still_good());
}

#[test]
fn nothing_is_asked_about_a_token_that_is_not_good() {
    let verifier = JwtVerifier::hs256(OLD).unwrap().bearer().revocation(|_: &JwtClaims| panic!("nobody may ask"));
    let refused = authenticate(&verifier, &json!({ "sub": "ada", "exp": 1 }));
    assert_eq!(refused.map(drop), Err(AuthError::Invalid));
}

#[test]
fn while_it_cannot_be_told_nobody_is_let_in() {
    struct Down;
    impl Revocation for Down {
        fn is_revoked<'a>(&'a self, _: &'a JwtClaims) -> BoxFuture<'a, Result<bool, AuthError>> {
            Box::pin(ready(Err(AuthError::Unavailable)))
        }
    }
    let verifier = JwtVerifier::hs256(OLD).unwrap().bearer().revocation(Down);
    let answer = authenticate(&verifier, &json!({ "sub": "ada", "exp": wall_seconds() + 60 }));
    assert_eq!(answer.map(drop), Err(AuthError::Unavailable));
}
