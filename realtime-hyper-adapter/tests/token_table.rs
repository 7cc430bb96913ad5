//! The negative table of tokens at the real handshake: each row by name, as a cookie and as a bearer token.
//!
//! Every refusal is one and the same answer, whatever was wrong, and of no token anything is logged, at TRACE. Run it with
//! `cargo test -p parlor-hyper --test token_table -- --nocapture` to see the rows.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::{
    io::{self, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use parlor_core::auth::{JwtClaims, JwtKey, JwtKeys, JwtVerifier};
use parlor_hyper::WebSocketService;
use serde_json::{Value, json};
use support::{Answer, ORIGIN, SECRET, Server, authenticated_by, now};

/// What must not be logged: it stands in every token.
const CANARY: &str = "CANARY";

/// The page that lists the rows.
const DOCUMENT: &str = include_str!("../../docs/security.md");

const LONGEST_TOKEN: usize = 8 * 1024;

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../../realtime-core/tests/keys/", $name, ".pem"))
    };
}

/// What a row expects of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Invalid,
    Missing,
}
use Verdict::{Accepted, Invalid, Missing};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn server() -> Server {
    let keys = [
        JwtKey::hs256(SECRET).unwrap().with_id("hs"),
        JwtKey::from_pem(pem!("ed25519.public")).unwrap().with_id("ed"),
        JwtKey::from_pem(pem!("p256.public")).unwrap().with_id("es"),
        JwtKey::from_pem(pem!("rsa2048.public")).unwrap().with_id("rs"),
    ];
    let verifier = JwtVerifier::new(JwtKeys::new(keys).unwrap().default_key("hs").unwrap())
        .cookie("token")
        .bearer()
        .issuer("me")
        .audience("app")
        .revocation(|token: &JwtClaims| token.text("jti") == Some("taken back"));
    let realtime = authenticated_by(verifier);
    Server::start(&realtime, WebSocketService::new(&realtime))
}

fn secret() -> EncodingKey {
    EncodingKey::from_secret(SECRET)
}

