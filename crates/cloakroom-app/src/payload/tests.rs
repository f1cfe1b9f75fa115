//! Each kind of invalid payload gets its own error.

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::plain;
use super::*;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    amount: u32,
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "a/b")]
    part: String,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Numbers(Vec<u32>);

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Circle {
        radius: u32,
    },
    #[serde(rename = "line/s~")]
    Lines(Vec<u32>),
}

/// Payload types with their custom checks.
trait Checked: Payload {
    fn validation() -> Validation<Self> {
        Validation::new()
    }
}

impl Checked for Numbers {}

impl Checked for Parcel {}

impl Checked for Shape {}

impl Checked for Order {
    fn validation() -> Validation<Self> {
        let validation = Validation::<Self>::new();
        let check = |order: &Self| {
            let wrong = order.amount > 100;
            let error = || FieldError::new("/amount", "must be at most 100");
            wrong.then(error).into_iter().collect()
        };
        assert!(validation.set(Box::new(check)).is_ok());
        validation
    }
}

fn from_json<P: Checked>(body: &[u8]) -> Result<P, PayloadError> {
    super::from_json(body, &P::validation())
}

fn from_query<P: Checked>(query: &str) -> Result<P, PayloadError> {
    super::from_query(query, &P::validation())
}

fn check_json<P: Checked>(body: &[u8], schema: &Value) -> Result<(), PayloadError> {
    super::check_json(body, schema, &P::validation())
}

fn check_query<P: Checked>(query: &str, schema: &Value) -> Result<(), PayloadError> {
    super::check_query(query, schema, &P::validation())
}

fn invalid(result: Result<Order, PayloadError>) -> (String, String) {
    match result {
        Err(PayloadError::Invalid(mut errors)) => errors
            .pop()
            .map(|error| (error.pointer, error.detail))
            .expect("an error"),
        other => panic!("not refused as invalid: {other:?}"),
    }
}

fn place(body: &[u8]) -> (usize, usize) {
    match from_json::<Order>(body) {
        Err(PayloadError::Malformed { line, column, .. }) => (line, column),
        other => panic!("not refused as malformed: {other:?}"),
    }
}

