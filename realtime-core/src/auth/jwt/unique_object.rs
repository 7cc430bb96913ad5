//! A JSON object in which no name stands twice (RFC 7515 section 4 and RFC 7519 section 4 allow to demand it), of a bounded
//! number of members.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Why octets are not such an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectError {
    Malformed,
    TooManyMembers,
}

/// Reads an object of at most `most` members.
pub(super) fn unique_object(octets: &[u8], most: usize) -> Result<Map<String, Value>, ObjectError> {
    let mut is_full = false;
    let mut reader = serde_json::Deserializer::from_slice(octets);
    let members = Members { most, is_full: &mut is_full }.deserialize(&mut reader);
    match members {
        Ok(members) => reader.end().map(|()| members).map_err(|_| ObjectError::Malformed),
        Err(_) if is_full => Err(ObjectError::TooManyMembers),
        Err(_) => Err(ObjectError::Malformed),
    }
}

struct Members<'a> {
    most: usize,
    is_full: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.len() >= self.most {
                *self.is_full = true;
                return Err(A::Error::custom("too many members"));
            }
            if members.insert(name, access.next_value()?).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_bounded_at_its_members_and_not_one_beyond() {
        assert_eq!(unique_object(br#"{"a":1,"b":{"c":2,"d":3}}"#, 2).map(|object| object.len()), Ok(2));
        assert_eq!(unique_object(br#"{"a":1,"b":2,"c":3}"#, 2), Err(ObjectError::TooManyMembers));
    }

    #[test]
    fn what_is_no_object_or_names_something_twice_is_malformed() {
        for text in ["", "[]", "1", "{", "{}x", r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#] {
            assert_eq!(unique_object(text.as_bytes(), 9), Err(ObjectError::Malformed), "{text}");
        }
    }
}
