//! JSON Schema of a payload type, and checks of the rules that deserialization does not enforce.
//!
//! The schema is exact: payloads that it allows are accepted, and all others are rejected. Serde checks types, names
//! and lengths of tuples, but accepts an array for an object and ignores ranges. So payloads are also checked against
//! the schema. Two keywords are left to [`Command::validate`](crate::Command::validate): `pattern` and `format`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use cloakroom_core::problem::{FieldError, reference_token};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Number, Value};

use super::json;
use super::tree::Tree;

/// Returns the JSON Schema of a payload, with the bounds of its number types.
pub(crate) fn of<P: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(bounded));
    settings
        .into_generator()
        .into_root_schema_for::<P>()
        .to_value()
}

/// Adds the bounds of a number type. For some types, schemars only sets `format`, which allows any value.
fn bounded(schema: &mut Schema) {
    let format = schema
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (minimum, maximum): (Value, Value) = match format {
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" | "int" => (i64::MIN.into(), i64::MAX.into()),
        // JSON parsers support at most 64 bits.
        "int128" => (i64::MIN.into(), u64::MAX.into()),
        "uint32" => (0.into(), u32::MAX.into()),
        "uint64" | "uint" | "uint128" => (0.into(), u64::MAX.into()),
        "float" => (f32::MIN.into(), f32::MAX.into()),
        "double" => (f64::MIN.into(), f64::MAX.into()),
        _ => return,
    };
    let members = schema.ensure_object();
    for (keyword, exclusive, bound) in [
        ("minimum", "exclusiveMinimum", minimum),
        ("maximum", "exclusiveMaximum", maximum),
    ] {
        if !members.contains_key(exclusive) {
            members.entry(keyword).or_insert(bound);
        }
    }
}

/// Returns the violations of a schema. Whole numbers must be written as integers in `value`.
pub(super) fn violations(root: &Value, value: &Tree<'_>) -> Vec<FieldError> {
    let mut check = Check {
        root,
        errors: Vec::new(),
    };
    check.value(root, value, &mut String::new());
    check.errors
}

/// Converts a query parameter to the JSON value that it represents.
pub(super) fn parameter(root: &Value, name: &str, text: &str) -> Tree<'static> {
    let said = Tree::Text(text.to_owned().into());
    let check = Check {
        root,
        errors: Vec::new(),
    };
    if check.allows(&root["properties"][name], &said) {
        return said;
    }
    let number = json::whole(text).unwrap_or_else(|| text.to_owned());
    match serde_json::from_str(&number) {
        Ok(Value::Number(number)) => Tree::Number(number),
        Ok(Value::Bool(value)) => Tree::Bool(value),
        Ok(Value::Null) => Tree::Null,
        _ => said,
    }
}

struct Check<'s> {
    root: &'s Value,
    errors: Vec<FieldError>,
}

