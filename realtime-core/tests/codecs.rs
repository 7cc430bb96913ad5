//! Bodies by content type: CBOR in and out, text, and payloads that keep the rules of their type.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use bytes::Bytes;
use futures_util::FutureExt;
use garde::Validate;
use parlor_core::{
    Message,
    app::{Context, FromContext, IntoPublications, Publications, Rejection},
    auth::Principal,
    broker::Broker,
    extract::{Cbor, Payload, Validated},
    session::Session,
    stomp::Headers,
};
use serde::Deserialize;

/// What `T` is of a body with that content type.
fn extract<T: FromContext<(), Message, Rejection = Rejection>>(
    content_type: &str,
    body: Vec<u8>,
) -> Result<T, Rejection> {
    let destination = "/app/a".parse().unwrap();
    let message = Message::new(destination, Headers::default(), Some(content_type.to_owned()), Bytes::from(body));
    let context = Context::new(Session::detached(Principal::anonymous()), Broker::default(), message);
    T::from_context(&context, &()).now_or_never().unwrap()
}

#[test]
fn cbor_comes_in_and_goes_out_as_the_standard_writes_it() {
    // RFC 8949, appendix A: [1, 2, 3].
    let encoded = vec![0x83, 1, 2, 3];
    let Ok(Publications::One(published)) = Cbor([1, 2, 3]).into_publications() else { panic!("nothing to publish") };
    assert_eq!((published.content_type.as_deref(), &published.body[..]), (Some("application/cbor"), &encoded[..]));
    assert_eq!(extract::<Payload<Vec<u8>>>("application/cbor", encoded.clone()), Ok(Payload(vec![1, 2, 3])));
    assert_eq!(extract::<Cbor<Vec<u8>>>("application/x+cbor", encoded), Ok(Cbor(vec![1, 2, 3])));
    assert_eq!(extract::<Cbor<Vec<u8>>>("application/json", b"[1]".to_vec()), Ok(Cbor(vec![1])));
}

#[test]
fn cbor_that_is_cut_or_nested_without_end_is_refused() {
    let cut = extract::<Payload<Vec<u8>>>("application/cbor", vec![0x83, 1]).unwrap_err();
    assert_eq!(cut.code(), "invalid-payload");
    // 60,000 arrays in one another: what each level costs of the stack is bounded.
    let nested = extract::<Payload<ciborium::Value>>("application/cbor", vec![0x81; 60_000]).unwrap_err();
    assert_eq!(nested.code(), "invalid-payload");
}

#[test]
fn text_fits_what_is_made_of_a_string_and_nothing_else() {
    assert_eq!(extract::<Payload<String>>("text/plain;charset=utf-8", b"hi".to_vec()), Ok(Payload("hi".to_owned())));
    assert_eq!(extract::<Payload<u8>>("text/plain", b"7".to_vec()).unwrap_err().code(), "unsupported-content-type");
    assert_eq!(extract::<Payload<String>>("text/plain", vec![0xff]).unwrap_err().code(), "invalid-payload");
}

#[derive(Debug, Deserialize, Validate)]
struct Draft {
    #[garde(length(min = 1, max = 3))]
    text: String,
    #[garde(range(max = 5))]
    stars: u8,
}

#[test]
fn every_rule_that_a_payload_breaks_is_named_by_field() {
    let Validated(draft) =
        extract::<Validated<Draft>>("application/json", br#"{"text":"abc","stars":5}"#.to_vec()).unwrap();
    assert_eq!((draft.text.as_str(), draft.stars), ("abc", 5));
    let refused =
        extract::<Validated<Draft>>("application/json", br#"{"text":"abcd","stars":6}"#.to_vec()).unwrap_err();
    assert_eq!(refused.code(), "invalid-payload");
    let fields: Vec<_> =
        refused.details().unwrap().as_array().unwrap().iter().map(|fault| fault["field"].clone()).collect();
    assert_eq!(fields.len(), 2, "{refused}");
    assert!(fields.contains(&"text".into()) && fields.contains(&"stars".into()), "{refused}");
}
