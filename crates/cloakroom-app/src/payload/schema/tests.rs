//! Each keyword that deserialization does not enforce. `functions/tests/schema` compares with another
//! validator.

use serde_json::json;

use super::*;

fn tree(value: &Value) -> Tree<'static> {
    match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(*value),
        Value::Number(value) => Tree::Number(value.clone()),
        Value::String(text) => Tree::Text(text.clone().into()),
        Value::Array(items) => Tree::Array(items.iter().map(tree).collect()),
        Value::Object(members) => Tree::Object(
            members
                .iter()
                .map(|(name, member)| (name.clone().into(), tree(member)))
                .collect(),
        ),
    }
}

fn pointers(schema: &Value, value: &Value) -> Vec<String> {
    violations(schema, &tree(value))
        .into_iter()
        .map(|error| error.pointer)
        .collect()
}

#[test]
fn the_bounds_of_number_types_are_in_the_schema() {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "its schema is looked at")]
    struct Numbers {
        a: u32,
        b: Vec<i64>,
        c: Option<f32>,
        #[schemars(range(max = 5))]
        d: u64,
        e: u8,
        #[schemars(extend("exclusiveMaximum" = 7))]
        f: i32,
        g: u64,
        h: usize,
        i: u128,
        k: isize,
        l: i128,
        m: f64,
        n: i32,
    }
    let schema = of::<Numbers>();
    let properties = &schema["properties"];
    let items = &properties["b"]["items"];
    assert_eq!(
        (&items["minimum"], &items["maximum"]),
        (&json!(i64::MIN), &json!(i64::MAX))
    );
    assert_eq!(
        (&properties["f"]["minimum"], properties["f"].get("maximum")),
        (&json!(i32::MIN), None)
    );
    for (name, minimum, maximum) in [
        ("a", json!(0), json!(u32::MAX)),
        ("c", json!(f32::MIN), json!(f32::MAX)),
        ("d", json!(0), json!(5)),
        ("e", json!(0), json!(255)),
        ("g", json!(0), json!(u64::MAX)),
        ("h", json!(0), json!(u64::MAX)),
        ("i", json!(0), json!(u64::MAX)),
        ("k", json!(i64::MIN), json!(i64::MAX)),
        ("l", json!(i64::MIN), json!(u64::MAX)),
        ("m", json!(f64::MIN), json!(f64::MAX)),
        ("n", json!(i32::MIN), json!(i32::MAX)),
    ] {
        let bounds = (&properties[name]["minimum"], &properties[name]["maximum"]);
        assert_eq!(bounds, (&minimum, &maximum), "{name}");
    }
}

/// Checks that a schema allows the good values, and none of the bad ones.
fn is_kept(schema: &Value, good: &Value, bad: &Value) {
    for value in good.as_array().expect("values") {
        assert_eq!(
            pointers(schema, value),
            Vec::<String>::new(),
            "{schema} allows {value}"
        );
    }
    for value in bad.as_array().expect("values") {
        assert!(
            !pointers(schema, value).is_empty(),
            "{schema} does not allow {value}"
        );
    }
}

#[test]
fn each_rule_of_types_and_numbers_is_kept() {
    for (schema, good, bad) in [
        (
            json!({ "type": "integer" }),
            json!([1, 1.0, -3]),
            json!([1.5, "1", null]),
        ),
        (
            json!({ "type": ["string", "null"] }),
            json!(["", null]),
            json!([1, []]),
        ),
        (
            json!({ "minimum": 2, "maximum": 3.5 }),
            json!([2, 2.0, 3.5, "x"]),
            json!([1, 1.9, 4]),
        ),
        (
            json!({ "exclusiveMinimum": 2, "exclusiveMaximum": 3 }),
            json!([2.5]),
            json!([2, 3, 2.0]),
        ),
        (
            json!({ "maximum": u64::MAX }),
            json!([u64::MAX]),
            json!([1e20]),
        ),
        (
            // A double can't tell these numbers apart.
            json!({ "maximum": 9_007_199_254_740_992_u64 }),
            json!([9_007_199_254_740_992_u64]),
            json!([9_007_199_254_740_993_u64]),
        ),
        (
            json!({ "multipleOf": 5 }),
            json!([0, 10, -5]),
            json!([1, 5.5, 1e-300]),
        ),
        (
            json!({ "multipleOf": 0.01 }),
            json!([19.99, 0.3, -0.07, 1, 1e25, 1e300]),
            json!([0.005, 19.999]),
        ),
        (
            json!({ "multipleOf": 2.5 }),
            json!([0, 5, 7.5]),
            json!([1, 6, 2.4]),
        ),
        (
            json!({ "multipleOf": 1e300 }),
            json!([0, 2e300]),
            json!([5]),
        ),
    ] {
        is_kept(&schema, &good, &bad);
    }
}

