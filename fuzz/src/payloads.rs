//! A command's query (the first line) and body, and the description of an upload. Errors name their position, and
//! describe the payload, not the program.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cloakroom_app::payload::PayloadError;
use cloakroom_app::{Command, HandlerError, Output, Registry};
use cloakroom_core::problem::FieldError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::request;
use crate::scene::{Scene, play};

/// Payload with members of many types.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read, and that is all")]
struct Order {
    article: String,
    amount: u8,
    price: Option<f64>,
    gift: Option<bool>,
    difference: Option<i32>,
    letter: Option<char>,
    size: Option<(u16, u16)>,
    way: Option<Way>,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default)]
    labels: BTreeMap<String, u32>,
    anything: Option<Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is read, and that is all")]
enum Way {
    Post,
    Courier { name: String },
    Rail(u8),
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "it is read, and that is all")]
enum Part {
    Hook { length: u32 },
    Bar { of: Vec<String> },
}

static COMMANDS: LazyLock<Registry> = LazyLock::new(|| {
    let order = Command::json("order", |_: Order| async {
        Ok::<_, HandlerError>(Output::none())
    });
    Registry::new(demo::service().iter().cloned().chain([order]).collect())
});

/// Checks an input as the payload of each command, and as an upload.
pub fn run(input: &[u8]) {
    let at = input
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(input.len());
    let (query, body) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let Ok(query) = std::str::from_utf8(query) else {
        return;
    };
    let document = unmarked(body);
    for command in COMMANDS.iter() {
        let json = command.media_types() == ["application/json"];
        match command.check(query, body) {
            Ok(()) => assert!(
                !json || serde_json::from_slice::<Value>(document).is_ok(),
                "{}",
                command.name()
            ),
            Err(PayloadError::Malformed {
                line,
                column,
                detail,
            }) => malformed(document, line, column, &detail),
            Err(PayloadError::Invalid(errors)) if json => {
                invalid(
                    &errors,
                    input,
                    serde_json::from_slice(document).ok().as_ref(),
                );
            }
            Err(PayloadError::Invalid(errors)) => invalid(&errors, query.as_bytes(), None),
        }
    }
    play(async || upload(body).await);
}

/// Returns a body without its byte order mark.
fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn malformed(body: &[u8], line: usize, column: usize, detail: &str) {
    assert!(serde_json::from_slice::<Value>(body).is_err());
    let lines: Vec<_> = body.split(|byte| *byte == b'\n').collect();
    assert!(
        (1..=lines.len()).contains(&line),
        "line {line} of {}",
        lines.len()
    );
    assert!(
        (1..=lines[line - 1].len() + 1).contains(&column),
        "column {column} of line {line}"
    );
    assert!(
        !detail.is_empty() && !detail.contains(" at line "),
        "{detail}"
    );
}

/// Terms of Rust, which errors must not contain unless the client sent them.
const OF_RUST: &[&str] = &[
    "struct ",
    "enum",
    "tuple",
    "newtype",
    "Option",
    "Vec",
    "u8",
    "u16",
    "u32",
    "u64",
    "usize",
    "i8",
    "i32",
    "i64",
    "f32",
    "f64",
    "variant identifier",
    "field identifier",
    "at line",
    "Error(",
    "unit variant",
    "map",
    "sequence",
];

fn invalid(errors: &[FieldError], sent: &[u8], document: Option<&Value>) {
    assert!(!errors.is_empty());
    let sent = String::from_utf8_lossy(sent);
    for FieldError { pointer, detail } in errors {
        assert!(!detail.is_empty());
        for word in OF_RUST {
            assert!(
                !detail.contains(word) || sent.contains(word.trim()),
                "{pointer}: {detail}"
            );
        }
        let mut escapes = pointer.match_indices('~');
        assert!(
            escapes.all(|(at, _)| matches!(pointer.as_bytes().get(at + 1), Some(b'0' | b'1'))),
            "{pointer}"
        );
        assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer}");
        // The pointer leads to an existing member, or to a missing one of an existing parent.
        let around = pointer.rsplit_once('/').map_or("", |(around, _)| around);
        if let Some(document) = document {
            assert!(
                document.pointer(around).is_some(),
                "{pointer} leads nowhere: {detail}"
            );
        }
    }
}

async fn upload(body: &[u8]) {
    let text = [
        b"POST /v1/uploads\ncontent-type: application/json\n\n",
        body,
    ]
    .concat();
    let mut scene = Scene::new();
    let sent = request::read(b"", &text, "", "").expect("a request");
    let answer = scene.ask(&sent).await;
    match answer.status.as_u16() {
        201 => {
            let terms: Value = serde_json::from_slice(unmarked(body)).expect("it was read");
            assert!(
                terms["content_length"]
                    .as_f64()
                    .is_some_and(|length| length >= 1.0 && length.fract() == 0.0)
            );
        }
        422 => {
            let errors: Vec<_> =
                serde_json::from_value(answer.json()["errors"].clone()).expect("errors");
            invalid(
                &errors,
                body,
                serde_json::from_slice(unmarked(body)).ok().as_ref(),
            );
        }
        status => assert!(matches!(status, 400 | 413), "{status}"),
    }
}
