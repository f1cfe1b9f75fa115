//! `GET /openapi.json`: the hand-written `openapi.yaml`, and a path for each command that is served.

use bytes::Bytes;
use cloakroom_app::Registry;
use cloakroom_app::command::{Command, Takes};
use serde_json::{Map, Value, json};

/// Document in the repository, as JSON.
const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Returns the document of a deployment.
pub(crate) fn document(base_path: &str, commands: &Registry) -> Bytes {
    let mut document: Value =
        serde_json::from_str(DOCUMENT).expect("the build made it of a checked document");
    document["servers"] = json!([{ "url": if base_path.is_empty() { "/" } else { base_path } }]);
    let general = document["paths"]["/commands/{type}"]["post"].clone();
    for command in commands.iter() {
        let name = command.name();
        let (schema, mut components) = component(command.schema(), &format!("{name}."));
        let mut operation = operation(command, &document, &general, schema);
        if let Some(schema) = command.result_schema() {
            let result = format!("{name}.result");
            let (schema, definitions) = component(schema, &format!("{result}."));
            type_result(&mut operation, &result);
            components.extend(definitions);
            components.push((result, schema));
        }
        document["paths"][format!("/commands/{name}")] = json!({ "post": operation });
        for (name, definition) in components {
            document["components"]["schemas"][name] = definition;
        }
    }
    document.to_string().into()
}

/// Returns the operation of a command, which replaces the payload of the general one by its own.
fn operation(command: &Command, document: &Value, general: &Value, schema: Value) -> Value {
    let mut operation = general.clone();
    let limits = command.limits();
    operation["operationId"] = format!("submit:{}", command.name()).into();
    operation["summary"] = format!("Submit {}", command.name()).into();
    operation["description"] = format!(
        "A body of at most {} bytes, or an upload of at most {}. Up to {} attempts of up to {} s each; stored for {} s after the end.",
        limits.body,
        limits.upload,
        limits.retry.max_attempts,
        limits.timeout.as_secs(),
        limits.retention.as_secs()
    )
    .into();
    let mut parameters: Vec<_> = operation["parameters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    parameters.retain(|parameter| parameter["$ref"] != "#/components/parameters/CommandType");
    if limits.key_required {
        let key = parameters
            .iter_mut()
            .find(|parameter| parameter["$ref"] == "#/components/parameters/IdempotencyKey");
        if let Some(key) = key {
            *key = document["components"]["parameters"]["IdempotencyKey"].clone();
            key["required"] = true.into();
        }
    }
    let binary = json!({ "type": "string", "format": "binary" });
    let body = match command.takes() {
        Takes::Json => schema,
        Takes::Binary(_) => {
            parameters.extend(query_parameters(&schema));
            binary
        }
    };
    let content: Map<_, _> = command
        .media_types()
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "schema": body })))
        .collect();
    operation["parameters"] = parameters.into();
    operation["requestBody"] =
        json!({ "description": "Empty with `Upload-Id`.", "content": content });
    operation
}

/// Converts the members of a binary command's payload to query parameters.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|other| other == name))
    };
    let members = schema["properties"].as_object().into_iter().flatten();
    members
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            remove_null(&mut schema);
            json!({ "name": name, "in": "query", "required": required(name), "schema": schema })
        })
        .collect()
}

/// Removes `null` from a schema, as a query string can't express it.
fn remove_null(schema: &mut Value) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            schema["type"] = only.clone();
        }
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(schemas)) = schema.get_mut(keyword) {
            schemas.retain(|schema| schema["type"] != "null");
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if schema.get("default").is_some_and(Value::is_null)
        && let Some(members) = schema.as_object_mut()
    {
        members.remove("default");
    }
}

/// Gives the jobs that an operation returns the schema of this component as the type of their result.
fn type_result(operation: &mut Value, component: &str) {
    let result = json!({ "$ref": format!("#/components/schemas/{component}") });
    let job = json!({
        "allOf": [
            { "$ref": "#/components/schemas/Job" },
            { "type": "object", "properties": { "result": result } },
        ],
    });
    for status in ["200", "202"] {
        operation["responses"][status]["content"]["application/json"]["schema"] = job.clone();
    }
}

/// Returns a schema as a part of the document, and its definitions as components whose names begin with this prefix.
fn component(mut schema: Value, prefix: &str) -> (Value, Vec<(String, Value)>) {
    rewrite_references(&mut schema, prefix);
    let mut definitions = Vec::new();
    if let Some(object) = schema.as_object_mut() {
        // The document declares the same dialect.
        object.remove("$schema");
        if let Some(Value::Object(inner)) = object.remove("$defs") {
            definitions.extend(
                inner
                    .into_iter()
                    .map(|(name, definition)| (format!("{prefix}{name}"), definition)),
            );
        }
    }
    (schema, definitions)
}

/// Replaces references to a schema's own definitions by references to the document's components.
fn rewrite_references(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), &*value) {
                    ("$ref", Value::String(target)) if target.starts_with("#/$defs/") => {
                        let name = target.trim_start_matches("#/$defs/");
                        *value = format!("#/components/schemas/{prefix}{name}").into();
                    }
                    _ => rewrite_references(value, prefix),
                }
            }
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| rewrite_references(value, prefix)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_parameter_has_no_null() {
        for (schema, parameter) in [
            (
                json!({ "type": ["integer", "null"] }),
                json!({ "type": "integer" }),
            ),
            (
                json!({ "type": ["integer", "string", "null"] }),
                json!({ "type": ["integer", "string"] }),
            ),
            (
                json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
                json!({ "anyOf": [{ "type": "string" }] }),
            ),
            (
                json!({ "oneOf": [{ "type": "null" }, { "const": 1 }] }),
                json!({ "oneOf": [{ "const": 1 }] }),
            ),
            (json!({ "enum": ["a", null] }), json!({ "enum": ["a"] })),
            (
                json!({ "type": "string", "default": null }),
                json!({ "type": "string" }),
            ),
            (json!({ "default": 7 }), json!({ "default": 7 })),
        ] {
            let mut found = schema;
            remove_null(&mut found);
            assert_eq!(found, parameter);
        }
    }
}