/// A token of any header and payload, signed by any key.
fn signed(header: &str, payload: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = [header, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// The good claims with some changed; those that become null are left out.
fn claims(changes: &Value) -> String {
    let mut claims = json!({ "sub": "ada", "name": CANARY, "iss": "me", "aud": "app", "exp": now() + 60 });
    let claims = claims.as_object_mut().unwrap();
    claims.extend(changes.as_object().unwrap().clone());
    claims.retain(|_, value| !value.is_null());
    Value::from(claims.clone()).to_string()
}

/// A token of our secret with these changes to the good claims.
fn claiming(changes: &Value) -> String {
    signed(r#"{"alg":"HS256"}"#, &claims(changes), &secret(), Algorithm::HS256)
}

/// A token of good claims, signed by our secret, with this header.
fn headed(header: &Value) -> String {
    signed(&header.to_string(), &claims(&json!({})), &secret(), Algorithm::HS256)
}

/// A token of so many claims.
fn of_claims(count: usize) -> String {
    claiming(&members(count - 5))
}

/// An object of so many members.
fn members(count: usize) -> Value {
    Value::Object((0..count).map(|index| (format!("m{index}"), json!(index))).collect())
}

/// A good token of that many octets.
fn of_length(length: usize) -> String {
    let token = |pad: usize, more: usize| {
        let header = json!({ "alg": "HS256", "x": "x".repeat(more) }).to_string();
        signed(&header, &claims(&json!({ "pad": "x".repeat(pad) })), &secret(), Algorithm::HS256)
    };
    let spare = length - token(0, 0).len();
    // An octet of a part is four thirds of one of the token, rounded up: header and payload are tried against each other.
    let candidates = (0..3).flat_map(|more| (spare * 3 / 4 - 8..=spare * 3 / 4 + 2).map(move |pad| (pad, more)));
    candidates.map(|(pad, more)| token(pad, more)).find(|token| token.len() == length).unwrap()
}

fn rows(elsewhere: &str) -> Vec<(&'static str, String, Verdict)> {
    let ed = EncodingKey::from_ed_pem(pem!("ed25519.private")).unwrap();
    let es = EncodingKey::from_ec_pem(pem!("p256.private")).unwrap();
    let rs = EncodingKey::from_rsa_pem(pem!("rsa2048.private")).unwrap();
    let public_rsa = EncodingKey::from_secret(pem!("rsa2048.public"));
    let good = claims(&json!({}));
    let with = |header: &str, key: &EncodingKey, algorithm| signed(header, &good, key, algorithm);
    let whole = headed(&json!({ "alg": "HS256" }));
    let (unsigned, signature) = whole.rsplit_once('.').unwrap();
    let payload = unsigned.split_once('.').unwrap().1;
    let none = |header: &str, end: &str| format!("{}.{payload}.{end}", BASE64_URL_SAFE_NO_PAD.encode(header));
    // A key of the attacker's own, which the token brings along: here the pair for P-256, which is known as `es` only.
    let own_key =
        serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(&es, Algorithm::ES256).unwrap()).unwrap();
    let mut forged = json!({ "sub": "eve", "iss": "me", "aud": "app", "exp": now() + 60 }).to_string();
    forged.push(' ');
    let swapped =
        format!("{}.{}.{signature}", unsigned.split_once('.').unwrap().0, BASE64_URL_SAFE_NO_PAD.encode(forged));
    vec![
        // What must pass, so that the refusals below mean something.
        ("a good token without kid, by the default key", whole.clone(), Accepted),
        ("HS256 by kid", with(r#"{"alg":"HS256","kid":"hs"}"#, &secret(), Algorithm::HS256), Accepted),
        ("EdDSA by kid", with(r#"{"alg":"EdDSA","kid":"ed"}"#, &ed, Algorithm::EdDSA), Accepted),
        ("Ed25519 by kid (RFC 9864)", with(r#"{"alg":"Ed25519","kid":"ed"}"#, &ed, Algorithm::EdDSA), Accepted),
        ("ES256 by kid", with(r#"{"alg":"ES256","kid":"es"}"#, &es, Algorithm::ES256), Accepted),
        ("RS256 by kid", with(r#"{"alg":"RS256","kid":"rs"}"#, &rs, Algorithm::RS256), Accepted),
        ("typ JWT", headed(&json!({ "alg": "HS256", "typ": "JWT" })), Accepted),
        ("typ at+jwt", headed(&json!({ "alg": "HS256", "typ": "at+jwt" })), Accepted),
        ("typ application/at+jwt", headed(&json!({ "alg": "HS256", "typ": "application/at+jwt" })), Accepted),
        ("aud a list with ours", claiming(&json!({ "aud": ["other", "app"] })), Accepted),
        ("nbf and iat within 5 s of leeway", claiming(&json!({ "nbf": now() + 3, "iat": now() + 3 })), Accepted),
        ("64 claims", of_claims(64), Accepted),
        ("8 KiB", of_length(LONGEST_TOKEN), Accepted),
        // Signature and algorithm.
        ("alg none", none(r#"{"alg":"none"}"#, ""), Invalid),
        ("alg none, with a signature", none(r#"{"alg":"none"}"#, signature), Invalid),
        ("alg None", none(r#"{"alg":"None"}"#, ""), Invalid),
        ("alg nOnE with kid", none(r#"{"alg":"nOnE","kid":"rs"}"#, ""), Invalid),
        ("alg absent", headed(&json!({})), Invalid),
        ("alg a list", headed(&json!({ "alg": ["HS256", "none"] })), Invalid),
        ("alg hs256 in lower case", headed(&json!({ "alg": "hs256" })), Invalid),
        ("alg twice", signed(r#"{"alg":"none","alg":"HS256"}"#, &good, &secret(), Algorithm::HS256), Invalid),
        ("no signature", format!("{unsigned}."), Invalid),
        ("a signature cut by one", whole[..whole.len() - 1].to_owned(), Invalid),
        ("other claims under the signature", swapped, Invalid),
        (
            "HS256 by another secret",
            with(r#"{"alg":"HS256"}"#, &EncodingKey::from_secret(&[7; 32]), Algorithm::HS256),
            Invalid,
        ),
        (
            "HS256 by an empty secret",
            with(r#"{"alg":"HS256"}"#, &EncodingKey::from_secret(b""), Algorithm::HS256),
            Invalid,
        ),
        ("HS512 by our secret", with(r#"{"alg":"HS512"}"#, &secret(), Algorithm::HS512), Invalid),
        ("HS256 by the public RSA PEM", with(r#"{"alg":"HS256","kid":"rs"}"#, &public_rsa, Algorithm::HS256), Invalid),
        ("HS256 by the public RSA PEM, no kid", with(r#"{"alg":"HS256"}"#, &public_rsa, Algorithm::HS256), Invalid),
        (
            "HS256 by the public Ed25519 PEM",
            with(r#"{"alg":"HS256","kid":"ed"}"#, &EncodingKey::from_secret(pem!("ed25519.public")), Algorithm::HS256),
            Invalid,
        ),
        ("RS256 that names the Ed25519 key", with(r#"{"alg":"RS256","kid":"ed"}"#, &rs, Algorithm::RS256), Invalid),
        ("EdDSA that names the RSA key", with(r#"{"alg":"EdDSA","kid":"rs"}"#, &ed, Algorithm::EdDSA), Invalid),
        ("RS512 by the RSA key", with(r#"{"alg":"RS512","kid":"rs"}"#, &rs, Algorithm::RS512), Invalid),
        ("PS256 by the RSA key", with(r#"{"alg":"PS256","kid":"rs"}"#, &rs, Algorithm::PS256), Invalid),
        ("RS256 without kid", with(r#"{"alg":"RS256"}"#, &rs, Algorithm::RS256), Invalid),
        // The key that a token names.
        ("kid unknown", headed(&json!({ "alg": "HS256", "kid": "CANARY-kid" })), Invalid),
        ("kid empty", headed(&json!({ "alg": "HS256", "kid": "" })), Invalid),
        ("kid a path", headed(&json!({ "alg": "HS256", "kid": "../../../../dev/null" })), Invalid),
        ("kid a path with NUL", headed(&json!({ "alg": "HS256", "kid": "hs\0.pem" })), Invalid),
        ("kid SQL", headed(&json!({ "alg": "HS256", "kid": "hs' OR '1'='1' --" })), Invalid),
        ("kid a command", headed(&json!({ "alg": "HS256", "kid": "$(id)|hs" })), Invalid),
        ("kid a URL", headed(&json!({ "alg": "HS256", "kid": elsewhere })), Invalid),
        ("kid a number", headed(&json!({ "alg": "HS256", "kid": 0 })), Invalid),
        ("kid a list", headed(&json!({ "alg": "HS256", "kid": ["hs"] })), Invalid),
        ("kid of another letter case", headed(&json!({ "alg": "HS256", "kid": "HS" })), Invalid),
        (
            "jwk of the attacker",
            with(&json!({ "alg": "ES256", "jwk": own_key }).to_string(), &es, Algorithm::ES256),
            Invalid,
        ),
        (
            "jwk of the attacker under our kid",
            with(&json!({ "alg": "ES256", "kid": "rs", "jwk": own_key }).to_string(), &es, Algorithm::ES256),
            Invalid,
        ),
        (
            "jku of the attacker",
            with(&json!({ "alg": "ES256", "jku": elsewhere, "kid": "x" }).to_string(), &es, Algorithm::ES256),
            Invalid,
        ),
        (
            "x5u of the attacker",
            with(&json!({ "alg": "ES256", "x5u": elsewhere }).to_string(), &es, Algorithm::ES256),
            Invalid,
        ),
        ("x5c of the attacker", with(r#"{"alg":"ES256","x5c":["MIIB"]}"#, &es, Algorithm::ES256), Invalid),
        (
            "jku, x5u and jwk are not looked at",
            headed(&json!({ "alg": "HS256", "jku": elsewhere, "x5u": elsewhere, "jwk": own_key })),
            Accepted,
        ),
        // What a token is.
        ("unknown crit", headed(&json!({ "alg": "HS256", "crit": ["x"], "x": 1 })), Invalid),
        ("crit of a known claim", headed(&json!({ "alg": "HS256", "crit": ["exp"], "exp": 1 })), Invalid),
        ("crit empty", headed(&json!({ "alg": "HS256", "crit": [] })), Invalid),
        ("crit null", headed(&json!({ "alg": "HS256", "crit": null })), Invalid),
        ("b64 false (RFC 7797)", headed(&json!({ "alg": "HS256", "b64": false, "crit": ["b64"] })), Invalid),
        ("typ refresh+jwt", headed(&json!({ "alg": "HS256", "typ": "refresh+jwt" })), Invalid),
        ("typ application/refresh+jwt", headed(&json!({ "alg": "HS256", "typ": "application/refresh+jwt" })), Invalid),
        ("typ of another top-level type", headed(&json!({ "alg": "HS256", "typ": "text/at+jwt" })), Invalid),
        ("typ a number", headed(&json!({ "alg": "HS256", "typ": 1 })), Invalid),
        (
            "a header of 17 parameters",
            headed(&{
                let mut header = members(16);
                header["alg"] = json!("HS256");
                header
            }),
            Invalid,
        ),
        ("not a token", "CANARY".to_owned(), Invalid),
        ("only dots", "..".to_owned(), Invalid),
        ("four parts", format!("{whole}.x"), Invalid),
        ("padded base64", format!("{whole}="), Invalid),
        ("claims that are a list", signed(r#"{"alg":"HS256"}"#, "[]", &secret(), Algorithm::HS256), Invalid),
        ("claims of 65", of_claims(65), Invalid),
        ("8 KiB and one octet", format!("{}x", of_length(LONGEST_TOKEN)), Invalid),
        (
            "claims 4,000 lists deep",
            signed(r#"{"alg":"HS256"}"#, &format!(r#"{{"x":{}"#, "[".repeat(4000)), &secret(), Algorithm::HS256),
            Invalid,
        ),
        // Claims.
        ("iss absent", claiming(&json!({ "iss": null })), Invalid),
        ("iss of another", claiming(&json!({ "iss": "you" })), Invalid),
        ("iss a number", claiming(&json!({ "iss": 5 })), Invalid),
        ("iss a list with ours", claiming(&json!({ "iss": ["evil", "me"] })), Invalid),
        ("aud absent", claiming(&json!({ "aud": null })), Invalid),
        ("aud of another", claiming(&json!({ "aud": "other" })), Invalid),
        ("aud an object", claiming(&json!({ "aud": {} })), Invalid),
        ("aud a list with a number", claiming(&json!({ "aud": ["app", 1] })), Invalid),
        ("sub absent", claiming(&json!({ "sub": null })), Invalid),
        ("sub empty", claiming(&json!({ "sub": "" })), Invalid),
        ("sub a number", claiming(&json!({ "sub": 1 })), Invalid),
        ("sub with a line end", claiming(&json!({ "sub": "ada\nsubscription:0" })), Invalid),
        ("sub of 129 octets", claiming(&json!({ "sub": "x".repeat(129) })), Invalid),
        ("exp absent", claiming(&json!({ "exp": null })), Invalid),
        ("exp now", claiming(&json!({ "exp": now() })), Invalid),
        ("59 s past exp", claiming(&json!({ "exp": now() - 59 })), Invalid),
        ("exp a text", claiming(&json!({ "exp": (now() + 60).to_string() })), Invalid),
        ("exp 1e30", claiming(&json!({ "exp": 1e30 })), Invalid),
        ("exp negative", claiming(&json!({ "exp": -1 })), Invalid),
        (
            "exp twice",
            signed(r#"{"alg":"HS256"}"#, &good.replacen('{', r#"{"exp":1,"#, 1), &secret(), Algorithm::HS256),
            Invalid,
        ),
        ("a lifetime of 24 h and a minute", claiming(&json!({ "exp": now() + 86_460 })), Invalid),
        ("a lifetime of 24 h and a second since iat", claiming(&json!({ "iat": now() + 60 - 86_401 })), Invalid),
        ("nbf in an hour", claiming(&json!({ "nbf": now() + 3600 })), Invalid),
        ("nbf a text", claiming(&json!({ "nbf": "0" })), Invalid),
        ("iat in an hour", claiming(&json!({ "iat": now() + 3600 })), Invalid),
        ("taken back", claiming(&json!({ "jti": "taken back" })), Invalid),
    ]
}

type HeaderLines = Vec<(&'static str, String)>;

/// Requests that bring tokens in more than one place, or in none.
fn places(token: &str) -> Vec<(&'static str, HeaderLines, Verdict)> {
    let origin = || ("Origin", ORIGIN.to_owned());
    let cookie = |value: String| vec![origin(), ("Cookie", value)];
    let bearer = || ("Authorization", format!("Bearer {token}"));
    let both = [cookie(format!("token={token}")), vec![bearer()]].concat();
    vec![
        ("no credentials", vec![], Missing),
        ("an empty cookie", cookie("token=".to_owned()), Missing),
        ("a cookie of another name", cookie(format!("tokens={token}; Token={token}; xtoken={token}")), Missing),
        ("basic credentials", vec![("Authorization", "Basic YTpi".to_owned())], Missing),
        ("bearer without a token", vec![("Authorization", "Bearer".to_owned())], Missing),
        ("a cookie among others", cookie(format!("a=1; token={token}; b=\u{fc}")), Accepted),
        ("bearer in another letter case", vec![("Authorization", format!("bearer {token}"))], Accepted),
        (
            "basic credentials and a cookie",
            [cookie(format!("token={token}")), vec![("Authorization", "Basic YTpi".to_owned())]].concat(),
            Accepted,
        ),
        ("two cookies of that name", cookie(format!("token={token}; token={token}")), Invalid),
        (
            "two cookies of that name in two lines",
            [cookie(format!("token={token}")), vec![("Cookie", format!("token={token}"))]].concat(),
            Invalid,
        ),
        ("a good cookie and a bad one", cookie(format!("token={token}; token=x")), Invalid),
        ("a cookie and a bearer token", both, Invalid),
        ("two bearer tokens", vec![bearer(), bearer()], Invalid),
        ("bearer with two tokens", vec![("Authorization", format!("Bearer {token} {token}"))], Invalid),
        ("a quoted cookie", cookie(format!("token=\"{token}\"")), Invalid),
    ]
}

fn verdict(answer: &Answer) -> Verdict {
    match (answer.status, if answer.status == 101 { String::new() } else { answer.code() }.as_str()) {
        (101, _) => Accepted,
        (401, "invalid-credentials") => Invalid,
        (401, "missing-credentials") => Missing,
        other => panic!("{other:?} is no answer to a token"),
    }
}

#[test]
fn every_row_of_the_token_table_holds_at_the_handshake_and_nothing_of_a_token_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    // Where an attacker's key would be fetched from, if anything were.
    let attacker = TcpListener::bind("127.0.0.1:0").unwrap();
    attacker.set_nonblocking(true).unwrap();
    let elsewhere = format!("http://{}/{CANARY}", attacker.local_addr().unwrap());
    let server = server();
    let mut refusals = Vec::new();
    let mut judge = |row: &str, place: &str, headers: &[(&str, String)], expected: Verdict| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = server.handshake(&headers);
        let documented = match expected {
            Accepted => format!("| {row} | 101 |\n"),
            Invalid => format!("| {row} | 401 `invalid-credentials` |\n"),
            Missing => format!("| {row} | 401 `missing-credentials` |\n"),
        };
        assert!(DOCUMENT.contains(&documented), "docs/security.md does not say {documented}");
        println!("{} {:<8} {place:<6} {row}", answer.status, format!("{:?}", verdict(&answer)));
        assert_eq!(verdict(&answer), expected, "{row}, {place}");
        if expected == Invalid {
            let mut answer = answer;
            answer.headers.remove("date");
            refusals.push(format!("{answer:?}"));
        }
    };
    let rows = rows(&elsewhere);
    for (row, token, expected) in &rows {
        let cookie = [("Origin", ORIGIN.to_owned()), ("Cookie", format!("a=1; token={token}"))];
        judge(row, "cookie", &cookie, *expected);
        judge(row, "bearer", &[("Authorization", format!("Bearer {token}"))], *expected);
    }
    for (row, headers, expected) in places(&rows[0].1) {
        judge(row, "", &headers, expected);
    }
    let refused = rows.iter().filter(|row| row.2 == Invalid).count();
    println!("{} tokens, {refused} of them refused", rows.len());
    assert!(refused >= 16);
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "a refusal says which check has failed: {refusals:#?}");
    assert_eq!(attacker.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "a key was fetched");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a token was refused") && log.contains("expired"), "the log is the server's: {log:.200}");
    assert!(!log.contains(CANARY), "the log holds the canary");
    for (row, token, _) in &rows {
        let parts = token.split('.').filter(|part| part.len() > 20);
        assert!(parts.into_iter().all(|part| !log.contains(part)), "the log holds a part of the token: {row}");
    }
}
