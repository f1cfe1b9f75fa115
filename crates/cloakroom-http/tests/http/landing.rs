//! `GET /` and `GET /commands`.

use cloakroom_http::Site;
use serde_json::{Value, json};

use crate::service::{service, service_with};

const BROWSER: (&str, &str) = ("accept", "text/html,*/*;q=0.8");

#[tokio::test(start_paused = true)]
async fn a_program_gets_the_paths_of_the_service_below_its_base_path() {
    let root = service().get("/", &[]).await;
    assert_eq!((root.status, root.header("vary")), (200, "Accept"));
    assert_eq!(root.json()["commands"], "/commands");

    let service = service_with(Site::from_base_url("https://api.example.com/v1"));
    let root = service.get("/v1/", &[]).await.json();
    assert_eq!(
        root,
        json!({
            "service": { "name": "cloakroom", "version": env!("CARGO_PKG_VERSION") },
            "commands": "/v1/commands",
            "uploads": "/v1/uploads",
            "jobs": "/v1/jobs",
            "openapi": "/v1/openapi.json",
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_tool_gets_every_command_with_its_schemas_limits_and_a_line_of_curl() {
    let service = service_with(Site::from_base_url("/v1"));
    let list = service.get("/v1/commands", &[]).await.json();
    let document = service.get("/v1/openapi.json", &[]).await.json();
    let commands = list["commands"].as_array().expect("commands");
    for command in commands {
        let name = command["type"].as_str().expect("a type");
        assert_eq!(command["path"], format!("/v1/commands/{name}"));
        assert!(document["paths"][format!("/commands/{name}")].is_object());
        let curl = command["curl"].as_str().expect("a line");
        assert!(curl.contains(&format!("$URL/v1/commands/{name}")), "{curl}");
        assert!(command["payload_schema"].is_object(), "{name}");
        let (payload, result) = match name {
            "image.keep" => ("query", Value::Null),
            "double" => ("body", json!("Doubled")),
            _ => ("body", Value::Null),
        };
        assert_eq!(command["payload"], payload, "{name}");
        assert_eq!(command["result_schema"]["title"], result, "{name}");
        assert_ne!(command["payload_schema"]["title"], "Doubled", "{name}");
    }
    let act = commands.iter().find(|it| it["type"] == "act");
    insta::assert_json_snapshot!(act.expect("it is served"));
}

#[tokio::test(start_paused = true)]
async fn a_person_gets_a_page_with_a_form_for_every_command() {
    let service = service_with(Site::from_base_url("/v1"));
    let page = service.get("/v1/", &[BROWSER]).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    page.check_policy();
    let list = service.get("/v1/commands", &[]).await.json();
    for command in list["commands"].as_array().expect("commands") {
        let path = command["path"].as_str().expect("a path");
        assert!(
            page.text().contains(&format!("data-url=\"{path}\"")),
            "{path}"
        );
    }
    let script = include_str!("../../src/landing/try.js");
    let fields = script.split("form.elements.").skip(1);
    for field in fields.filter_map(|rest| rest.split(|c: char| !c.is_alphabetic()).next()) {
        assert!(
            page.text().contains(&format!(" name=\"{field}\"")),
            "{field}"
        );
    }
    for part in [
        // The lines of curl have the base path.
        "URL=<span class=\"origin\" data-base=\"\">",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
        "<input id=\"image.keep-query\" name=\"query\" value=\"\">",
        "<input id=\"image.keep-file\" name=\"file\" type=\"file\" accept=\"image/png,image/jpeg\" required>",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    let limits = "an upload of at most 64 MiB: application/json. Up to 3 attempts of 60 s. \
                  The job is stored for 24 hours after its end.";
    assert!(page.text().contains(limits), "{}", page.text());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_caller_learns_no_command() {
    let service = service_with(Site::default().tenant(|_| None));
    for path in ["/", "/commands"] {
        let response = service.get(path, &[BROWSER]).await;
        let problem: Value = response.json();
        assert_eq!(problem["status"], response.status);
        assert!(response.status == 401 || response.status == 403, "{path}");
    }
}
