//! Lines of the log, as operators search them.

use axum::body::Body;
use cloakroom_app::testing::Fault;
use cloakroom_http::Site;
use serde_json::json;

use crate::log_lines;
use crate::service::{Service, service, service_with};

/// Sends a request, and returns its log lines.
async fn lines_of(
    service: &Service,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Vec<String> {
    log_lines::take();
    service
        .request(method, path, headers, body.to_owned())
        .await;
    log_lines::take()
        .lines()
        .filter(|line| line.contains("cloakroom_http"))
        .map(ToOwned::to_owned)
        .collect()
}

/// Returns the value of a field, or an empty string without the field.
fn value<'a>(line: &'a str, name: &str) -> &'a str {
    let rest = line
        .split_once(&format!("{name}="))
        .map_or("", |(_, rest)| rest);
    let word = rest.split(' ').next().unwrap_or_default();
    word.strip_suffix("}:").unwrap_or(word).trim_matches('"')
}

/// Asserts the level and the fields of a request's line: its route, status, tenant, command and job.
fn assert_line(line: &str, (method, path): (&str, &str), expected: [&str; 6]) {
    let [level, route, status, tenant, command, job] = expected;
    let fields =
        ["method", "route", "status", "tenant", "command", "job_id"].map(|name| value(line, name));
    assert_eq!(
        fields,
        [method, route, status, tenant, command, job],
        "{line}"
    );
    assert!(
        line.trim_start().starts_with(&format!("{level} request{{")),
        "{line}"
    );
    assert!(line.contains("answered a request"), "{line}");
    assert!(
        !value(line, "duration_ms").is_empty() && value(line, "trace_id").len() == 32,
        "{line}"
    );
    assert!(
        path == "/uploads" || value(line, "request_id") == "r-1",
        "{line}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_names_the_tenant_the_command_and_the_job() {
    let service = service();
    let location = service.finished_job("answer").await;
    let id = location.trim_start_matches("/jobs/");
    let upload =
        json!({ "content_type": "a/b", "content_length": 10 << 20, "parts": 2 }).to_string();
    let response = service
        .request("POST", "/uploads", &[], upload.clone())
        .await
        .json();
    let upload_path = format!(
        "/uploads/{}",
        response["upload_id"].as_str().expect("an id")
    );
    for (method, path, body, expected) in [
        (
            "POST",
            "/commands/act",
            r#"{"act":"answer"}"#,
            ["INFO", "/commands/{type}", "200", "default", "act", id],
        ),
        (
            "POST",
            "/commands/act",
            "{",
            ["INFO", "/commands/{type}", "400", "default", "act", ""],
        ),
        (
            "POST",
            "/uploads",
            &upload,
            ["INFO", "/uploads", "201", "default", "", ""],
        ),
        (
            "GET",
            &upload_path,
            "",
            ["DEBUG", "/uploads/{id}", "200", "default", "", ""],
        ),
        (
            "GET",
            "/jobs?client_job_id=x",
            "",
            ["DEBUG", "/jobs", "200", "default", "", ""],
        ),
        (
            "GET",
            &location,
            "",
            ["DEBUG", "/jobs/{id}", "200", "default", "", id],
        ),
        (
            "DELETE",
            &location,
            "",
            ["INFO", "/jobs/{id}", "409", "default", "", id],
        ),
        (
            "GET",
            &format!("{location}/history"),
            "",
            ["DEBUG", "/jobs/{id}/history", "200", "default", "", id],
        ),
        (
            "GET",
            &format!("{location}/result"),
            "",
            ["DEBUG", "/jobs/{id}/result", "200", "default", "", id],
        ),
        (
            "GET",
            "/openapi.json",
            "",
            ["DEBUG", "/openapi.json", "200", "", "", ""],
        ),
        ("GET", "/nowhere", "", ["INFO", "none", "404", "", "", ""]),
        ("GET", "/jobs", "", ["INFO", "/jobs", "400", "", "", ""]),
        (
            "OPTIONS",
            "/jobs",
            "",
            ["DEBUG", "/jobs", "204", "", "", ""],
        ),
    ] {
        // The same key names the same job.
        let headers = [
            ("x-request-id", "r-1"),
            ("idempotency-key", "order-1042"),
            ("content-type", "application/json"),
        ];
        let headers = if path == "/uploads" {
            &headers[2..]
        } else {
            &headers[..]
        };
        let lines = lines_of(&service, method, path, headers, body).await;
        let [line] = &lines[..] else {
            panic!("{method} {path}: {lines:?}")
        };
        assert_line(line, (method, path), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn no_line_contains_a_ticket() {
    let service = service();
    let location = service.finished_job("answer").await;
    let id = location.trim_start_matches("/jobs/");
    let path = format!("{location}/links");
    let scope = r#"{"scope":["read","cancel","signal"]}"#;
    log_lines::take();
    let shared = service.request("POST", &path, &[], scope).await.json();
    let url = shared["url"].as_str().expect("a url");
    let ticket = url.trim_start_matches("/shared/");
    let line = log_lines::take();
    assert!(
        line.contains("answered a request") && !line.contains(ticket),
        "{line}"
    );
    for (method, below, route, status) in [
        ("GET", "", "/shared/{ticket}", "200"),
        ("DELETE", "", "/shared/{ticket}", "409"),
        ("PUT", "", "/shared/{ticket}", "405"),
        ("GET", "/events", "/shared/{ticket}/events", "200"),
        ("GET", "/result", "/shared/{ticket}/result", "200"),
        (
            "POST",
            "/signals/go",
            "/shared/{ticket}/signals/{name}",
            "409",
        ),
    ] {
        for fault in [false, true] {
            if fault {
                service.room.memory.down(&["load"]);
            }
            let headers = [("x-request-id", "r-1")];
            let path = format!("{url}{below}");
            service
                .request(method, &path, &headers, Body::empty())
                .await;
            service.room.memory.calm();
            let lines = log_lines::take();
            assert!(!lines.contains(ticket), "{lines}");
            let line = lines.lines().last().expect("a line");
            assert_eq!(value(line, "route"), route);
            if !fault {
                assert_eq!(value(line, "status"), status, "{method} {below}");
            }
            if method != "PUT" {
                let job = (value(line, "tenant"), value(line, "job_id"));
                assert_eq!(job, ("default", id), "{method} {below}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_logged_once_with_its_cause() {
    let service = service();
    let location = service.finished_job("answer").await;
    service.room.memory.fail("load", Fault::Before);
    let lines = lines_of(&service, "GET", &location, &[], "").await;
    let [cause, response] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert!(
        cause.contains("WARN") && cause.contains("a service is unavailable"),
        "{cause}"
    );
    assert!(
        cause.contains("made to fail") && value(cause, "job_id").len() == 36,
        "{cause}"
    );
    assert!(
        response.contains("INFO") && value(response, "status") == "503",
        "{response}"
    );
    let panics = service_with(Site::default().tenant(|_| panic!("secret")));
    let lines = lines_of(&panics, "GET", &location, &[], "").await;
    assert!(
        lines[0].contains("ERROR") && lines[0].contains("the handler of a request panicked"),
        "{}",
        lines[0]
    );
    let unknown_caller = service_with(Site::default().tenant(|_| None));
    let lines = lines_of(&unknown_caller, "GET", &location, &[], "").await;
    assert!(
        lines[0].contains("ERROR") && lines[0].contains("without the caller's identity"),
        "{}",
        lines[0]
    );
}
