//! What a token must say, claim by claim and header by header, at a time that the test sets.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parlor_core::auth::{JwtError, JwtKeyError, JwtVerifier, Principal};
use proptest::prelude::{prop_assert, proptest};
use serde_json::{Value, json};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW: u64 = 1_800_000_000;
const LONGEST_TOKEN: usize = 8 * 1024;

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

fn token(header: &Header, claims: &Value) -> String {
    encode(header, claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// A token of any header and payload, signed well.
fn signed(header: &str, payload: &str) -> String {
    let message = [header, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
    let key = EncodingKey::from_secret(SECRET);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn verify_token(token: &str) -> Result<(), JwtError> {
    verifier().verify(token, now()).map(drop)
}

fn verify(claims: &Value) -> Result<Principal, JwtError> {
    verifier().verify(&token(&Header::default(), claims), now())
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
        ("nbf a text", with("nbf", json!("0")), Claim("nbf")),
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
        (with_claims(64), with_claims(65), JwtError::TooManyClaims),
    ] {
        assert_eq!(verify(&within).map(drop), Ok(()), "{within}");
        assert_eq!(verify(&beyond).map(drop), Err(error), "{beyond}");
    }
    let of_length = |length: usize| {
        // Three octets of claims are four of the token, so not every length can be had by the claims alone.
        let header = json!({ "alg": "HS256", "x": "x".repeat(length % 4 + 1) }).to_string();
        let lengths = (1..LONGEST_TOKEN).map(|pad| signed(&header, &with("pad", json!("x".repeat(pad))).to_string()));
        lengths.skip(LONGEST_TOKEN / 2).find(|token| token.len() >= length).unwrap()
    };
    let within = of_length(LONGEST_TOKEN);
    assert_eq!((within.len(), verify_token(&within)), (LONGEST_TOKEN, Ok(())));
    assert_eq!(verify_token(&format!("{within}x")), Err(JwtError::TooLong));
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
fn limits_can_be_set_and_the_longest_life_counts_from_iat() {
    let verifier = verifier().max_lifetime(Duration::from_secs(60)).max_claims(5);
    let verify = |claims: &Value| verifier.verify(&token(&Header::default(), claims), now()).map(drop);
    assert_eq!(verify(&with("exp", json!(NOW + 60))), Ok(()));
    assert_eq!(verify(&with("exp", json!(NOW + 61))), Err(JwtError::Lifetime));
    assert_eq!(verify(&with("iat", json!(NOW - 1))), Err(JwtError::Lifetime));
    assert_eq!(verify(&with_claims(6)), Err(JwtError::TooManyClaims));
}

#[test]
fn headers_and_signatures_are_checked() {
    let critical = Header { crit: Some(vec!["exp".to_owned()]), ..Header::default() };
    assert_eq!(verify_token(&token(&critical, &good())), Err(JwtError::Critical));
    let foreign = encode(&Header::default(), &good(), &EncodingKey::from_secret(&[7; 32])).unwrap();
    assert_eq!(verify_token(&foreign), Err(JwtError::Signature));
    assert_eq!(verify_token(&token(&Header::new(Algorithm::HS512), &good())), Err(JwtError::Algorithm));
    let whole = token(&Header::default(), &good());
    let (unsigned, _) = whole.rsplit_once('.').unwrap();
    assert_eq!(verify_token(&format!("{unsigned}.")), Err(JwtError::Signature));
    let claims = good().to_string();
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{"alg":"hs256"}"#, r#"{"alg":1}"#, "{}"] {
        assert_eq!(verify_token(&signed(header, &claims)), Err(JwtError::Algorithm), "{header}");
    }
    assert_eq!(verify_token(&"x".repeat(LONGEST_TOKEN + 1)), Err(JwtError::TooLong));
}

#[test]
fn what_is_no_token_is_malformed() {
    let whole = token(&Header::default(), &good());
    let claims = good().to_string();
    let many = format!(r#"{{"alg":"HS256"{}}}"#, (0..16).map(|n| format!(r#","p{n}":1"#)).collect::<String>());
    for (row, token) in [
        ("no dots", "not a token".to_owned()),
        ("nothing between the dots", "..".to_owned()),
        ("four parts", format!("{whole}.x")),
        ("five parts, as if encrypted", format!("{whole}.x.y")),
        ("padded", format!("{whole}=")),
        ("a space", format!(" {whole}")),
        ("a header that is a list", signed("[]", &claims)),
        ("a header with alg twice", signed(r#"{"alg":"none","alg":"HS256"}"#, &claims)),
        ("a header with alg twice, once escaped", signed(r#"{"alg":"HS256","\u0061lg":"none"}"#, &claims)),
        ("a header with 17 parameters", signed(&many, &claims)),
        ("claims that are a text", signed(r#"{"alg":"HS256"}"#, "\"ada\"")),
        ("claims with exp twice", signed(r#"{"alg":"HS256"}"#, &claims.replacen('{', r#"{"exp":1,"#, 1))),
        ("claims with something behind", signed(r#"{"alg":"HS256"}"#, &format!("{claims} {{}}"))),
        ("claims 1,000 lists deep", signed(r#"{"alg":"HS256"}"#, &format!(r#"{{"x":{}1"#, "[".repeat(1000)))),
    ] {
        assert_eq!(verify_token(&token), Err(JwtError::Malformed), "{row}");
    }
}

#[test]
fn a_type_is_one_of_access_tokens_with_or_without_application_before_it() {
    let typed = |verifier: JwtVerifier, typ: Value| {
        let header = json!({ "alg": "HS256", "typ": typ }).to_string().replace(r#""typ":null"#, r#""x":1"#);
        verifier.verify(&signed(&header, &good().to_string()), now()).map(drop)
    };
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT", "application/jwt"] {
        assert_eq!(typed(verifier(), json!(typ)), Ok(()), "{typ}");
    }
    assert_eq!(typed(verifier(), Value::Null), Ok(()));
    let foreign = ["", "refresh+jwt", "application/refresh+jwt", "text/at+jwt", "application/x/at+jwt", "/at+jwt"];
    for typ in foreign.map(|typ| json!(typ)).into_iter().chain([json!(1), json!(["at+jwt"])]) {
        assert_eq!(typed(verifier(), typ.clone()), Err(JwtError::Type), "{typ}");
    }
    assert_eq!(typed(verifier().token_type("x/y"), json!("application/x/y")), Err(JwtError::Type));
    for demanded in ["at+jwt", "application/at+jwt"] {
        let verifier = || verifier().token_type(demanded);
        for typ in ["at+jwt", "application/at+jwt"] {
            assert_eq!(typed(verifier(), json!(typ)), Ok(()), "{typ}");
        }
        for typ in [Value::Null, json!("JWT"), json!("refresh+jwt")] {
            assert_eq!(typed(verifier(), typ.clone()), Err(JwtError::Type), "{typ}");
        }
    }
}

#[test]
fn typed_claims_are_kept() {
    #[derive(serde::Deserialize)]
    struct Login {
        sid: String,
    }
    let verifier = verifier().claims::<Login>();
    let principal = verifier.verify(&token(&Header::default(), &with("sid", json!("s1"))), now()).unwrap();
    assert_eq!(principal.claims::<Login>().unwrap().sid, "s1");
    assert!(verifier.verify(&token(&Header::default(), &good()), now()).is_err());
}

#[test]
fn roles_are_a_list_of_texts_or_none() {
    let verifier = verifier().roles("groups");
    let verify = |claims: &Value| verifier.verify(&token(&Header::default(), claims), now());
    let roles = |claims: &Value| verify(claims).unwrap().roles().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(roles(&with("groups", json!(["admin", "moderator"]))), ["admin", "moderator"]);
    assert_eq!(roles(&good()), [""; 0]);
    assert_eq!(roles(&with("roles", json!(["admin"]))), [""; 0], "another claim");
    for groups in [json!("admin"), json!(["admin", 1]), json!({ "admin": true }), Value::Null] {
        let refused = verify(&with("groups", groups.clone())).map(drop);
        assert_eq!(refused, Err(JwtError::Claim("of the roles")), "{groups}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_is_refused_without_a_panic(
        text in ".{0,200}",
        header in r#"\{"alg":"HS256"(,"[a-z]{1,4}":(1|\[\]|"x"|null)){0,3}\}"#,
        payload in r#"\{("(sub|exp|iat|nbf|aud|iss)":(1|-1|1e999|\[[1\[]{0,3}\]|"me"|null|\{\}),?){0,6}\}"#,
    ) {
        prop_assert!(verify_token(&text).is_err());
        prop_assert!(verify_token(&signed(&header, &text)).is_err());
        prop_assert!(verify_token(&signed(&text, &payload)).is_err());
        prop_assert!(verify_token(&signed(&header, &payload)).is_err());
    }
}

#[test]
fn every_change_of_a_character_is_refused() {
    let whole = token(&Header::default(), &good());
    for place in 0..whole.len() {
        let mut changed = whole.clone().into_bytes();
        for octet in *b"A-_.=+/ \0~" {
            if changed[place] != octet {
                changed[place] = octet;
                let text = String::from_utf8(changed.clone()).unwrap();
                assert!(verify_token(&text).is_err(), "{place}: {text}");
                changed[place] = whole.as_bytes()[place];
            }
        }
        assert!(verify_token(&whole[..place]).is_err(), "cut at {place}");
    }
}

#[test]
fn weak_and_public_secrets_are_refused() {
    assert_eq!(JwtVerifier::hs256(&[0; 31]).unwrap_err(), JwtKeyError::TooShort(31));
    assert!(JwtVerifier::hs256(&[0; 32]).is_ok());
    for before in ["", "\n", "subject=CN = me\n", "\u{FEFF}"] {
        let pem = format!("{before}-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n");
        assert_eq!(JwtVerifier::hs256(pem.as_bytes()).unwrap_err(), JwtKeyError::Pem, "{before:?}");
    }
}
