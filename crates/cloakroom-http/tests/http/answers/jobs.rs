//! Answers to questions about a job, in each of its states.

use std::time::Duration;

use axum::body::Body;

use super::record::{Record, house};
use super::submissions::PAGE;
use crate::house::House;

/// Asks for the document and for the page, and again with the tag of each.
async fn shown(record: &mut Record, situation: &str, house: &House, path: &str) {
    for (name, accept) in [("document", ("accept", "*/*")), ("page", PAGE)] {
        let situation = format!("{situation}, {name}");
        let answer = record
            .ask(&situation, house, ("GET", path), &[accept], "")
            .await;
        let tag = answer.header("etag");
        if !tag.is_empty() {
            let known = ("if-none-match", tag);
            record
                .ask(
                    &format!("{situation}, known"),
                    house,
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
        let (house, location) = house_with(act).await;
        shown(record, &format!("over: {act}"), &house, &location).await;
    }
    each_state_before_an_end(record, "").await;
    let house = house();
    let location = house.act("answer", &[]).await.header("location").to_owned();
    record
        .ask(
            "wait=1",
            &house,
            ("GET", &location),
            &[("prefer", "wait=1")],
            "",
        )
        .await;
    let waits = [("prefer", "wait=1"), ("if-none-match", "*")];
    record
        .ask("wait=1, known", &house, ("GET", &location), &waits, "")
        .await;
}

pub(super) async fn results(record: &mut Record) {
    for act in [
        "answer", "page", "large", "resource", "nothing", "fail", "refuse",
    ] {
        let (house, location) = house_with(act).await;
        let path = format!("{location}/result");
        shown(record, &format!("over: {act}"), &house, &path).await;
        let document = [("prefer", "return=representation, wait=1")];
        record
            .ask(
                &format!("over: {act}, a document"),
                &house,
                ("GET", &path),
                &document,
                "",
            )
            .await;
        if act == "large" {
            tokio::time::sleep(Duration::from_secs(7200)).await;
            record
                .ask("no longer kept", &house, ("GET", &path), &[], "")
                .await;
        }
    }
    each_state_before_an_end(record, "/result").await;
}

/// A job that is accepted, cancelled, running, being cancelled, and between two attempts.
async fn each_state_before_an_end(record: &mut Record, below: &str) {
    let quiet = house();
    let location = quiet.act("answer", &[]).await.header("location").to_owned();
    shown(record, "accepted", &quiet, &format!("{location}{below}")).await;
    quiet.ask("DELETE", &location, &[], Body::empty()).await;
    shown(record, "cancelled", &quiet, &format!("{location}{below}")).await;
    let busy = house();
    let (location, work) = busy.underway("stumble").await;
    shown(record, "retrying", &busy, &format!("{location}{below}")).await;
    work.abort();
    let busy = house();
    let (location, work) = busy.underway("nap").await;
    shown(record, "running", &busy, &format!("{location}{below}")).await;
    busy.ask("DELETE", &location, &[], Body::empty()).await;
    shown(record, "cancelling", &busy, &format!("{location}{below}")).await;
    work.abort();
}

pub(super) async fn other_questions(record: &mut Record) {
    let (house, location) = house_with("answer").await;
    record
        .ask(
            "over",
            &house,
            ("GET", &format!("{location}/history")),
            &[],
            "",
        )
        .await;
    record
        .ask(
            "found",
            &house,
            ("GET", "/jobs?client_job_id=order-1042"),
            &[],
            "",
        )
        .await;
    record
        .ask(
            "not found",
            &house,
            ("GET", "/jobs?client_job_id=x"),
            &[],
            "",
        )
        .await;
    record
        .ask("there", &house, ("GET", "/openapi.json"), &[], "")
        .await;
}

pub(super) async fn cancellations(record: &mut Record) {
    let house = house();
    let location = house.act("answer", &[]).await.header("location").to_owned();
    record
        .ask("accepted", &house, ("DELETE", &location), &[], "")
        .await;
    record
        .ask("cancelled", &house, ("DELETE", &location), &[], "")
        .await;
    let (location, work) = house.underway("nap").await;
    record
        .ask("running", &house, ("DELETE", &location), &[], "")
        .await;
    record
        .ask("cancelling", &house, ("DELETE", &location), &[], "")
        .await;
    work.abort();
    for act in ["answer", "fail"] {
        let (house, location) = house_with(act).await;
        record
            .ask(
                &format!("over: {act}"),
                &house,
                ("DELETE", &location),
                &[],
                "",
            )
            .await;
    }
}

/// A deployment and the path of a finished job.
async fn house_with(act: &str) -> (House, String) {
    let house = house();
    let location = house.done(act).await;
    (house, location)
}
