//! Deserializes the parameters of a query string. Numbers and booleans are written as in JSON.

use std::borrow::Cow;
use std::num::IntErrorKind;

use serde::de::value::{CowStrDeserializer, Error, MapDeserializer};
use serde::de::{self, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::json;

/// Returns a deserializer of a query string's parameters, after percent-decoding.
pub(super) fn parameters(
    query: &str,
) -> MapDeserializer<'_, impl Iterator<Item = (Cow<'_, str>, Value<'_>)>, Error> {
    MapDeserializer::new(
        form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name, Value(value))),
    )
}

/// Value of a parameter.
pub(super) struct Value<'de>(Cow<'de, str>);

impl<'de> IntoDeserializer<'de, Error> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Value<'_> {
    fn number(&self, kind: &str) -> Result<&str, Error> {
        match &*self.0 {
            "" => Err(Error::custom(format_args!("must be {kind}, and is empty"))),
            text if json::is_number(text) => Ok(text),
            _ => Err(Error::custom(format_args!("must be {kind}"))),
        }
    }
}

macro_rules! integers {
    ($($name:ident $visit:ident,)*) => { $(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let text = self.number("a whole number")?;
            let number = json::whole(text).unwrap_or_else(|| text.to_owned()).parse();
            visitor.$visit(number.map_err(|error: std::num::ParseIntError| match error.kind() {
                IntErrorKind::PosOverflow => Error::custom("must be a smaller number"),
                IntErrorKind::NegOverflow => Error::custom("must be a larger number"),
                _ => Error::custom("must be a whole number"),
            })?)
        }
    )* };
}

impl<'de> de::Deserializer<'de> for Value<'de> {
    type Error = Error;

    integers! {
        deserialize_i8 visit_i8,
        deserialize_i16 visit_i16,
        deserialize_i32 visit_i32,
        deserialize_i64 visit_i64,
        deserialize_i128 visit_i128,
        deserialize_u8 visit_u8,
        deserialize_u16 visit_u16,
        deserialize_u32 visit_u32,
        deserialize_u64 visit_u64,
        deserialize_u128 visit_u128,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        CowStrDeserializer::new(self.0).deserialize_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &*self.0 {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(Error::custom("must be true or false")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = self.number("a number")?.parse();
        visitor.visit_f64(number.map_err(|_| Error::custom("must be a number"))?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        CowStrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
