//! `openapi.yaml` and the router say the same.

use axum::body::Body;
use cloakroom_core::Code;
use serde_json::{Value, json};

use crate::service::{DOCUMENT, resolved, service};

#[tokio::test(start_paused = true)]
async fn every_path_and_method_of_the_document_is_routed_and_no_other_method_is() {
    let service = service();
    for (path, item) in DOCUMENT["paths"].as_object().expect("paths") {
        let mut methods: Vec<_> = item
            .as_object()
            .expect("operations")
            .keys()
            .map(|name| name.to_uppercase())
            .collect();
        methods.push("OPTIONS".into());
        if methods.contains(&"GET".to_owned()) {
            methods.push("HEAD".into());
        }
        methods.sort();
        let response = service
            .request("OPTIONS", &path.replace(['{', '}'], ""), &[], Body::empty())
            .await;
        let mut allowed: Vec<_> = response
            .header("allow")
            .split(", ")
            .map(ToOwned::to_owned)
            .collect();
        allowed.sort();
        assert_eq!(allowed, methods, "{path}");
        for method in methods {
            let status = service
                .request(
                    &method,
                    &path.replace("{type}", "act").replace(['{', '}'], ""),
                    &[],
                    Body::empty(),
                )
                .await;
            assert_ne!(status.status, 405, "{method} {path}");
            assert!(
                status.status != 404
                    || status.body.is_empty()
                    || status.json()["code"] != "not-found",
                "{method} {path}"
            );
        }
    }
}

#[test]
fn every_route_is_in_the_document() {
    let routes = include_str!("../../src/router.rs").split(".route(").skip(1);
    let mut routes: Vec<_> = routes.filter_map(|rest| rest.split('"').nth(1)).collect();
    routes.sort_unstable();
    let mut documented: Vec<_> = DOCUMENT["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .map(String::as_str)
        .collect();
    documented.sort_unstable();
    assert_eq!(routes, documented);
}

#[test]
fn every_operation_may_be_rejected_or_fail() {
    for (path, item) in DOCUMENT["paths"].as_object().expect("paths") {
        for method in ["get", "post", "delete"]
            .iter()
            .filter(|method| item.get(**method).is_some())
        {
            for status in ["401", "403", "429", "500"] {
                assert!(
                    item[*method]["responses"].get(status).is_some(),
                    "{method} {path} lacks {status}"
                );
            }
        }
    }
}

#[test]
fn the_problems_of_the_document_are_those_of_the_code() {
    let problems: Vec<_> = Code::ALL
        .iter()
        .map(|code| json!({ "type": code.type_uri(), "code": code.as_str(), "status": code.status(), "title": code.title() }))
        .collect();
    assert_eq!(DOCUMENT["x-problems"], json!(problems));
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(
        DOCUMENT["components"]["schemas"]["ProblemCode"]["enum"],
        json!(codes)
    );
}

#[tokio::test(start_paused = true)]
async fn every_command_that_is_served_has_a_path_with_what_it_takes() {
    let response = service().get("/openapi.json", &[]).await;
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, "application/json")
    );
    let document = response.json();
    assert_eq!(
        (&document["openapi"], &document["servers"]),
        (&json!("3.1.0"), &json!([{ "url": "/" }]))
    );
    let paths = &document["paths"];
    let act = &paths["/commands/act"]["post"];
    let schema = &act["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(
        (&schema["type"], &schema["additionalProperties"]),
        (&json!("object"), &json!(false))
    );
    let named = |operation: &Value, name: &str| {
        let parameters = operation["parameters"]
            .as_array()
            .expect("parameters")
            .clone();
        parameters
            .into_iter()
            .find(|parameter| parameter["name"] == name)
    };
    let key = named(&paths["/commands/act.strictly"]["post"], "Idempotency-Key").expect("a key");
    assert_eq!(key["required"], true);
    let image = &paths["/commands/image.keep"]["post"];
    let number =
        json!({ "type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX });
    let parameter = |name: &str, required: bool| {
        Some(json!({ "name": name, "in": "query", "required": required, "schema": number }))
    };
    assert_eq!(named(image, "width"), parameter("width", true));
    assert_eq!(
        named(image, "depth"),
        parameter("depth", false),
        "never null"
    );
    let types: Vec<_> = image["requestBody"]["content"]
        .as_object()
        .expect("types")
        .keys()
        .collect();
    assert_eq!(types, ["image/jpeg", "image/png"]);
    for name in types {
        let schema = &image["requestBody"]["content"][name]["schema"];
        assert_eq!(schema, &json!({ "type": "string", "format": "binary" }));
    }
}

#[tokio::test(start_paused = true)]
async fn no_two_operations_have_one_id() {
    let document = service().get("/openapi.json", &[]).await.json();
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|item| item.as_object().expect("operations").values());
    let mut ids: Vec<_> = operations
        .map(|operation| operation["operationId"].as_str().expect("an id"))
        .collect();
    assert!(ids.contains(&"submit:act"), "{ids:?}");
    ids.sort_unstable();
    let mut unique = ids.clone();
    unique.dedup();
    assert_eq!(ids, unique);
}

