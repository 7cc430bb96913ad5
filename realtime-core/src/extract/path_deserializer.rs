//! Captured segments as a serde data format: each is text that becomes a number, a bool, a newtype or a unit variant.

use std::{fmt, str::FromStr};

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use crate::destination::Params;

/// All captured segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathDeserializer<'a> {
    params: &'a Params,
}

/// One captured segment.
#[derive(Clone, Copy, Debug)]
struct SegmentDeserializer<'a> {
    text: &'a str,
}

/// Why segments are not a value, and whose fault it is.
#[derive(Debug)]
pub(super) enum PathError {
    /// No destination of the route could be one: the application's.
    Route(String),
    /// A segment is not: the client's.
    Segment(String),
}

impl<'a> PathDeserializer<'a> {
    pub(super) fn new(params: &'a Params) -> Self {
        Self { params }
    }

    /// The only segment, for a target that is a single value.
    fn single(self) -> Result<SegmentDeserializer<'a>, PathError> {
        let mut all = self.params.iter();
        match (all.next(), all.next()) {
            (Some((_, text)), None) => Ok(SegmentDeserializer { text }),
            _ => Err(PathError::Route(format!(
                "the handler takes one placeholder and the route has {}",
                self.params.len()
            ))),
        }
    }

    fn segments(self, expected: Option<usize>) -> Result<Segments<'a>, PathError> {
        if let Some(expected) = expected
            && expected != self.params.len()
        {
            let captured = self.params.len();
            return Err(PathError::Route(format!(
                "the handler takes {expected} placeholders and the route has {captured}"
            )));
        }
        Ok(Segments { all: self.params.iter().collect::<Vec<_>>().into_iter(), value: None })
    }
}

macro_rules! of_the_single_segment {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
            self.single()?.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for PathDeserializer<'de> {
    type Error = PathError;

    of_the_single_segment! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_identifier
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_seq(self.segments(None)?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_seq(self.segments(Some(len))?)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, PathError> {
        visitor.visit_seq(self.segments(Some(len))?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_map(self.segments(None)?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathError> {
        visitor.visit_map(self.segments(None)?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathError> {
        self.single()?.deserialize_enum(name, variants, visitor)
    }
}

/// The segments one after another, as a sequence or as pairs.
struct Segments<'a> {
    all: std::vec::IntoIter<(&'a str, &'a str)>,
    value: Option<&'a str>,
}

impl<'de> SeqAccess<'de> for Segments<'de> {
    type Error = PathError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, PathError> {
        self.all.next().map(|(_, text)| seed.deserialize(SegmentDeserializer { text })).transpose()
    }
}

impl<'de> MapAccess<'de> for Segments<'de> {
    type Error = PathError;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, PathError> {
        let Some((name, text)) = self.all.next() else { return Ok(None) };
        self.value = Some(text);
        let name: StrDeserializer<'_, PathError> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, PathError> {
        let text = self.value.take().ok_or_else(|| PathError::custom("a value was asked for before its name"))?;
        seed.deserialize(SegmentDeserializer { text })
    }
}

macro_rules! parsed {
    ($($method:ident => $visit:ident: $type:ty),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
            visitor.$visit(self.parse::<$type>(stringify!($type))?)
        }
    )*};
}

impl SegmentDeserializer<'_> {
    /// Only in the one spelling that the value itself has: `007` and `+7` would be second names of the place `7`.
    fn parse<T: FromStr + ToString>(&self, expected: &str) -> Result<T, PathError> {
        let value: Option<T> = self.text.parse().ok();
        let value = value.filter(|value| value.to_string() == self.text);
        value.ok_or_else(|| PathError::custom(format!("`{}` is not of type {expected}", self.text)))
    }
}

impl<'de> Deserializer<'de> for SegmentDeserializer<'de> {
    type Error = PathError;

    parsed! {
        deserialize_bool => visit_bool: bool,
        deserialize_i8 => visit_i8: i8,
        deserialize_i16 => visit_i16: i16,
        deserialize_i32 => visit_i32: i32,
        deserialize_i64 => visit_i64: i64,
        deserialize_i128 => visit_i128: i128,
        deserialize_u8 => visit_u8: u8,
        deserialize_u16 => visit_u16: u16,
        deserialize_u32 => visit_u32: u32,
        deserialize_u64 => visit_u64: u64,
        deserialize_u128 => visit_u128: u128,
        deserialize_f32 => visit_f32: f32,
        deserialize_f64 => visit_f64: f64,
        deserialize_char => visit_char: char,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_borrowed_str(self.text)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, PathError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathError> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for SegmentDeserializer<'de> {
    type Error = PathError;
    type Variant = UnitOnly;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, UnitOnly), PathError> {
        Ok((seed.deserialize(self)?, UnitOnly))
    }
}

