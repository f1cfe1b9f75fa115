//! Record of requests and their responses.

use std::collections::BTreeSet;

use axum::body::Body;
use cloakroom_http::{Cors, Site};

use crate::service::{Response, Service, service_with, template};

/// Origin of the page that sends the requests.
const ORIGIN: &str = "https://shop.example";

/// Creates a service whose responses this page may read.
pub(super) fn cors_service() -> Service {
    cors_service_with(Site::default())
}

pub(super) fn cors_service_with(site: Site) -> Service {
    service_with(site.cors(Cors::Only(vec![ORIGIN.to_owned()])))
}

#[derive(Default)]
pub(super) struct Record {
    /// Request lines with their responses, and the situations in which they occur.
    responses: Vec<(String, Vec<String>)>,
    seen: BTreeSet<(String, String, String)>,
}

impl Record {
    /// Sends a request, checks the rules of every response, and records the rest.
    pub(super) async fn request(
        &mut self,
        situation: &str,
        service: &Service,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let headers = [&[("origin", ORIGIN), ("x-request-id", "r-1")], headers].concat();
        let response = service
            .request(method, path, &headers, body.to_owned())
            .await;
        check(&response, method);
        let template = path
            .split('?')
            .next()
            .and_then(template)
            .unwrap_or("(none)");
        self.seen.insert((
            template.to_owned(),
            method.to_owned(),
            response.status.to_string(),
        ));
        self.add(
            format!("{method} {template}: {}", describe(&response)),
            situation,
        );
        if method == "GET" && !headers.iter().any(|(name, _)| *name == "prefer") {
            let head = service.request("HEAD", path, &headers, Body::empty()).await;
            assert_eq!(
                (head.status, lines(&head)),
                (response.status, lines(&response)),
                "HEAD {path} ({situation})"
            );
        }
        response
    }

    fn add(&mut self, response: String, situation: &str) {
        match self
            .responses
            .iter_mut()
            .find(|(known, _)| *known == response)
        {
            Some((_, situations)) => situations.push(situation.to_owned()),
            None => self.responses.push((response, vec![situation.to_owned()])),
        }
    }

    /// Returns each different response, with the situations in which it occurs.
    pub(super) fn text(mut self) -> String {
        self.responses
            .sort_by_key(|(response, _)| response.lines().next().map(ToOwned::to_owned));
        let lines = |(response, situations): &(String, Vec<String>)| {
            format!("{response}  ({})\n", situations.join("; "))
        };
        self.responses.iter().map(lines).collect()
    }

    /// Returns each path, method and status in the record.
    pub(super) fn seen(self) -> BTreeSet<(String, String, String)> {
        self.seen
    }
}

/// Describes a response: its status, the texts of its problem, and its headers.
pub(super) fn describe(response: &Response) -> String {
    let mut lines = vec![response.status.to_string()];
    if response.header("content-type") == "application/problem+json" && !response.body.is_empty() {
        let problem = response.json();
        let word = |name: &str| problem[name].as_str().unwrap_or_default();
        lines[0] = format!("{} {} ({})", response.status, word("code"), word("title"));
        lines.push(word("detail").to_owned());
        let known = [
            "type", "title", "status", "detail", "instance", "code", "errors", "job",
        ];
        let members = problem.as_object().expect("an object").iter();
        lines.extend(
            members
                .filter(|(name, _)| !known.contains(&name.as_str()))
                .map(|it| format!("{}: {}", it.0, it.1)),
        );
        lines.extend(
            problem["errors"]
                .as_array()
                .into_iter()
                .flatten()
                .map(ToString::to_string),
        );
    }
    lines.extend(self::lines(response));
    lines.join("\n    ") + "\n"
}

/// Returns the headers that are not the same in every response, in the order of their names.
fn lines(response: &Response) -> Vec<String> {
    const EVERYWHERE: [&str; 4] = [
        "access-control-allow-origin",
        "access-control-expose-headers",
        "content-length",
        "x-request-id",
    ];
    let headers = response
        .headers
        .iter()
        .filter(|(name, _)| !EVERYWHERE.contains(&name.as_str()));
    let mut lines: Vec<_> = headers
        .map(|(name, value)| {
            format!(
                "{name}: {}",
                normalize(value.to_str().expect("visible ASCII"))
            )
        })
        .collect();
    lines.sort();
    lines
}

/// Replaces the variable parts of a value: ids, the time and version of a tag, and hashes.
fn normalize(value: &str) -> String {
    let is_id =
        |piece: &str| piece.len() == 36 && piece.bytes().filter(|byte| *byte == b'-').count() == 4;
    if let Some(tag) = value.strip_prefix('"') {
        return if tag.ends_with("-h\"") {
            "(of the page)"
        } else {
            "(of the document)"
        }
        .to_owned();
    }
    let pieces = value
        .split('/')
        .map(|piece| if is_id(piece) { "{id}" } else { piece });
    let value = pieces.collect::<Vec<_>>().join("/");
    let words = value.split(' ').map(|word| {
        if word.starts_with("'sha256-") {
            "(hash);"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn check(response: &Response, method: &str) {
    let of = |name: &str| {
        response
            .headers
            .get_all(name)
            .iter()
            .map(http::HeaderValue::as_bytes)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("access-control-allow-origin"), [ORIGIN.as_bytes()]);
    let exposed =
        "Location, Retry-After, Idempotent-Replayed, Preference-Applied, ETag, X-Request-Id";
    let exposed =
        Some(exposed.as_bytes()).filter(|_| response.header("access-control-max-age").is_empty());
    assert_eq!(
        of("access-control-expose-headers"),
        exposed.into_iter().collect::<Vec<_>>()
    );
    assert!(of("vary").contains(&&b"Origin"[..]));
    assert_eq!(of("x-request-id"), [b"r-1"]);
    let length = response.body.len().to_string();
    let stream = response.header("content-type") == "text/event-stream";
    if method != "HEAD" && !stream && ![204, 304].contains(&response.status) {
        assert_eq!(of("content-length"), [length.as_bytes()]);
    }
}