#[test]
fn each_rule_of_texts_and_arrays_is_kept() {
    for (schema, good, bad) in [
        (
            json!({ "minLength": 1, "maxLength": 2 }),
            json!(["é", "日本"]),
            json!(["", "日本語"]),
        ),
        (
            json!({ "minItems": 1, "maxItems": 2 }),
            json!([[1], [1, 2]]),
            json!([[], [1, 2, 3]]),
        ),
        (
            json!({ "uniqueItems": true }),
            json!([[], [1, "1"]]),
            json!([[1, 1], [1, 2, 1], [{ "a": 1 }, { "a": 1 }]]),
        ),
        (
            json!({ "prefixItems": [true, { "type": "string" }], "items": false }),
            json!([[1, "a"]]),
            json!([[1, 2], [1, "a", 3]]),
        ),
        (
            json!({
                "$defs": { "name": { "type": "string" } },
                "items": { "$ref": "#/$defs/name", "minLength": 2 },
            }),
            json!([[], ["ab"]]),
            json!([["a"], [7]]),
        ),
        (
            json!({ "items": { "type": "string" } }),
            json!([[], ["a"]]),
            json!([["a", 1]]),
        ),
        (
            json!({ "enum": [1, "a"] }),
            json!([1, 1.0, "a"]),
            json!([2, "b"]),
        ),
        (
            json!({ "enum": [true, [1.5, "a"], { "a": [null] }] }),
            json!([true, [1.5, "a"], { "a": [null] }]),
            json!([false, [1.5], [1.5, "b"], [], { "a": [0] }, { "b": [null] }, {}]),
        ),
        (json!({ "const": null }), json!([null]), json!([0])),
    ] {
        is_kept(&schema, &good, &bad);
    }
}

#[test]
fn each_rule_of_objects_is_kept() {
    for (schema, good, bad) in [
        (
            json!({ "required": ["a"] }),
            json!([{ "a": null }, 1]),
            json!([{}]),
        ),
        (
            json!({ "minProperties": 1, "maxProperties": 1 }),
            json!([{ "a": 1 }]),
            json!([{}, { "a": 1, "b": 1 }]),
        ),
        (
            json!({ "properties": { "a": { "type": "string" } }, "additionalProperties": false }),
            json!([{}, { "a": "" }]),
            json!([{ "a": 1 }, { "b": "" }]),
        ),
        (
            json!({ "additionalProperties": { "type": "integer" } }),
            json!([{ "x": 1 }]),
            json!([{ "x": "1" }]),
        ),
        (
            // The type itself checks the names and the members that match a pattern.
            json!({ "patternProperties": { "^[0-9]+$": {} }, "additionalProperties": false, "maxProperties": 1 }),
            json!([{ "7": 1 }]),
            json!([{ "7": 1, "8": 1 }]),
        ),
    ] {
        is_kept(&schema, &good, &bad);
    }
}

#[test]
fn each_combination_of_schemas_is_kept() {
    for (schema, good, bad) in [
        (
            json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }),
            json!([1, 2]),
            json!([0, 3]),
        ),
        (
            json!({ "anyOf": [{ "const": 1 }, { "type": "null" }] }),
            json!([1, null]),
            json!([2]),
        ),
        (
            json!({ "oneOf": [{ "minimum": 1 }, { "maximum": 2 }] }),
            json!([0, 3]),
            json!([1, 2]),
        ),
        (
            json!({ "not": { "enum": [401] } }),
            json!([400]),
            json!([401]),
        ),
        (
            json!({ "$ref": "#/$defs/A", "$defs": { "A": { "type": "string" } } }),
            json!(["a"]),
            json!([1]),
        ),
    ] {
        is_kept(&schema, &good, &bad);
    }
}

#[test]
fn what_is_wrong_is_told_by_its_pointer() {
    let schema = json!({ "properties": { "a/b": { "items": { "maximum": 1 } } } });
    assert_eq!(
        pointers(&schema, &json!({ "a/b": [0, 2, 3] })),
        ["/a~1b/1", "/a~1b/2"]
    );
}

#[test]
fn a_wrong_type_is_told_in_words() {
    for (kind, words) in [
        (json!("array"), "an array"),
        (json!("object"), "an object"),
        (json!("integer"), "a whole number"),
        (json!("string"), "a string"),
        (json!(["number", "null"]), "a number or null"),
    ] {
        let found = violations(&json!({ "type": kind }), &tree(&json!(true)));
        let said: Vec<_> = found.into_iter().map(|error| error.detail).collect();
        assert_eq!(said, [format!("must be {words}")]);
    }
    let found = violations(&json!({ "type": "boolean" }), &tree(&json!(1)));
    assert_eq!(found[0].detail, "must be true or false");
}

#[test]
fn a_parameter_is_the_value_that_its_schema_allows() {
    let schema = json!({ "properties": {
        "n": { "type": "integer" },
        "s": { "type": "string" },
        "b": { "type": "boolean" },
        "o": { "type": ["integer", "null"] },
    } });
    for (name, text, value) in [
        ("n", "2e2", json!(200)),
        ("n", "x", json!("x")),
        ("s", "1.0", json!("1.0")),
        ("b", "true", json!(true)),
        ("o", "null", json!(null)),
        ("o", "7", json!(7)),
        ("unknown", "1", json!("1")),
    ] {
        assert_eq!(
            parameter(&schema, name, text).to_value(),
            value,
            "{name}={text}"
        );
    }
}
