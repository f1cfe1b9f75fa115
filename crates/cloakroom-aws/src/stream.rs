//! Records of the table's stream.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cloakroom_core::Job;
use serde_json::Value;

use crate::record::{self, Item};

/// Parses the job in an image of the stream. The error says why it can't be read.
pub fn job_of_image(image: &Value) -> Result<Job, String> {
    let members = image.as_object().ok_or("it is not an object")?;
    let item: Option<Item> = members
        .iter()
        .map(|(name, value)| Some((name.clone(), attribute(value)?)))
        .collect();
    let item = item.ok_or("it has an attribute of an unknown type")?;
    record::read(&item).map_err(|error| error.to_string())
}

/// Converts a value in DynamoDB's JSON. Returns `None` for types that no record has.
fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    let text = || value.as_str().map(ToOwned::to_owned);
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text()?),
        "N" => AttributeValue::N(text()?),
        "B" => AttributeValue::B(Blob::new(BASE64.decode(value.as_str()?).ok()?)),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(
            value
                .as_array()?
                .iter()
                .map(attribute)
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use cloakroom_app::testing::new_job;
    use cloakroom_core::{EventContext, EventScope, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::testing::image_of;

    #[test]
    fn the_image_of_a_job_is_read_as_the_job() {
        let mut job = new_job(Timestamp::from_seconds(1_795_248_000), 1);
        job.history = vec!["1795248000120 claim".parse().expect("a step")];
        job.events = Some(Box::new(EventContext {
            bus: Some(EventScope::All),
            ..EventContext::default()
        }));
        let image = image_of(&job);
        assert_eq!(
            image["notify"],
            json!({ "S": "all" }),
            "the stream's filter"
        );
        assert_eq!(job_of_image(&image), Ok(job));
    }

    #[test]
    fn each_type_of_value_is_converted() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        for (value, want) in [
            (json!({ "S": "a" }), text("a")),
            (json!({ "N": "7" }), AttributeValue::N("7".to_owned())),
            (json!({ "B": "AAE=" }), AttributeValue::B(Blob::new([0, 1]))),
            (json!({ "BOOL": true }), AttributeValue::Bool(true)),
            (json!({ "BOOL": false }), AttributeValue::Bool(false)),
            (json!({ "NULL": true }), AttributeValue::Null(true)),
            (json!({ "L": [] }), AttributeValue::L(vec![])),
            (
                json!({ "L": [{ "S": "a" }, { "L": [{ "S": "b" }] }] }),
                AttributeValue::L(vec![text("a"), AttributeValue::L(vec![text("b")])]),
            ),
        ] {
            assert_eq!(attribute(&value), Some(want), "{value}");
        }
        for value in [
            json!({}),
            json!({ "SS": ["a"] }),
            json!({ "S": 7 }),
            json!({ "N": 7 }),
            json!({ "B": "?" }),
            json!({ "BOOL": "true" }),
            json!({ "L": [{ "SS": ["a"] }] }),
        ] {
            assert_eq!(attribute(&value), None, "{value}");
        }
    }

    #[test]
    fn what_is_no_image_of_a_job_is_an_error() {
        for image in [
            json!(null),
            json!({}),
            json!({ "pk": { "SS": ["a"] } }),
            json!({ "pk": 7 }),
        ] {
            assert!(job_of_image(&image).is_err(), "{image}");
        }
    }
}
