//! A command accepts the values that its JSON Schema allows, and no others: for the commands of this deployment, and for
//! payload types of every kind that a user may write. Another validator is the judge.

mod generate;
mod types;

use std::cell::Cell;

use cloakroom_app::Command;
use cloakroom_app::command::Takes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value};

use generate::{near, text};

/// Draws values near those that the schema of a command allows, and compares its check with the other validator's. Both must accept
/// some, and reject some.
fn agrees(command: &Command) {
    let schema = command.schema();
    let judge = jsonschema::validator_for(&schema).expect("a schema");
    let (allowed, rejected) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        cases: 1500,
        failure_persistence: None,
        ..Config::default()
    });
    let values = (near(&schema, &schema, 4), any::<u64>());
    let held = runner.run(&values, |(value, style)| {
        let (said, sent, valid) = match command.takes() {
            Takes::Json => {
                let body = text(&value, style);
                (
                    command.check("", body.as_bytes()),
                    body,
                    judge.is_valid(&value),
                )
            }
            Takes::Binary(_) => {
                let Some((query, value)) = query(&schema, &value, style) else {
                    return Ok(());
                };
                (command.check(&query, b"x"), query, judge.is_valid(&value))
            }
        };
        let count = if valid { &allowed } else { &rejected };
        count.set(count.get() + 1);
        prop_assert_eq!(
            said.is_ok(),
            valid,
            "{} of {}: {:?}",
            command.name(),
            sent,
            said
        );
        Ok(())
    });
    if let Err(error) = held {
        panic!("{error}\n{schema:#}");
    }
    let (allowed, rejected) = (allowed.get(), rejected.get());
    assert!(
        allowed > 10 && rejected > 10,
        "{}: {allowed} allowed, {rejected} rejected",
        command.name()
    );
}

/// Converts an object of scalars to a query string, and to its meaning: a number is a text where the schema requires a text.
fn query(schema: &Value, value: &Value, style: u64) -> Option<(String, Value)> {
    let (mut query, mut meant) = (form_urlencoded::Serializer::new(String::new()), Map::new());
    for (name, member) in value.as_object()? {
        let said = match member {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => text(member, style),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        query.append_pair(name, &said);
        let is_text = schema["properties"][name]["type"]
            .to_string()
            .contains("string");
        meant.insert(
            name.clone(),
            if is_text { said.into() } else { member.clone() },
        );
    }
    Some((query.finish(), meant.into()))
}

#[test]
fn the_commands_of_this_deployment_take_what_their_schemas_allow() {
    demo::service().iter().for_each(agrees);
}

#[test]
fn commands_of_any_payload_type_take_what_their_schemas_allow() {
    types::commands().iter().for_each(agrees);
}