impl Check<'_> {
    fn wrong(&mut self, pointer: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, detail));
    }

    /// Returns true if a schema allows a value. Reports no errors.
    fn allows(&self, schema: &Value, value: &Tree<'_>) -> bool {
        let mut check = Check {
            root: self.root,
            errors: Vec::new(),
        };
        check.value(schema, value, &mut String::new());
        check.errors.is_empty()
    }

    fn value(&mut self, schema: &Value, value: &Tree<'_>, pointer: &mut String) {
        let rules = match schema {
            Value::Bool(false) => return self.wrong(pointer, "is unknown; remove it"),
            Value::Object(rules) => rules,
            _ => return,
        };
        for (keyword, rule) in rules {
            match keyword.as_str() {
                "$ref" => {
                    let target = rule
                        .as_str()
                        .and_then(|target| self.root.pointer(target.trim_start_matches('#')));
                    if let Some(target) = target {
                        self.value(target, value, pointer);
                    }
                }
                "type" if !has_type(rule, value) => {
                    self.wrong(pointer, format!("must be {}", types(rule)));
                }
                "enum"
                    if !rule
                        .as_array()
                        .is_some_and(|all| all.iter().any(|one| equal(one, value))) =>
                {
                    self.wrong(pointer, format!("must be one of {rule}"));
                }
                "const" if !equal(rule, value) => self.wrong(pointer, format!("must be {rule}")),
                _ => self.combined(keyword, rule, value, pointer),
            }
        }
        match value {
            Tree::Number(number) => self.number(rules, number, pointer),
            Tree::Text(text) => {
                self.size(
                    rules,
                    "minLength",
                    "maxLength",
                    || text.chars().count(),
                    "characters",
                    pointer,
                );
            }
            Tree::Array(items) => self.array(rules, items, pointer),
            Tree::Object(members) => self.object(rules, members, pointer),
            Tree::Null | Tree::Bool(_) => {}
        }
    }

    fn combined(&mut self, keyword: &str, rule: &Value, value: &Tree<'_>, pointer: &mut String) {
        let schemas = rule.as_array().map(Vec::as_slice).unwrap_or_default();
        let fits = |check: &Self| {
            schemas
                .iter()
                .filter(|schema| check.allows(schema, value))
                .count()
        };
        match keyword {
            "allOf" => schemas
                .iter()
                .for_each(|schema| self.value(schema, value, pointer)),
            "anyOf" if fits(self) == 0 => {
                self.wrong(pointer, "must match one of the allowed forms");
            }
            "oneOf" if fits(self) != 1 => {
                self.wrong(pointer, "must match exactly one of the allowed forms");
            }
            "not" if self.allows(rule, value) => self.wrong(pointer, "must not have this form"),
            _ => {}
        }
    }

    fn number(&mut self, rules: &Rules, number: &Number, pointer: &str) {
        for (keyword, rule) in rules {
            let Value::Number(bound) = rule else { continue };
            let order = compare(number, bound);
            match keyword.as_str() {
                "minimum" if order.is_lt() => {
                    self.wrong(pointer, format!("must be at least {bound}"));
                }
                "maximum" if order.is_gt() => {
                    self.wrong(pointer, format!("must be at most {bound}"));
                }
                "exclusiveMinimum" if order.is_le() => {
                    self.wrong(pointer, format!("must be more than {bound}"));
                }
                "exclusiveMaximum" if order.is_ge() => {
                    self.wrong(pointer, format!("must be less than {bound}"));
                }
                "multipleOf" if !is_multiple(number, bound) => {
                    self.wrong(pointer, format!("must be a multiple of {bound}"));
                }
                _ => {}
            }
        }
    }

    fn array(&mut self, rules: &Rules, items: &[Tree<'_>], pointer: &mut String) {
        self.size(
            rules,
            "minItems",
            "maxItems",
            || items.len(),
            "items",
            pointer,
        );
        if rules.get("uniqueItems") == Some(&Value::Bool(true)) {
            let different: BTreeSet<_> = items
                .iter()
                .map(|item| item.to_value().to_string())
                .collect();
            if different.len() < items.len() {
                self.wrong(pointer, "must not have the same item twice");
            }
        }
        let first = rules
            .get("prefixItems")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(index).or_else(|| rules.get("items")) {
                self.below(schema, item, pointer, &index.to_string());
            }
        }
    }

    fn object(&mut self, rules: &Rules, members: &[Member<'_>], pointer: &mut String) {
        self.size(
            rules,
            "minProperties",
            "maxProperties",
            || members.len(),
            "members",
            pointer,
        );
        for name in rules
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !members.iter().any(|(member, _)| member == name) {
                self.wrong(pointer, format!("missing field `{name}`"));
            }
        }
        // The type itself checks names that match a pattern.
        let others = rules
            .get("additionalProperties")
            .filter(|_| !rules.contains_key("patternProperties"));
        for (name, member) in members {
            let known = rules
                .get("properties")
                .and_then(|properties| properties.get(&**name));
            if let Some(schema) = known.or(others) {
                self.below(schema, member, pointer, name);
            }
        }
    }

    fn below(&mut self, schema: &Value, value: &Tree<'_>, pointer: &mut String, name: &str) {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&reference_token(name));
        self.value(schema, value, pointer);
        pointer.truncate(length);
    }

    fn size(
        &mut self,
        rules: &Rules,
        least: &str,
        most: &str,
        size: impl Fn() -> usize,
        unit: &str,
        pointer: &str,
    ) {
        let bound = |keyword| {
            rules
                .get(keyword)
                .and_then(Value::as_u64)
                .map(|bound| (bound, size() as u64))
        };
        if let Some((bound, _)) = bound(least).filter(|(bound, size)| size < bound) {
            self.wrong(pointer, format!("must have at least {bound} {unit}"));
        }
        if let Some((bound, _)) = bound(most).filter(|(bound, size)| size > bound) {
            self.wrong(pointer, format!("must have at most {bound} {unit}"));
        }
    }
}

