//! Verifies tokens in a program in which both providers of `jsonwebtoken` are switched on, where its own use panics unless one
//! was chosen. The choice is made once in a process, so each order of events is a run of its own.

use std::{
    panic::catch_unwind,
    process::ExitCode,
    time::{Duration, UNIX_EPOCH},
};

use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    crypto::{aws_lc, rust_crypto},
    encode,
};
use parlor_core::auth::{JwtKey, JwtKeys, JwtVerifier};
use serde_json::json;

const SECRET: &[u8] = b"a secret of at least 32 octets, please";
const NOW: u64 = 1_800_000_000;

fn main() -> ExitCode {
    let order = std::env::args().nth(1).unwrap_or_default();
    match order.as_str() {
        // The usual one: Parlor comes first. Its choice serves the application's own signing too.
        "parlor-first" => {
            parlor_verifies();
            assert!(encode(&Header::default(), &json!({}), &EncodingKey::from_secret(SECRET)).is_ok());
        }
        // The application has run into the trap already.
        "after-a-panic" => {
            let sign = || encode(&Header::default(), &json!({}), &EncodingKey::from_secret(SECRET));
            assert!(catch_unwind(sign).is_err(), "jsonwebtoken no longer panics; this check can go");
            parlor_verifies();
        }
        // The application has chosen the other one.
        "own-choice" => {
            assert!(rust_crypto::DEFAULT_PROVIDER.install_default().is_ok());
            parlor_verifies();
            assert!(encode(&Header::default(), &json!({}), &EncodingKey::from_secret(SECRET)).is_ok());
        }
        _ => {
            eprintln!("usage: crypto-providers parlor-first | after-a-panic | own-choice");
            return ExitCode::FAILURE;
        }
    }
    println!("{order}: tokens of every algorithm are verified");
    ExitCode::SUCCESS
}

/// Keys of every kind are read and verify; none of it may panic.
fn parlor_verifies() {
    let pem = [
        &include_bytes!("../../../realtime-core/tests/keys/ed25519.public.pem")[..],
        include_bytes!("../../../realtime-core/tests/keys/p256.public.pem"),
        include_bytes!("../../../realtime-core/tests/keys/rsa2048.public.pem"),
    ];
    let pem = pem.map(|pem| JwtKey::from_pem(pem).expect("a public key"));
    let keys = pem.into_iter().chain([JwtKey::hs256(SECRET).expect("a good secret")]);
    let keys = keys.map(|key| {
        let id = key.algorithm().name();
        key.with_id(id)
    });
    let verifier = JwtVerifier::new(JwtKeys::new(keys).expect("ids that differ"));
    for (algorithm, key) in [
        (
            Algorithm::EdDSA,
            EncodingKey::from_ed_pem(include_bytes!("../../../realtime-core/tests/keys/ed25519.private.pem")),
        ),
        (
            Algorithm::ES256,
            EncodingKey::from_ec_pem(include_bytes!("../../../realtime-core/tests/keys/p256.private.pem")),
        ),
        (
            Algorithm::RS256,
            EncodingKey::from_rsa_pem(include_bytes!("../../../realtime-core/tests/keys/rsa2048.private.pem")),
        ),
        (Algorithm::HS256, Ok(EncodingKey::from_secret(SECRET))),
    ] {
        let token = signed(algorithm, &key.expect("a private key"));
        let verified = verifier.verify(&token, UNIX_EPOCH + Duration::from_secs(NOW));
        assert!(verified.is_ok(), "{algorithm:?}: {verified:?}");
    }
}

/// A token that was signed without the process-wide choice, which is what is looked at here.
fn signed(algorithm: Algorithm, key: &EncodingKey) -> String {
    let header = json!({ "alg": format!("{algorithm:?}"), "kid": format!("{algorithm:?}") });
    let claims = json!({ "sub": "ada", "exp": NOW + 60 });
    let message = [header, claims].map(|part| base64url(part.to_string().as_bytes())).join(".");
    let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&algorithm, key).expect("a key of that algorithm");
    format!("{message}.{}", base64url(&signer.sign(message.as_bytes())))
}

/// RFC 4648 section 5, without padding.
fn base64url(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let group = |chunk: &[u8]| {
        let bits = (0..3).fold(0, |bits, place| bits << 8 | usize::from(chunk.get(place).copied().unwrap_or(0)));
        (0..=chunk.len()).map(|place| char::from(LETTERS[bits >> (18 - 6 * place) & 63])).collect::<String>()
    };
    octets.chunks(3).map(group).collect()
}
