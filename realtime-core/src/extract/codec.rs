//! Bodies by content type: JSON, text, and CBOR as a feature.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeOwned, IntoDeserializer, value};

/// Why a body is not a value.
#[derive(Debug)]
pub(super) enum Undecoded {
    /// It is in a format that is not known, or that the value is not made of.
    ContentType { known: &'static str },
    /// It is not what its content type says, or does not fit.
    Body { format: &'static str, error: String },
}

/// What `Payload` reads.
#[cfg(not(feature = "cbor"))]
const KNOWN: &str = "application/json";
/// What `Payload` reads.
#[cfg(feature = "cbor")]
const KNOWN: &str = "application/json or application/cbor";

/// How deep a CBOR body may be nested, as JSON is limited by `serde_json`: deeper ones could exhaust the stack.
#[cfg(feature = "cbor")]
const CBOR_DEPTH: usize = 128;

/// The value in `body`. Without a content type it is taken for JSON.
pub(super) fn decode<T: DeserializeOwned>(content_type: Option<&str>, body: &[u8]) -> Result<T, Undecoded> {
    let essence = content_type.map(essence);
    match essence.as_deref() {
        None => json(body),
        Some(essence) if is(essence, "application/json", "+json") => json(body),
        #[cfg(feature = "cbor")]
        Some(essence) if is(essence, "application/cbor", "+cbor") => {
            ciborium::de::from_reader_with_recursion_limit(body, CBOR_DEPTH)
                .map_err(|error| Undecoded::Body { format: "CBOR", error: error.to_string() })
        }
        Some("text/plain") => text(body),
        Some(_) => Err(Undecoded::ContentType { known: KNOWN }),
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Undecoded> {
    serde_json::from_slice(body).map_err(|error| Undecoded::Body { format: "JSON", error: error.to_string() })
}

/// A value that is made of a string; any other is not to be had from text.
fn text<T: DeserializeOwned>(body: &[u8]) -> Result<T, Undecoded> {
    let invalid = |error: &dyn fmt::Display| Undecoded::Body { format: "UTF-8 text", error: error.to_string() };
    let text = std::str::from_utf8(body).map_err(|error| invalid(&error))?;
    T::deserialize(IntoDeserializer::<value::Error>::into_deserializer(text))
        .map_err(|_| Undecoded::ContentType { known: KNOWN })
}

/// The media type without its parameters, in lower case.
fn essence(content_type: &str) -> Cow<'_, str> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.bytes().any(|octet| octet.is_ascii_uppercase()) {
        Cow::Owned(essence.to_ascii_lowercase())
    } else {
        Cow::Borrowed(essence)
    }
}

/// Whether it is the type itself or one with its structured suffix (RFC 6839).
fn is(essence: &str, media_type: &str, suffix: &str) -> bool {
    essence == media_type || essence.ends_with(suffix)
}
