//! Whether a `Path<T>` can be filled by a pattern at all, asked of `T` itself when the route is made.
//!
//! `T` is deserialized from segments that are whatever it asks for: a number is 0, a variant the first one. What goes
//! wrong then goes wrong for every destination, if it is about counts, names or kinds. A `T` that refuses such a value has
//! its own mind about values, and is left to the first message: nothing is reported that might have worked.

use std::fmt;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor, value::StrDeserializer,
    },
};

use crate::{app::CaptureError, destination::Pattern};

/// Why no destination that `pattern` matches could become a `T`.
pub(super) fn check<T: DeserializeOwned>(pattern: &Pattern) -> Result<(), CaptureError> {
    let names: Vec<_> = pattern.placeholders().collect();
    match T::deserialize(AllSegments { names: &names }) {
        Err(Misfit(Some(error))) => Err(error),
        Ok(_) | Err(Misfit(None)) => Ok(()),
    }
}

/// A failure that holds for every destination, or one that only says something about the values made up here.
#[derive(Debug)]
struct Misfit(Option<CaptureError>);

/// All segments of a pattern.
#[derive(Clone, Copy)]
struct AllSegments<'a> {
    names: &'a [&'a str],
}

/// One segment, of any text.
struct AnySegment;

/// The segments one after another, as a sequence or as pairs.
struct Remaining<'a>(std::slice::Iter<'a, &'a str>);

impl<'a> AllSegments<'a> {
    fn take(self, taken: usize) -> Result<Remaining<'a>, Misfit> {
        let captured = self.names.len();
        if taken == captured { Ok(self.all()) } else { Err(Misfit(Some(CaptureError::Count { taken, captured }))) }
    }

    fn all(self) -> Remaining<'a> {
        Remaining(self.names.iter())
    }
}

macro_rules! of_the_single_segment {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.take(1)?;
            AnySegment.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for AllSegments<'_> {
    type Error = Misfit;

    of_the_single_segment! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_identifier
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_seq(self.all())
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_seq(self.take(len)?)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_seq(self.take(len)?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(self.all())
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_map(self.all())
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.take(1)?;
        AnySegment.deserialize_enum(name, variants, visitor)
    }
}

impl<'de> SeqAccess<'de> for Remaining<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.0.next().map(|_| seed.deserialize(AnySegment)).transpose()
    }
}

impl<'de> MapAccess<'de> for Remaining<'_> {
    type Error = Misfit;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(name) = self.0.next() else { return Ok(None) };
        let name: StrDeserializer<'_, Misfit> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(AnySegment)
    }
}

macro_rules! made_up {
    ($($method:ident => $visit:ident($value:expr)),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            visitor.$visit($value).map_err(about_the_value)
        }
    )*};
}

/// What a type says of a value that was made up is not said of the pattern.
fn about_the_value(_: Misfit) -> Misfit {
    Misfit(None)
}

/// What `visitor` wants is made of several values, and is given the text that a segment is.
fn text_instead<'de, V: Visitor<'de>>(visitor: V) -> Result<V::Value, Misfit> {
    visitor.visit_borrowed_str("0")
}

impl<'de> Deserializer<'de> for AnySegment {
    type Error = Misfit;

