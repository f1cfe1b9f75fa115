//! Requests that were made, and their answers.

use std::collections::BTreeSet;

use axum::body::Body;
use cloakroom_http::{Cors, Site};

use crate::house::{Answer, House, house_at, template};

/// The page that asks.
const ORIGIN: &str = "https://shop.example";

/// A deployment that this page may ask.
pub(super) fn house() -> House {
    house_of(Site::default())
}

pub(super) fn house_of(site: Site) -> House {
    house_at(site.cors(Cors::Only(vec![ORIGIN.to_owned()])))
}

#[derive(Default)]
pub(super) struct Record {
    /// A request line and its answer, and the situations in which it is given.
    answers: Vec<(String, Vec<String>)>,
    given: BTreeSet<(String, String, String)>,
}

impl Record {
    /// Asks, checks what holds of every answer, and notes the rest.
    pub(super) async fn ask(
        &mut self,
        situation: &str,
        house: &House,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let headers = [&[("origin", ORIGIN), ("x-request-id", "r-1")], headers].concat();
        let answer = house.ask(method, path, &headers, body.to_owned()).await;
        check(&answer, method);
        let template = path
            .split('?')
            .next()
            .and_then(template)
            .unwrap_or("(none)");
        self.given.insert((
            template.to_owned(),
            method.to_owned(),
            answer.status.to_string(),
        ));
        self.note(
            format!("{method} {template}: {}", described(&answer)),
            situation,
        );
        if method == "GET" && !headers.iter().any(|(name, _)| *name == "prefer") {
            let head = house.ask("HEAD", path, &headers, Body::empty()).await;
            assert_eq!(
                (head.status, lines(&head)),
                (answer.status, lines(&answer)),
                "HEAD {path} ({situation})"
            );
        }
        answer
    }

    fn note(&mut self, answer: String, situation: &str) {
        match self.answers.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, situations)) => situations.push(situation.to_owned()),
            None => self.answers.push((answer, vec![situation.to_owned()])),
        }
    }

    /// Each different answer, with the situations in which it is given.
    pub(super) fn text(mut self) -> String {
        self.answers
            .sort_by_key(|(answer, _)| answer.lines().next().map(ToOwned::to_owned));
        let lines = |(answer, situations): &(String, Vec<String>)| {
            format!("{answer}  ({})\n", situations.join("; "))
        };
        self.answers.iter().map(lines).collect()
    }

    /// Each path, method and status that was seen.
    pub(super) fn given(self) -> BTreeSet<(String, String, String)> {
        self.given
    }
}

/// The status, the words of a problem, and the headers.
pub(super) fn described(answer: &Answer) -> String {
    let mut lines = vec![answer.status.to_string()];
    if answer.header("content-type") == "application/problem+json" && !answer.body.is_empty() {
        let problem = answer.json();
        let word = |name: &str| problem[name].as_str().unwrap_or_default();
        lines[0] = format!("{} {} ({})", answer.status, word("code"), word("title"));
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
    lines.extend(self::lines(answer));
    lines.join("\n    ") + "\n"
}

/// The headers that are not the same in every answer, in the order of their names.
fn lines(answer: &Answer) -> Vec<String> {
    const EVERYWHERE: [&str; 4] = [
        "access-control-allow-origin",
        "access-control-expose-headers",
        "content-length",
        "x-request-id",
    ];
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !EVERYWHERE.contains(&name.as_str()));
    let mut lines: Vec<_> = headers
        .map(|(name, value)| format!("{name}: {}", plain(value.to_str().expect("visible ASCII"))))
        .collect();
    lines.sort();
    lines
}

/// A value without what is another in each situation: ids, the time and version of a tag, and hashes.
fn plain(value: &str) -> String {
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

fn check(answer: &Answer, method: &str) {
    let of = |name: &str| {
        answer
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
        Some(exposed.as_bytes()).filter(|_| answer.header("access-control-max-age").is_empty());
    assert_eq!(
        of("access-control-expose-headers"),
        exposed.into_iter().collect::<Vec<_>>()
    );
    assert!(of("vary").contains(&&b"Origin"[..]));
    assert_eq!(of("x-request-id"), [b"r-1"]);
    let length = answer.body.len().to_string();
    if method != "HEAD" && ![204, 304].contains(&answer.status) {
        assert_eq!(of("content-length"), [length.as_bytes()]);
    }
}
