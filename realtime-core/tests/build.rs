//! What is wrong with an endpoint's authentication is said when it is built, in a sentence that says what to do.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

use std::time::Duration;

use parlor_core::{
    BuildError, Config, Realtime, RealtimeBuilder,
    app::Router,
    auth::{Anonymous, JwtOptionError, JwtVerifier, Nobody, OriginPolicy},
    destination::Prefixes,
    limits::TrustedProxies,
};

fn builder() -> RealtimeBuilder {
    Realtime::builder(Router::new().with_state(()))
}

fn verifier() -> JwtVerifier {
    JwtVerifier::hs256(&[7; 32]).unwrap()
}

fn refused(verifier: JwtVerifier) -> Option<JwtOptionError> {
    match builder().authenticate(verifier).build() {
        Ok(_) => None,
        Err(BuildError::Authenticator(error)) => Some(*error.downcast().unwrap()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_endpoint_without_an_authenticator_is_not_built() {
    let error = builder().build().unwrap_err();
    assert!(matches!(error, BuildError::NoAuthenticator));
    assert!(error.to_string().contains(".authenticate("), "{error}");
    assert!(builder().authenticate(Nobody).build().is_ok());
}

#[test]
fn a_verifier_that_looks_nowhere_for_tokens_is_not_built() {
    let error = refused(verifier()).unwrap();
    assert_eq!(error, JwtOptionError::NoSource);
    assert!(error.to_string().contains(".cookie(") && error.to_string().contains(".bearer()"), "{error}");
    for source in [verifier().cookie("__Host-token"), verifier().bearer(), verifier().cookie("t").bearer()] {
        assert_eq!(refused(source), None);
    }
}

#[test]
fn a_verifiers_options_are_bounded_at_the_limit_and_not_one_beyond() {
    let (second, year) = (Duration::from_secs(1), Duration::from_secs(365 * 24 * 3600));
    let nanosecond = Duration::from_nanos(1);
    for lifetime in [second, year] {
        assert_eq!(refused(verifier().bearer().max_lifetime(lifetime)), None);
    }
    for lifetime in [Duration::ZERO, second - nanosecond, year + nanosecond, Duration::MAX] {
        let expected = Some(JwtOptionError::MaxLifetime(lifetime));
        assert_eq!(refused(verifier().bearer().max_lifetime(lifetime)), expected);
    }
    for (count, expected) in [(1, None), (1024, None), (0, Some(0)), (1025, Some(1025))] {
        assert_eq!(refused(verifier().bearer().max_claims(count)), expected.map(JwtOptionError::MaxClaims));
    }
    for name in ["", "a b", "a;b", "a=b", "ä", "a\n"] {
        assert_eq!(refused(verifier().cookie(name)), Some(JwtOptionError::Cookie(name.to_owned())));
    }
}

#[test]
fn s_17_any_origin_and_a_cookie_do_not_go_together() {
    let any = || builder().origin_policy(OriginPolicy::default().dangerously_allow_any_origin());
    let error = any().authenticate(verifier().cookie("token").bearer()).build().unwrap_err();
    assert!(matches!(error, BuildError::AnyOriginWithCookies), "{error}");
    assert!(any().authenticate(verifier().bearer()).build().is_ok());
    assert!(any().authenticate(Anonymous).build().is_ok());
}

#[test]
fn prefixes_that_overlap_are_an_error_at_start_up() {
    let prefixes = Prefixes::default().app("/topic/app".parse().unwrap());
    let error = builder().config(Config::default().prefixes(prefixes)).authenticate(Nobody).build().unwrap_err();
    assert!(error.to_string().contains("the prefixes /topic and /topic/app overlap"), "{error}");
}

#[test]
fn a_queue_prefix_without_room_for_replies_and_errors_is_an_error_at_start_up() {
    // Destinations have 255 octets, and below the prefix comes `/replies`.
    for (octets, fits) in [(247, true), (248, false)] {
        let queue = format!("/{}", "q".repeat(octets - 1)).parse().unwrap();
        let config = Config::default().prefixes(Prefixes::default().queue(queue));
        let built = builder().config(config).authenticate(Nobody).build();
        assert_eq!(built.is_ok(), fits, "{:?}", built.err());
    }
}

#[test]
fn a_program_whose_main_returns_what_is_wrong_prints_a_sentence() {
    let error = builder().build().unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    let error = JwtVerifier::hs256(b"short").unwrap_err();
    assert!(format!("{error:?}").contains("the secret has 5 octets"), "{error:?}");
    let error = OriginPolicy::new(["app.example"]).unwrap_err();
    assert!(format!("{error:?}").contains("is not an origin; write"), "{error:?}");
    let error = "10.0.0".parse::<TrustedProxies>().unwrap_err();
    assert!(format!("{error:?}").contains("no range of addresses; write"), "{error:?}");
}
