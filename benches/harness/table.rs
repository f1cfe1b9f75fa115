//! The part of DynamoDB that the functions use: items by key, and update expressions. Conditions are always true.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

pub(crate) type Item = Map<String, Value>;

/// Items by `pk`.
#[derive(Default)]
pub(crate) struct Table(HashMap<String, Item>);

/// Capacity units of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) write: usize,
    pub(crate) read: usize,
}

impl Table {
    pub(crate) fn put(&mut self, call: &Value) -> (Value, Units) {
        let item = call["Item"].as_object().expect("an item").clone();
        let units = Units {
            write: size(&item).div_ceil(1024),
            read: 0,
        };
        self.0.insert(key(&call["Item"]), item);
        (json!({}), units)
    }

    pub(crate) fn get(&self, call: &Value) -> (Value, Units) {
        let item = self.0.get(&key(&call["Key"]));
        let units = Units {
            write: 0,
            read: item.map_or(1, |item| size(item).div_ceil(4096)),
        };
        (
            item.map_or_else(|| json!({}), |item| json!({"Item": item})),
            units,
        )
    }

    pub(crate) fn update(&mut self, call: &Value) -> (Value, Units) {
        let key = key(&call["Key"]);
        let item = self
            .0
            .entry(key)
            .or_insert_with(|| call["Key"].as_object().expect("a key").clone());
        let before = size(item);
        let words = Words {
            names: &call["ExpressionAttributeNames"],
            values: &call["ExpressionAttributeValues"],
        };
        words.apply(
            item,
            call["UpdateExpression"].as_str().expect("an expression"),
        );
        let units = Units {
            write: before.max(size(item)).div_ceil(1024),
            read: 0,
        };
        let all_new = call["ReturnValues"] == "ALL_NEW";
        (
            if all_new {
                json!({"Attributes": item})
            } else {
                json!({})
            },
            units,
        )
    }
}

struct Words<'a> {
    names: &'a Value,
    values: &'a Value,
}

impl Words<'_> {
    fn apply(&self, item: &mut Item, expression: &str) {
        let (set, remove) = expression
            .split_once(" REMOVE ")
            .unwrap_or((expression, ""));
        let assignments = split(set.strip_prefix("SET ").expect("it sets something"));
        let (old, names) = (
            item.clone(),
            remove.split(", ").filter(|name| !name.is_empty()),
        );
        for assignment in assignments {
            let (name, value) = assignment.split_once(" = ").expect("an assignment");
            item.insert(self.name(name).to_owned(), self.value(&old, value));
        }
        for name in names {
            item.remove(self.name(name));
        }
    }

    fn name<'a>(&'a self, word: &'a str) -> &'a str {
        if word.starts_with('#') {
            self.names[word].as_str().expect("a name")
        } else {
            word
        }
    }

    fn value(&self, item: &Item, text: &str) -> Value {
        let arguments = |name: &str| {
            let inside = text
                .strip_prefix(name)?
                .strip_prefix('(')?
                .strip_suffix(')')?;
            let [one, other] = split(inside)[..] else {
                panic!("two arguments: {text}")
            };
            Some((self.value(item, one), self.value(item, other)))
        };
        if let Some((one, other)) = text.split_once(" + ") {
            let number = |text| {
                self.value(item, text)["N"]
                    .as_str()
                    .and_then(|n| n.parse::<i64>().ok())
                    .unwrap_or(0)
            };
            return json!({"N": (number(one) + number(other)).to_string()});
        }
        if let Some((known, other)) = arguments("if_not_exists") {
            return if known.is_null() { other } else { known };
        }
        if let Some((list, more)) = arguments("list_append") {
            let all = [list, more]
                .map(|list| list["L"].as_array().cloned().unwrap_or_default())
                .concat();
            return json!({"L": all});
        }
        if text.starts_with(':') {
            return self.values[text].clone();
        }
        item.get(self.name(text)).cloned().unwrap_or(Value::Null)
    }
}

/// Splits at commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (vec![], 0, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn key(of: &Value) -> String {
    of["pk"]["S"].as_str().expect("a key").to_owned()
}

/// Returns the approximate size of an item in DynamoDB: names and texts by their bytes, numbers by half of their digits
/// plus one.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn size(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + size_of_value(value))
        .sum()
}

fn size_of_value(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else {
        return 0;
    };
    let text = value.as_str().map_or(0, str::len);
    match kind.as_str() {
        "N" => text.div_ceil(2) + 1,
        "B" => text / 4 * 3,
        "L" => {
            3 + value
                .as_array()
                .map_or(0, |all| all.iter().map(|one| 1 + size_of_value(one)).sum())
        }
        "BOOL" | "NULL" => 1,
        _ => text,
    }
}
