//! Responses to queries of a job, in each of its states.

use std::time::Duration;

use axum::body::Body;

use super::record::{Record, cors_service};
use super::submissions::PAGE;
use crate::service::Service;

/// Requests the document and the page, and each again with its tag.
pub(super) async fn each_variant(
    record: &mut Record,
    situation: &str,
    service: &Service,
    path: &str,
) {
    for (name, accept) in [("document", ("accept", "*/*")), ("page", PAGE)] {
        let situation = format!("{situation}, {name}");
        let response = record
            .request(&situation, service, ("GET", path), &[accept], "")
            .await;
        let tag = response.header("etag");
        if !tag.is_empty() {
            let known = ("if-none-match", tag);
            record
                .request(
                    &format!("{situation}, known"),
                    service,
                    ("GET", path),
                    &[accept, known],
                    "",
                )
                .await;
        }
    }
}

pub(super) async fn polls(record: &mut Record) {
    for act in ["answer", "large", "resource", "fail", "refuse"] {
        let (service, location) = service_with_finished_job(act).await;
        each_variant(record, &format!("over: {act}"), &service, &location).await;
    }
    each_state_before_an_end(record, "", own).await;
    let service = cors_service();
    let location = service.accepted_job("answer", &[]).await;
    record
        .request(
            "wait=1",
            &service,
            ("GET", &location),
            &[("prefer", "wait=1")],
            "",
        )
        .await;
    let waits = [("prefer", "wait=1"), ("if-none-match", "*")];
    record
        .request("wait=1, known", &service, ("GET", &location), &waits, "")
        .await;
}

pub(super) async fn results(record: &mut Record) {
    for act in [
        "answer", "page", "large", "resource", "nothing", "fail", "refuse",
    ] {
        let (service, location) = service_with_finished_job(act).await;
        let path = format!("{location}/result");
        each_variant(record, &format!("over: {act}"), &service, &path).await;
        let document = [("prefer", "return=representation, wait=1")];
        record
            .request(
                &format!("over: {act}, a document"),
                &service,
                ("GET", &path),
                &document,
                "",
            )
            .await;
        if act == "large" {
            tokio::time::sleep(Duration::from_secs(7200)).await;
            record
                .request("no longer kept", &service, ("GET", &path), &[], "")
                .await;
        }
    }
    each_state_before_an_end(record, "/result", own).await;
}

/// Queries a job that is accepted, cancelled, running, being cancelled, and between two attempts. `place` returns the path
/// at which the job is queried.
pub(super) async fn each_state_before_an_end(
    record: &mut Record,
    below: &str,
    place: impl AsyncFn(&Service, &str) -> String,
) {
    let quiet = cors_service();
    let location = quiet.act("answer", &[]).await.header("location").to_owned();
    let path = format!("{}{below}", place(&quiet, &location).await);
    each_variant(record, "accepted", &quiet, &path).await;
    quiet.request("DELETE", &location, &[], Body::empty()).await;
    each_variant(record, "cancelled", &quiet, &path).await;
    let busy = cors_service();
    let (location, work) = busy.running_job("stumble").await;
    let path = format!("{}{below}", place(&busy, &location).await);
    each_variant(record, "retrying", &busy, &path).await;
    work.abort();
    let busy = cors_service();
    let (location, work) = busy.running_job("nap").await;
    let path = format!("{}{below}", place(&busy, &location).await);
    each_variant(record, "running", &busy, &path).await;
    busy.request("DELETE", &location, &[], Body::empty()).await;
    each_variant(record, "cancelling", &busy, &path).await;
    work.abort();
}

/// The job's own path.
async fn own(_: &Service, location: &str) -> String {
    location.to_owned()
}

pub(super) async fn other_queries(record: &mut Record) {
    let (service, location) = service_with_finished_job("answer").await;
    record
        .request(
            "over",
            &service,
            ("GET", &format!("{location}/history")),
            &[],
            "",
        )
        .await;
    record
        .request(
            "found",
            &service,
            ("GET", "/jobs?client_job_id=order-1042"),
            &[],
            "",
        )
        .await;
    record
        .request(
            "not found",
            &service,
            ("GET", "/jobs?client_job_id=x"),
            &[],
            "",
        )
        .await;
    for path in ["/openapi.json", "/", "/commands"] {
        record
            .request("there", &service, ("GET", path), &[], "")
            .await;
    }
}

pub(super) async fn cancellations(record: &mut Record) {
    let service = cors_service();
    let location = service.accepted_job("answer", &[]).await;
    record
        .request("accepted", &service, ("DELETE", &location), &[], "")
        .await;
    record
        .request("cancelled", &service, ("DELETE", &location), &[], "")
        .await;
    let (location, work) = service.running_job("nap").await;
    record
        .request("running", &service, ("DELETE", &location), &[], "")
        .await;
    record
        .request("cancelling", &service, ("DELETE", &location), &[], "")
        .await;
    work.abort();
    for act in ["answer", "fail"] {
        let (service, location) = service_with_finished_job(act).await;
        record
            .request(
                &format!("over: {act}"),
                &service,
                ("DELETE", &location),
                &[],
                "",
            )
            .await;
    }
}

/// Returns a service, and the path of its finished job.
pub(super) async fn service_with_finished_job(act: &str) -> (Service, String) {
    let service = cors_service();
    let location = service.finished_job(act).await;
    (service, location)
}