#[test]
fn a_good_payload_is_read_from_a_body_or_a_query() {
    let order = Order {
        amount: 7,
        lines: vec![Line { part: "x".into() }],
    };
    assert_eq!(
        from_json(br#"{"amount":7,"lines":[{"a/b":"x"}]}"#),
        Ok(order)
    );
    assert_eq!(
        from_query("amount=7"),
        Ok(Order {
            amount: 7,
            lines: vec![]
        })
    );
}

#[test]
fn malformed_json_is_told_by_line_and_column() {
    assert_eq!(place(b""), (1, 1));
    assert_eq!(place(b"{\n  \"amount\": x}"), (2, 13));
    assert_eq!(place(b"{} {}"), (1, 4));
    assert_eq!(place(b"{\"amount\": \"\xff\"}"), (1, 13));
    assert_eq!(place("\u{feff}{".as_bytes()), (1, 1));
}

#[test]
fn what_is_malformed_is_not_hidden_by_what_is_invalid_before_it() {
    assert_eq!(place(b"{\"unknown\": 1, oops"), (1, 16));
}

#[test]
fn a_body_that_is_too_deep_is_malformed_wherever_its_depth_is() {
    let deep = format!("{{\"unknown\": {}{}}}", "[".repeat(200), "]".repeat(200));
    assert!(matches!(
        from_json::<Order>(deep.as_bytes()),
        Err(PayloadError::Malformed { .. })
    ));
    let deep = "[".repeat(4_000_000);
    assert!(matches!(
        from_json::<Order>(deep.as_bytes()),
        Err(PayloadError::Malformed { .. })
    ));
}

#[test]
fn an_invalid_member_is_told_by_its_pointer() {
    assert_eq!(invalid(from_json(br#"{"amount":"x"}"#)).0, "/amount");
    assert_eq!(
        invalid(from_json(
            br#"{"amount":1,"lines":[{"a/b":"x"},{"a/b":2}]}"#
        ))
        .0,
        "/lines/1/a~1b"
    );
    let (pointer, detail) = invalid(from_json(br#"{"amount":1,"colour":"red"}"#));
    assert_eq!(pointer, "/colour");
    assert!(detail.starts_with("unknown field `colour`"), "{detail}");
    assert_eq!(
        invalid(from_json(b"{}")),
        (String::new(), "missing field `amount`".into())
    );
    assert_eq!(
        invalid(from_json(br#"{"amount":101}"#)),
        ("/amount".into(), "must be at most 100".into())
    );
    assert_eq!(invalid(from_query("amount=-1")).0, "/amount");
    assert_eq!(invalid(from_query("amount=1&colour=red")).0, "/colour");
    assert_eq!(
        invalid(from_query("amount=1&amount=2")),
        ("/amount".into(), "duplicate field `amount`".into())
    );
    assert_eq!(
        invalid(from_json(br#"{"amount":1,"amount":2}"#)).0,
        "/amount"
    );
    assert_eq!(
        invalid(from_json(
            br#"{"amount":1,"lines":[{"a/b":"x","a/b":"y"}]}"#
        )),
        ("/lines/0/a~1b".into(), "duplicate field `a/b`".into())
    );
}

#[test]
fn the_pointer_to_a_member_of_a_variant_contains_the_variant() {
    for (json, expected) in [
        (&br#"{"circle":{"radius":"x"}}"#[..], "/circle/radius"),
        (br#"{"line/s~":[1,"x"]}"#, "/line~1s~0/1"),
    ] {
        match from_json::<Shape>(json) {
            Err(PayloadError::Invalid(errors)) => assert_eq!(errors[0].pointer, expected),
            other => panic!("not refused as invalid: {other:?}"),
        }
    }
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parcel {
    #[schemars(range(min = 1, max = 10))]
    #[serde(default = "one")]
    count: u8,
    #[serde(default)]
    lines: Vec<Position>,
    price: Option<f64>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Position {
    x: i64,
}

fn one() -> u8 {
    1
}

fn wrong(body: &str) -> Vec<String> {
    match check_json::<Parcel>(body.as_bytes(), &schema::of::<Parcel>()) {
        Ok(()) => vec![],
        Err(PayloadError::Invalid(errors)) => {
            errors.into_iter().map(|error| error.pointer).collect()
        }
        Err(error) => panic!("not rejected as invalid: {error:?}"),
    }
}

#[test]
fn a_whole_number_is_an_integer_however_it_is_written() {
    let parcel = Parcel {
        count: 10,
        lines: vec![Position {
            x: 9_007_199_254_740_993,
        }],
        price: Some(1.0),
    };
    let body = r#"{"count":1e1,"lines":[{"x":9007199254740993.0}],"price":1.0}"#;
    assert_eq!(from_json(body.as_bytes()), Ok(parcel));
    assert_eq!(wrong(body), Vec::<String>::new());
    assert_eq!(wrong(r#"{"lines":[{"x":-0}]}"#), Vec::<String>::new());
    assert_eq!(wrong(r#"{"count":1.5}"#), ["/count"]);
}

#[test]
fn a_payload_is_held_to_its_schema_without_a_check_of_its_own() {
    assert_eq!(wrong(r#"{"count":11}"#), ["/count"]);
    assert_eq!(wrong(r#"{"count":0.0}"#), ["/count"]);
    assert_eq!(
        wrong(r#"{"lines":[[1]]}"#),
        ["/lines/0"],
        "an array is no object there, either"
    );
    let schema = schema::of::<Parcel>();
    assert!(check_query::<Parcel>("count=10.0", &schema).is_ok());
    assert!(check_query::<Parcel>("count=11", &schema).is_err());
}

#[test]
fn an_error_of_its_own_check_stands_in_place_of_the_schemas() {
    let schema =
        schemars::json_schema!({ "properties": { "amount": { "maximum": 100 } } }).to_value();
    let errors = match check_json::<Order>(br#"{"amount":101}"#, &schema) {
        Err(PayloadError::Invalid(errors)) => errors,
        other => panic!("not rejected as invalid: {other:?}"),
    };
    assert_eq!(errors, [FieldError::new("/amount", "must be at most 100")]);
    let stricter =
        schemars::json_schema!({ "properties": { "amount": { "maximum": 50 } } }).to_value();
    assert!(check_json::<Order>(br#"{"amount":50}"#, &stricter).is_ok());
    let held = check_json::<Order>(br#"{"amount":51}"#, &stricter);
    assert!(matches!(held, Err(PayloadError::Invalid(_))), "{held:?}");
}

#[test]
fn two_spellings_of_a_number_are_one_item() {
    let unique = serde_json::json!({ "uniqueItems": true });
    assert!(check_json::<Numbers>(b"[1, 2.0]", &unique).is_ok());
    assert!(check_json::<Numbers>(b"[1, 1.0]", &unique).is_err());
}

#[test]
fn a_command_that_takes_json_takes_no_query() {
    for query in ["", "&", "&&"] {
        assert_eq!(no_query(query), Ok(()), "{query}");
    }
    match no_query("a~b=1&c") {
        Err(PayloadError::Invalid(errors)) => {
            assert_eq!(
                errors
                    .iter()
                    .map(|error| &*error.pointer)
                    .collect::<Vec<_>>(),
                ["/a~0b", "/c"]
            );
        }
        other => panic!("not rejected as invalid: {other:?}"),
    }
}

#[test]
fn an_array_is_no_object_though_its_elements_would_fit() {
    assert_eq!(
        invalid(from_json(b" [1, []]")),
        (String::new(), "must be an object, not an array".into())
    );
    assert_eq!(from_json::<Numbers>(b"[1]"), Ok(Numbers(vec![1])));
}

#[test]
fn what_is_said_is_for_a_person_who_knows_no_rust() {
    assert_eq!(invalid(from_query("amount=x")).1, "must be a whole number");
    assert_eq!(
        invalid(from_query("amount=")).1,
        "must be a whole number, and is empty"
    );
    assert_eq!(
        invalid(from_query("amount=99999999999")).1,
        "must be a smaller number"
    );
    let text = "invalid type: string \"x\", expected a whole number that is not negative";
    assert_eq!(invalid(from_json(br#"{"amount":"x"}"#)).1, text);
    assert_eq!(
        invalid(from_json(b"7")).1,
        "invalid type: integer `7`, expected an object"
    );
}

#[test]
fn what_is_of_the_wrong_kind_is_told_in_words_of_json() {
    for (said, told) in [
        (
            "invalid type: sequence, expected a string",
            "invalid type: array, expected a string",
        ),
        (
            "invalid type: map, expected a sequence",
            "invalid type: object, expected an array",
        ),
        (
            "invalid type: integer `1`, expected a map",
            "invalid type: integer `1`, expected an object",
        ),
        (
            "invalid type: integer `1`, expected internally tagged enum Part",
            "invalid type: integer `1`, expected an object",
        ),
        (
            "invalid type: unit variant, expected newtype variant",
            "invalid type: a name alone, expected a name with a value",
        ),
        (
            "invalid type: newtype variant, expected unit variant",
            "invalid type: a name with a value, expected a name alone",
        ),
        ("found x, expected unit", "found x, expected null"),
        ("found x, expected i16", "found x, expected a whole number"),
        ("found x, expected f32", "found x, expected a number"),
        (
            "found x, expected tuple struct Pair",
            "found x, expected an array",
        ),
        (
            "found x, expected adjacently tagged enum Part",
            "found x, expected an object",
        ),
        (
            "found x, expected enum Kind",
            "found x, expected a string or an object",
        ),
        (
            "found x, expected string or map",
            "found x, expected a string or an object",
        ),
        (
            "invalid length 1, expected a tuple of size 2",
            "invalid length 1, expected an array of 2",
        ),
        (
            "invalid type: string \"x, expected u8\", expected u8",
            "invalid type: string \"x, expected u8\", expected a whole number that is not negative",
        ),
        (
            "unknown variant `x`, expected one of `a`, `b`",
            "unknown variant `x`, expected one of `a`, `b`",
        ),
    ] {
        assert_eq!(plain(said), told);
    }
}
