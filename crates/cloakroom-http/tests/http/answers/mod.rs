//! Every answer of every route: its status, its headers, and the words of its problem.
//!
//! The document's responses are the list of what has to be seen here, so a new route or a new status joins it.

mod jobs;
mod record;
mod refusals;
mod submissions;

use std::collections::BTreeSet;

use cloakroom_http::{Cors, unanswered};
use http_body_util::BodyExt as _;
use record::Record;

use crate::house::{Answer, DOCUMENT};

/// Statuses that are not the router's: the gateway's own, and the family of those that handlers choose.
const NOT_OURS: [&str; 3] = ["401", "429", "4XX"];

async fn all() -> Record {
    let mut record = Record::default();
    submissions::commands(&mut record).await;
    submissions::uploads(&mut record).await;
    jobs::polls(&mut record).await;
    jobs::results(&mut record).await;
    jobs::other_questions(&mut record).await;
    jobs::cancellations(&mut record).await;
    refusals::of_commands(&mut record).await;
    refusals::of_uploads(&mut record).await;
    refusals::of_every_route(&mut record).await;
    record
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_its_headers() {
    insta::assert_snapshot!(all().await.text());
}

#[tokio::test(start_paused = true)]
async fn every_answer_of_the_document_is_given() {
    let given = all().await.given();
    let mut documented = BTreeSet::new();
    for (path, item) in DOCUMENT["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let statuses = operation["responses"]
                .as_object()
                .expect("responses")
                .keys();
            documented.extend(
                statuses.map(|status| (path.clone(), method.to_uppercase(), status.clone())),
            );
        }
    }
    documented.retain(|(_, _, status)| !NOT_OURS.contains(&status.as_str()));
    let missing: Vec<_> = documented.difference(&given).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn every_answer_without_a_route_has_its_headers() {
    let mut lines = vec![];
    for status in [400, 405, 414, 431, 503] {
        let status = http::StatusCode::from_u16(status).expect("a status");
        let (parts, body) = unanswered(&Cors::Any, status, "/x").into_parts();
        let body = body
            .collect()
            .await
            .expect("bodies are in memory")
            .to_bytes();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        assert_eq!(answer.header("x-request-id").len(), 36);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(
            (
                answer.json()["instance"].as_str(),
                answer.json()["status"].as_u64()
            ),
            (Some("/x"), Some(answer.status.into()))
        );
        lines.push(record::described(&answer));
    }
    insta::assert_snapshot!(lines.concat());
}
