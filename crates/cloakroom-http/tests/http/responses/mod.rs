//! Every response of every route: its status, its headers, and the texts of its problem.
//!
//! The document's responses are the list that the record must contain, so new routes and statuses are included.

mod jobs;
mod listeners;
mod record;
mod rejections;
mod submissions;

use std::collections::BTreeSet;

use cloakroom_http::{Cors, unrouted_response};
use http_body_util::BodyExt as _;
use record::Record;

use crate::service::{DOCUMENT, Response};

/// Statuses that the router doesn't choose: the gateway's own, and the family of handlers' statuses.
const NOT_BY_ROUTER: [&str; 3] = ["401", "429", "4XX"];

async fn all() -> Record {
    let mut record = Record::default();
    submissions::commands(&mut record).await;
    submissions::uploads(&mut record).await;
    jobs::polls(&mut record).await;
    jobs::results(&mut record).await;
    jobs::other_queries(&mut record).await;
    jobs::cancellations(&mut record).await;
    rejections::commands(&mut record).await;
    rejections::uploads(&mut record).await;
    rejections::every_route(&mut record).await;
    listeners::events(&mut record).await;
    listeners::links_and_deliveries(&mut record).await;
    listeners::shared(&mut record).await;
    listeners::every_route(&mut record).await;
    record
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_its_headers() {
    insta::assert_snapshot!(all().await.text());
}

#[tokio::test(start_paused = true)]
async fn every_answer_of_the_document_is_given() {
    let seen = all().await.seen();
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
    documented.retain(|(_, _, status)| !NOT_BY_ROUTER.contains(&status.as_str()));
    let missing: Vec<_> = documented.difference(&seen).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn every_answer_without_a_route_has_its_headers() {
    let mut lines = vec![];
    for status in [400, 405, 414, 431, 503] {
        let status = http::StatusCode::from_u16(status).expect("a status");
        let (parts, body) = unrouted_response(&Cors::Any, status, "/x").into_parts();
        let body = body
            .collect()
            .await
            .expect("bodies are in memory")
            .to_bytes();
        let response = Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        assert_eq!(response.header("x-request-id").len(), 36);
        assert_eq!(response.header("access-control-allow-origin"), "*");
        assert_eq!(
            (
                response.json()["instance"].as_str(),
                response.json()["status"].as_u64()
            ),
            (Some("/x"), Some(response.status.into()))
        );
        lines.push(record::describe(&response));
    }
    insta::assert_snapshot!(lines.concat());
}