type Rules = serde_json::Map<String, Value>;

type Member<'t> = (Cow<'t, str>, Tree<'t>);

fn has_type(rule: &Value, value: &Tree<'_>) -> bool {
    let is = |name: &str| match (name, value) {
        ("null", Tree::Null)
        | ("boolean", Tree::Bool(_))
        | ("string", Tree::Text(_))
        | ("array", Tree::Array(_))
        | ("object", Tree::Object(_))
        | ("number", Tree::Number(_)) => true,
        ("integer", Tree::Number(number)) => {
            number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    };
    match rule {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

/// Describes a type for users.
fn types(rule: &Value) -> String {
    let word = |name: &str| match name {
        "array" => "an array",
        "object" => "an object",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a string",
        "boolean" => "true or false",
        _ => "null",
    };
    match rule {
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .map(word)
            .collect::<Vec<_>>()
            .join(" or "),
        name => word(name.as_str().unwrap_or_default()).to_owned(),
    }
}

/// Returns true if a value equals the one in a rule. Numbers are compared by value.
fn equal(rule: &Value, value: &Tree<'_>) -> bool {
    match (rule, value) {
        (Value::Number(one), Tree::Number(other)) => compare(one, other).is_eq(),
        (Value::String(one), Tree::Text(other)) => one == other,
        (Value::Array(one), Tree::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Tree::Object(other)) => {
            let same =
                |(name, other): &Member<'_>| one.get(&**name).is_some_and(|one| equal(one, other));
            one.len() == other.len() && other.iter().all(same)
        }
        (Value::Bool(one), Tree::Bool(other)) => one == other,
        (Value::Null, Tree::Null) => true,
        _ => false,
    }
}

fn compare(one: &Number, other: &Number) -> std::cmp::Ordering {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => one
            .as_f64()
            .partial_cmp(&other.as_f64())
            .unwrap_or(std::cmp::Ordering::Equal),
    }
}

/// Returns true if a number is a multiple of another one. Calculates with decimals where the digits allow it: in binary,
/// 19.99 is not a multiple of 0.01.
fn is_multiple(number: &Number, of: &Number) -> bool {
    let exact = || {
        let ((number, exponent), (of, exponent_of)) = (decimal(number)?, decimal(of)?);
        let least = exponent.min(exponent_of);
        let scaled = |digits: i128, exponent: i32| {
            digits.checked_mul(10_i128.checked_pow(exponent.abs_diff(least))?)
        };
        scaled(number, exponent)?.checked_rem(scaled(of, exponent_of)?)
    };
    match exact() {
        Some(rest) => rest == 0,
        None => (number.as_f64().unwrap_or_default() / of.as_f64().unwrap_or(1.0)).fract() == 0.0,
    }
}

/// Returns a number as digits and a power of ten.
fn decimal(number: &Number) -> Option<(i128, i32)> {
    let text = number.to_string();
    let (integer, fraction, exponent) = json::split(&text);
    let digits = format!("{integer}{fraction}").parse().ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()?;
    Some((digits, exponent.checked_sub(places)?))
}

#[cfg(test)]
mod tests;