fn only_a_name() -> PathError {
    PathError::Route("a segment can only name a variant without fields".to_owned())
}

/// A segment can name a variant, and nothing more.
#[derive(Debug)]
struct UnitOnly;

impl<'de> VariantAccess<'de> for UnitOnly {
    type Error = PathError;

    fn unit_variant(self) -> Result<(), PathError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, PathError> {
        Err(only_a_name())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, PathError> {
        Err(only_a_name())
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, PathError> {
        Err(only_a_name())
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Route(text) | Self::Segment(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for PathError {}

impl serde::de::Error for PathError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Segment(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Route(format!("the handler takes {{{field}}}, which the route does not have"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, de::DeserializeOwned};

    use super::*;
    use crate::destination::{Destination, Pattern};

    fn path<T: DeserializeOwned>(pattern: &str, destination: &str) -> Result<T, String> {
        error_of(pattern, destination).map_err(|error| error.to_string())
    }

    fn error_of<T: DeserializeOwned>(pattern: &str, destination: &str) -> Result<T, PathError> {
        let (pattern, destination): (Pattern, Destination) = (pattern.parse().unwrap(), destination.parse().unwrap());
        let params = pattern.captures(&destination).unwrap();
        T::deserialize(PathDeserializer::new(&params))
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct RoomId(u64);

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Quiet,
        Loud,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Seat {
        room: RoomId,
        seat: Option<u8>,
    }

    #[test]
    fn a_single_placeholder_is_a_single_value() {
        assert_eq!(path("/r/{a}", "/r/7"), Ok(7_u64));
        assert_eq!(path("/r/{a}", "/r/7"), Ok(RoomId(7)));
        assert_eq!(path("/r/{a}", "/r/x y"), Ok("x y".to_owned()));
        assert_eq!(path("/r/{a}", "/r/loud"), Ok(Kind::Loud));
    }

    #[test]
    fn several_placeholders_are_a_tuple_a_struct_or_a_map() {
        assert_eq!(path("/r/{room}/{seat}", "/r/7/3"), Ok((RoomId(7), 3_u8)));
        assert_eq!(path("/r/{room}/{seat}", "/r/7/3"), Ok(Seat { room: RoomId(7), seat: Some(3) }));
        let map: BTreeMap<String, String> = path("/r/{room}/{seat}", "/r/7/3").unwrap();
        assert_eq!(map["room"], "7");
    }

    #[test]
    fn what_does_not_fit_says_so() {
        for second_name in ["007", "+7", "-0"] {
            assert!(path::<i32>("/r/{a}", &format!("/r/{second_name}")).is_err(), "{second_name}");
        }
        assert_eq!(path::<u8>("/r/{a}", "/r/256"), Err("`256` is not of type u8".to_owned()));
        assert!(path::<Kind>("/r/{a}", "/r/odd").unwrap_err().contains("unknown variant"));
        assert!(path::<(u8, u8)>("/r/{a}", "/r/1").unwrap_err().contains("takes 2 placeholders"));
        assert!(path::<u8>("/r/{a}/{b}", "/r/1/2").unwrap_err().contains("takes one placeholder"));
        assert!(path::<Seat>("/r/{seat}", "/r/1").unwrap_err().contains("takes {room}"));
    }

    #[test]
    fn what_no_destination_of_the_route_could_be_is_the_applications_fault() {
        let of_the_route = [
            error_of::<u8>("/r/{a}/{b}", "/r/1/2").err(),
            error_of::<(u8, u8)>("/r/{a}", "/r/1").err(),
            error_of::<Seat>("/r/{seat}", "/r/1").err(),
            error_of::<Result<u8, u8>>("/r/{a}", "/r/Ok").err(),
        ];
        assert!(of_the_route.iter().all(|error| matches!(error, Some(PathError::Route(_)))), "{of_the_route:?}");
        let of_the_segment = [
            error_of::<u8>("/r/{a}", "/r/x").err(),
            error_of::<Kind>("/r/{a}", "/r/odd").err(),
            error_of::<Seat>("/r/{room}/{seat}", "/r/x/3").err(),
        ];
        assert!(of_the_segment.iter().all(|error| matches!(error, Some(PathError::Segment(_)))), "{of_the_segment:?}");
    }
}
