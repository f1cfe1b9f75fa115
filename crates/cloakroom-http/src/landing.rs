//! `GET /` and `GET /commands`: the commands of a service, for the people and the programs that want to use it.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::Response;
use cloakroom_app::command::{Command, Takes};
use http::header::VARY;
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::accept::Variant;
use crate::html::{self, STYLE};
use crate::response;
use crate::submit_state::SubmitState;

const SCRIPT: &str = include_str!("landing/try.js");

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| html::policy(SCRIPT));

/// Base URL in command lines. A service does not know its own: the `Host` header is the client's.
const BASE_URL: &str = "$URL";

/// Responds with a page for a person, or with the paths of the service for a program.
pub(crate) async fn landing(State(state): State<Arc<SubmitState>>, headers: HeaderMap) -> Response {
    let mut response = match Variant::from_headers(&headers) {
        Variant::Page => html::response(StatusCode::OK, POLICY.clone(), page(&state)),
        Variant::Json => response::json(StatusCode::OK, &paths(&state)),
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// Responds with the types of all commands, each with its schemas and limits, and a line of curl.
pub(crate) async fn commands(State(state): State<Arc<SubmitState>>) -> Response {
    let base_path = &state.site.settings.base_path;
    let commands: Vec<_> = state
        .submit
        .commands
        .iter()
        .map(|command| document(base_path, command))
        .collect();
    response::json(
        StatusCode::OK,
        &json!({ "service": service(&state), "commands": commands }),
    )
}

fn service(state: &SubmitState) -> Value {
    let about = state.submit.commands.about();
    json!({ "name": about.name, "version": about.version })
}

fn paths(state: &SubmitState) -> Value {
    let path = |path: &str| format!("{}{path}", state.site.settings.base_path);
    json!({
        "service": service(state),
        "commands": path("/commands"),
        "uploads": path("/uploads"),
        "jobs": path("/jobs"),
        "openapi": path("/openapi.json"),
    })
}

fn document(base_path: &str, command: &Command) -> Value {
    let limits = command.limits();
    let mut document = json!({
        "type": command.name(),
        "path": format!("{base_path}/commands/{}", command.name()),
        "media_types": command.media_types(),
        "payload": match command.takes() {
            Takes::Json => "body",
            Takes::Binary(_) => "query",
        },
        "payload_schema": command.schema(),
        "limits": {
            "body_bytes": limits.body,
            "upload_bytes": limits.upload,
            "attempts": limits.retry.max_attempts,
            "attempt_seconds": limits.timeout.as_secs(),
            "retention_seconds": limits.retention.as_secs(),
            "idempotency_key_required": limits.key_required,
        },
        "curl": command.curl(&format!("{BASE_URL}{base_path}")),
    });
    if let Some(schema) = command.result_schema() {
        document["result_schema"] = schema;
    }
    document
}

fn page(state: &SubmitState) -> Markup {
    let base_path = &state.site.settings.base_path;
    let about = state.submit.commands.about();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (about.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (about.name) }
                    p.id { "Version " (about.version) }
                    p {
                        "This service accepts a command now and runs it later. The response is 202 with the "
                        code { "Location" }
                        " of a job: open it in a browser, or poll it until the job has ended."
                    }
                    p {
                        a href={ (base_path) "/openapi.json" } { "OpenAPI document" } " · "
                        a href={ (base_path) "/commands" } { "Commands as JSON" }
                    }
                    pre { "URL=" span.origin data-base="" { "https://…" } }
                    @for command in state.submit.commands.iter() { (command_section(base_path, command)) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn command_section(base_path: &str, command: &Command) -> Markup {
    let limits = command.limits();
    let schema = |schema: Value| format!("{schema:#}");
    let upload_mib = limits.upload / (1024 * 1024);
    html! {
        section id=(command.name()) {
            h2 { (command.name()) }
            p {
                "Body of at most " (limits.body) " bytes, or an upload of at most " (upload_mib) " MiB: "
                (command.media_types().join(", ")) ". Up to " (limits.retry.max_attempts) " attempts of "
                (limits.timeout.as_secs()) " s. The job is stored for " (limits.retention.as_secs() / 3600)
                " hours after its end."
                @if limits.key_required { " An " code { "Idempotency-Key" } " is required." }
            }
            pre { (command.curl(&format!("{BASE_URL}{base_path}"))) }
            details {
                summary { "Schema of the payload" }
                pre { (schema(command.schema())) }
            }
            @if let Some(result) = command.result_schema() {
                details {
                    summary { "Schema of the result" }
                    pre { (schema(result)) }
                }
            }
            (form(base_path, command))
        }
    }
}

/// Form that submits a command by script.
fn form(base_path: &str, command: &Command) -> Markup {
    let id = |field: &str| format!("{}-{field}", command.name());
    html! {
        form data-url={ (base_path) "/commands/" (command.name()) } {
            @match command.takes() {
                Takes::Json => {
                    label for=(id("payload")) { "Payload" }
                    textarea id=(id("payload")) name="payload" rows="5" spellcheck="false" {
                        (format!("{:#}", command.example_payload()))
                    }
                }
                Takes::Binary(types) => {
                    label for=(id("query")) { "Query string" }
                    input id=(id("query")) name="query" value=(command.example_query());
                    label for=(id("file")) { "File" }
                    input id=(id("file")) name="file" type="file" accept=(types.join(",")) required;
                }
            }
            button name="send" { "Submit" }
            p.away role="status" {}
        }
    }
}
