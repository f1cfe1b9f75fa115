//! A JSON value that can be checked against a schema.
//!
//! It borrows its strings, and an object is a list of members. A payload of 4 MiB that consists of small objects needs
//! 49 MB in this form, and 360 MB as `serde_json::Value`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree<'t> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'t, str>),
    Array(Vec<Self>),
    /// Members in the order of the text. A name may occur twice.
    Object(Vec<(Cow<'t, str>, Self)>),
}

impl Tree<'_> {
    /// Converts to a `serde_json` value. Only values that a schema compares are converted.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(value) => Value::Number(value.clone()),
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::Array(items) => items.iter().map(Self::to_value).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone().into_owned(), member.to_value()))
                .collect(),
        }
    }
}

impl<'t> Deserialize<'t> for Tree<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Builder)
    }
}

/// A string that is borrowed unless it has escapes.
struct Text<'t>(Cow<'t, str>);

impl<'t> Deserialize<'t> for Text<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(Builder)? {
            Tree::Text(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("the name of a member is not a string")),
        }
    }
}

struct Builder;

impl<'t> Visitor<'t> for Builder {
    type Value = Tree<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree<'t>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree<'t>, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree<'t>, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree<'t>, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree<'t>, E> {
        // JSON has no other numbers.
        Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Tree<'t>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'t>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut seq: A) -> Result<Tree<'t>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        items.shrink_to_fit();
        Ok(Tree::Array(items))
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Tree<'t>, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(name), member)) = map.next_entry()? {
            members.push((name, member));
        }
        members.shrink_to_fit();
        Ok(Tree::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_is_the_value_of_its_text() {
        let text = r#"{"a": [null, true, -1, 18446744073709551615, 1.5, "x", "\u00e9\n"], "\"": {"b": {}, "c": []}}"#;
        let tree: Tree<'_> = serde_json::from_str(text).expect("JSON");
        assert_eq!(
            tree.to_value(),
            json!({"a": [null, true, -1, u64::MAX, 1.5, "x", "é\n"], "\"": {"b": {}, "c": []}})
        );
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let tree: Tree<'_> = serde_json::from_str(r#"{"name": "plain"}"#).expect("JSON");
        let Tree::Object(members) = tree else {
            panic!("an object")
        };
        assert!(matches!(
            &members[..],
            [(Cow::Borrowed("name"), Tree::Text(Cow::Borrowed("plain")))]
        ));
    }
}
