//! Values near those that a schema allows, and their notations.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// Values that a schema allows, and similar ones.
pub(crate) fn near(root: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    if depth == 0 {
        return anything().boxed();
    }
    prop_oneof![1 => anything(), 15 => meant(root, schema, depth)].boxed()
}

fn meant(root: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    if let Some(target) = schema["$ref"].as_str() {
        return near(
            root,
            &root[target
                .trim_start_matches('#')
                .split('/')
                .nth(1)
                .unwrap_or_default()][name(target)],
            depth,
        );
    }
    if let Some(value) = schema.get("const") {
        return Just(value.clone()).boxed();
    }
    if let Some(values) = schema["enum"].as_array() {
        return select(values.clone()).boxed();
    }
    let one_of = |schemas: &[Value]| {
        let each: Vec<_> = schemas
            .iter()
            .map(|schema| near(root, schema, depth))
            .collect();
        proptest::strategy::Union::new(each).boxed()
    };
    for keyword in ["anyOf", "oneOf"] {
        if let Some(schemas) = schema[keyword]
            .as_array()
            .filter(|_| schema.get("properties").is_none())
        {
            return one_of(schemas);
        }
    }
    let kinds: Vec<_> = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return anything().boxed(),
    };
    let each: Vec<_> = kinds
        .into_iter()
        .map(|kind| of_type(root, schema, kind, depth))
        .collect();
    proptest::strategy::Union::new(each).boxed()
}

fn name(target: &str) -> &str {
    target.rsplit('/').next().unwrap_or_default()
}

fn of_type(root: &Value, schema: &Value, kind: &str, depth: u32) -> BoxedStrategy<Value> {
    match kind {
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" | "number" => number(schema),
        "string" => select(strings()).boxed(),
        "array" => array(root, schema, depth),
        "object" => object(root, schema, depth),
        _ => Just(Value::Null).boxed(),
    }
}

/// Texts of every length and kind, except numbers and booleans, which a query string can't distinguish from texts.
fn strings() -> Vec<Value> {
    let long = "x".repeat(65);
    [
        "",
        "a",
        "é",
        "日本語",
        "ab",
        "post",
        "by-hand",
        "jpeg",
        "terminal",
        "Not A Code",
        "/x",
        "//x",
        "https://a",
        &long,
    ]
    .map(Value::from)
    .into()
}

/// Numbers around the bounds of a schema, whole and not.
fn number(schema: &Value) -> BoxedStrategy<Value> {
    let mut numbers = vec![
        json!(0),
        json!(1),
        json!(10),
        json!(405),
        json!(-1),
        json!(1.5),
        json!(-2.25),
        json!(1e300),
    ];
    for keyword in ["minimum", "maximum"] {
        let bound = &schema[keyword];
        numbers.extend((!bound.is_null()).then(|| bound.clone()));
        if let Some(bound) = bound.as_i64() {
            numbers.extend([
                json!(bound.saturating_sub(1)),
                json!(bound.saturating_add(1)),
                json!(bound.saturating_add(10)),
            ]);
        }
    }
    numbers.extend([
        json!(u64::MAX),
        json!(i64::MIN),
        json!(2e20),
        json!(u64::from(u32::MAX) + 1),
        json!(1e39),
    ]);
    prop_oneof![2 => (0_i64..500).prop_map(Value::from), 3 => select(numbers)].boxed()
}

fn array(root: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    if let Some(first) = schema["prefixItems"].as_array() {
        let mut items: Vec<_> = first
            .iter()
            .map(|schema| near(root, schema, depth - 1))
            .collect();
        let whole = items.clone().prop_map(Value::Array);
        items.push(anything().boxed());
        return prop_oneof![9 => whole, 1 => items.prop_map(Value::Array)].boxed();
    }
    let item = near(root, &schema["items"], depth - 1);
    proptest::collection::vec(item, 0..4)
        .prop_map(Value::Array)
        .boxed()
}

fn object(root: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    let required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|it| it == name))
    };
    let mut members: BoxedStrategy<Map<String, Value>> = Just(Map::new()).boxed();
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let there = if required(name) { 0.97 } else { 0.25 };
        let member = proptest::option::weighted(there, near(root, schema, depth - 1));
        let name = name.clone();
        members = (members, member)
            .prop_map(move |(mut members, member)| {
                members.extend(member.map(|member| (name.clone(), member)));
                members
            })
            .boxed();
    }
    let more = match &schema["additionalProperties"] {
        more @ Value::Object(_) => proptest::option::weighted(0.5, near(root, more, depth - 1)),
        _ => proptest::option::weighted(0.05, anything().boxed()),
    };
    (members, more)
        .prop_map(|(mut members, more)| {
            members.extend(more.map(|more| ("more".to_owned(), more)));
            Value::Object(members)
        })
        .boxed()
}

/// Values that no schema allows.
fn anything() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-7),
        json!(0.5),
        json!(1e25),
        json!("other"),
        json!(""),
        json!([]),
        json!([1, 1]),
        json!({}),
        json!({ "a": null }),
        json!({ "post": null }),
        json!([["deep"]]),
    ])
}

/// A value as JSON, with whole numbers in one of their notations.
pub(crate) fn text(value: &Value, style: u64) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .zip(1..)
                .map(|(item, n)| text(item, style.rotate_right(n)))
                .collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .zip(1..)
                .map(|((name, member), n)| {
                    format!(
                        "{}: {}",
                        Value::from(name.as_str()),
                        text(member, style.rotate_right(n))
                    )
                })
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Number(number) => match (number.as_i64(), style % 4) {
            (Some(0), 1) => "-0".to_owned(),
            (Some(0), 2) => "0.0e-7".to_owned(),
            (Some(whole), 1) => format!("{whole}.0"),
            (Some(whole), 2) => format!("{whole}0e-1"),
            (Some(whole), 3) if whole % 10 == 0 => format!("{}.00E+1", whole / 10),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
