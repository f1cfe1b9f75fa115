//! Payload types as users write them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use cloakroom_app::{Command, HandlerError, Output, Payload};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "it is read, and that is all")]
struct Order {
    article: String,
    #[schemars(range(min = 1, max = 100))]
    amount: u32,
    #[serde(default = "one")]
    weight_kg: f64,
    #[schemars(length(min = 1, max = 3))]
    note: Option<String>,
    #[serde(default)]
    lines: Vec<Line>,
    delivery: Option<Delivery>,
    way: Option<Way>,
    either: Option<Either>,
    anything: Option<Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read, and that is all")]
struct Line {
    number: i64,
    size: (u8, i16),
    #[schemars(length(max = 2))]
    labels: BTreeSet<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Delivery {
    Post,
    /// A variant with a text has a schema of its own.
    ByHand,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(dead_code, reason = "it is read, and that is all")]
enum Way {
    Rail { wagons: u8 },
    Road { tons: f32 },
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is read, and that is all")]
enum Either {
    Number(u16),
    Text(String),
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "it is read, and that is all")]
struct Numbers {
    a: Option<u8>,
    b: Option<i8>,
    c: Option<u32>,
    d: Option<i32>,
    e: Option<u64>,
    f: Option<i64>,
    g: Option<usize>,
    h: Option<f32>,
    i: Option<f64>,
    j: Option<NonZeroU16>,
    #[schemars(range(min = -1.5, max = 1.5))]
    k: Option<f64>,
    l: Option<u128>,
    #[schemars(extend("multipleOf" = 10))]
    m: Option<i64>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "it is read, and that is all")]
struct Rest {
    n: Option<u16>,
    #[serde(default)]
    o: BTreeMap<String, i32>,
    p: Option<char>,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "it is read, and that is all")]
struct List(Vec<Tagged>);

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is read, and that is all")]
enum Tagged {
    Nothing,
    One(u8),
    Two(bool, i8),
    Named { of: Option<u8> },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read, and that is all")]
struct Parameters {
    #[schemars(range(max = 300))]
    width: u16,
    height: Option<u16>,
    scale: Option<f64>,
    #[serde(default)]
    grey: bool,
    delivery: Option<Delivery>,
    #[schemars(length(max = 2))]
    name: Option<String>,
}

fn one() -> f64 {
    1.0
}

fn json<P: Payload>(name: &str) -> Command {
    Command::json(name, |_: P| async { Ok::<_, HandlerError>(Output::none()) })
}

pub(crate) fn commands() -> Vec<Command> {
    let parameters =
        |_: Parameters, _: bytes::Bytes| async { Ok::<_, HandlerError>(Output::none()) };
    vec![
        json::<Order>("order"),
        json::<Numbers>("numbers"),
        json::<List>("list"),
        Command::binary("parameters", &["image/png"], parameters),
    ]
}