#[tokio::test(start_paused = true)]
async fn the_parameters_of_a_path_are_those_in_it() {
    let document = service().get("/openapi.json", &[]).await.json();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let parameters = operation["parameters"].as_array();
            let mut named: Vec<_> = parameters
                .into_iter()
                .flatten()
                .map(|parameter| resolved(&document, parameter))
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| format!("{{{}}}", parameter["name"].as_str().expect("a name")))
                .collect();
            let mut want: Vec<_> = path
                .split('/')
                .filter(|part| part.starts_with('{'))
                .map(ToOwned::to_owned)
                .collect();
            named.sort();
            want.sort();
            assert_eq!(named, want, "{method} {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_reference_in_the_document_leads_somewhere() {
    let document = service().get("/openapi.json", &[]).await.json();
    let mut seen = 0;
    let mut rest = vec![&document];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(object) => {
                if let Some(target) = object.get("$ref").and_then(Value::as_str) {
                    assert!(
                        document.pointer(target.trim_start_matches('#')).is_some(),
                        "{target}"
                    );
                    seen += 1;
                }
                rest.extend(object.values());
            }
            Value::Array(values) => rest.extend(values),
            _ => {}
        }
    }
    assert!(seen > 50, "{seen}");
    assert!(
        document["components"]["schemas"]["act.Kind"].is_object(),
        "definitions become components"
    );
}

#[tokio::test(start_paused = true)]
async fn a_typed_result_is_part_of_the_job_that_its_command_returns() {
    let document = service().get("/openapi.json", &[]).await.json();
    let responses = &document["paths"]["/commands/double"]["post"]["responses"];
    for status in ["200", "202"] {
        let schema = &responses[status]["content"]["application/json"]["schema"];
        let result = json!({ "$ref": "#/components/schemas/double.result" });
        let with_result = json!({ "type": "object", "properties": { "result": result } });
        assert_eq!(schema["allOf"][1], with_result);
    }
    let schema = &document["components"]["schemas"]["double.result"];
    assert_eq!(
        schema["properties"]["twice"]["$ref"],
        "#/components/schemas/double.result.Twice"
    );
    assert!(document["components"]["schemas"]["double.result.Twice"].is_object());
    // The result of any other command is JSON of any kind.
    let untyped = &document["paths"]["/commands/act"]["post"]["responses"]["200"];
    let job = &untyped["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(job, "#/components/schemas/Job");
}

/// A comma in plain text of a flow mapping begins a new key, whose value is null.
#[test]
fn no_text_fell_apart_in_the_document() {
    fn nulls(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Null => found.push(path.to_owned()),
            Value::Array(items) => items.iter().for_each(|item| nulls(item, path, found)),
            Value::Object(members) => {
                members
                    .iter()
                    .for_each(|(name, member)| nulls(member, &format!("{path}/{name}"), found));
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = vec![];
    nulls(&DOCUMENT, "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