    made_up! {
        deserialize_any => visit_borrowed_str("0"),
        deserialize_bool => visit_bool(false),
        deserialize_i8 => visit_i8(0),
        deserialize_i16 => visit_i16(0),
        deserialize_i32 => visit_i32(0),
        deserialize_i64 => visit_i64(0),
        deserialize_i128 => visit_i128(0),
        deserialize_u8 => visit_u8(0),
        deserialize_u16 => visit_u16(0),
        deserialize_u32 => visit_u32(0),
        deserialize_u64 => visit_u64(0),
        deserialize_u128 => visit_u128(0),
        deserialize_f32 => visit_f32(0.0),
        deserialize_f64 => visit_f64(0.0),
        deserialize_char => visit_char('0'),
        deserialize_str => visit_borrowed_str("0"),
        deserialize_string => visit_borrowed_str("0"),
        deserialize_bytes => visit_borrowed_str("0"),
        deserialize_byte_buf => visit_borrowed_str("0"),
        deserialize_identifier => visit_borrowed_str("0"),
        deserialize_ignored_any => visit_borrowed_str("0"),
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        text_instead(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        text_instead(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        text_instead(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        text_instead(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        text_instead(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        text_instead(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        text_instead(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_enum(FirstVariant(variants.first().copied().unwrap_or("0"))).map_err(about_the_value)
    }
}

/// The variant that every enum of names has.
struct FirstVariant(&'static str);

impl<'de> EnumAccess<'de> for FirstVariant {
    type Error = Misfit;
    type Variant = NameOnly;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, NameOnly), Misfit> {
        let name: StrDeserializer<'_, Misfit> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, NameOnly))
    }
}

/// Another variant may do without fields where the first one has some, so that this one proves nothing.
struct NameOnly;

impl<'de> VariantAccess<'de> for NameOnly {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Misfit> {
        Err(Misfit(None))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Misfit> {
        Err(Misfit(None))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Misfit> {
        Err(Misfit(None))
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(error) => error.fmt(f),
            None => f.write_str("a value that was made up is refused"),
        }
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(Some(CaptureError::Segment { expected: expected.to_string() }))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(Some(CaptureError::Missing { field }))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self(Some(CaptureError::Unknown { placeholder: field.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, num::NonZeroU8};

    use serde::Deserialize;

    use super::*;

    fn fits<T: DeserializeOwned>(pattern: &str) -> Result<(), CaptureError> {
        check::<T>(&pattern.parse().unwrap())
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct RoomId(u64);

    #[derive(Deserialize)]
    enum Kind {
        Quiet,
        Loud,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct Seat {
        room: RoomId,
        #[serde(alias = "chair")]
        seat: u8,
        kind: Option<Kind>,
        #[serde(default)]
        row: u8,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct Strict {
        room: u64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Picky;

    impl TryFrom<String> for Picky {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            if text == "the one" { Ok(Self) } else { Err(format!("{text} is not the one")) }
        }
    }

    #[test]
    fn what_can_be_filled_is_let_through() {
        fits::<u32>("/r/{a}").unwrap();
        fits::<RoomId>("/r/{a}").unwrap();
        fits::<Kind>("/r/{a}").unwrap();
        fits::<Option<char>>("/r/{a}").unwrap();
        fits::<(RoomId, String, bool)>("/r/{a}/{b}/{c}").unwrap();
        fits::<Vec<u32>>("/r/{a}/{b}/{c}").unwrap();
        fits::<BTreeMap<String, u32>>("/r/{a}/{b}").unwrap();
        fits::<()>("/r/{a}").unwrap();
        fits::<Strict>("/r/{room}").unwrap();
        // The alias, the optional field, the default, and a placeholder that nobody takes.
        fits::<Seat>("/r/{room}/{seat}").unwrap();
        fits::<Seat>("/r/{room}/{chair}/{other}").unwrap();
    }

    #[test]
    fn a_type_that_is_choosy_about_values_is_left_to_the_first_message() {
        fits::<NonZeroU8>("/r/{a}").unwrap();
        fits::<Picky>("/r/{a}").unwrap();
        fits::<(Picky, NonZeroU8)>("/r/{a}/{b}").unwrap();
    }

    #[test]
    fn another_number_of_segments_is_found() {
        assert_eq!(fits::<u32>("/r"), Err(CaptureError::Count { taken: 1, captured: 0 }));
        assert_eq!(fits::<RoomId>("/r/{a}/{b}"), Err(CaptureError::Count { taken: 1, captured: 2 }));
        assert_eq!(fits::<(u8, u8)>("/r/{a}"), Err(CaptureError::Count { taken: 2, captured: 1 }));
        assert_eq!(fits::<Kind>("/r"), Err(CaptureError::Count { taken: 1, captured: 0 }));
        assert_eq!(fits::<Picky>("/r/:a"), Err(CaptureError::Count { taken: 1, captured: 0 }));
    }

    #[test]
    fn a_name_that_is_not_captured_is_found() {
        assert_eq!(fits::<Seat>("/r/{room}/{place}"), Err(CaptureError::Missing { field: "seat" }));
        assert_eq!(fits::<Strict>("/r/{room}/{x}"), Err(CaptureError::Unknown { placeholder: "x".to_owned() }));
    }

    #[test]
    fn a_type_that_no_segment_can_become_is_found() {
        for misfit in
            [fits::<(u8, Vec<u8>)>("/r/{a}/{b}"), fits::<(u8, Strict)>("/r/{a}/{b}"), fits::<Vec<()>>("/r/{a}")]
        {
            assert!(matches!(misfit, Err(CaptureError::Segment { .. })), "{misfit:?}");
        }
    }
}
