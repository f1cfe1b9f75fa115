//! Polls, long polls, and results.

use std::time::{Duration, Instant};

use cloakroom_tests::{Deployment, Test, header, json, location_of, suite};
use reqwest::Method;
use serde_json::json;

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_poll_that_waits_answers_when_the_job_is_over,
        a_poll_with_the_etag_waits_for_a_change_and_follows_the_progress,
        a_large_result_is_fetched_by_a_link_that_serves_it,
        a_link_that_was_changed_serves_nothing => [SignedLinks],
        a_result_is_there_only_once_the_job_is_done,
        a_named_resource_is_where_the_result_is,
        a_person_gets_a_page_and_is_forwarded_to_what_was_made,
    ]
}

async fn a_poll_that_waits_answers_when_the_job_is_over() {
    let cloakroom = Deployment::get().await;
    let begun = Instant::now();
    let request = cloakroom
        .request(Method::POST, "/commands/diagnostic.run")
        .header("Prefer", "wait=20");
    let answer = request
        .json(&json!({"duration_ms": 500, "result": {"a": null}}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (
            answer.status().as_u16(),
            header(&answer, "preference-applied")
        ),
        (200, Some("wait=20"))
    );
    assert!(header(&answer, "location").is_some());
    assert!(begun.elapsed() < Duration::from_secs(20), "it waited on");
    assert_eq!(json(answer).await.1["result"], json!({"a": null}));
}

async fn a_poll_with_the_etag_waits_for_a_change_and_follows_the_progress() {
    let cloakroom = Deployment::get().await;
    let answer = cloakroom
        .diagnose(
            None,
            &json!({"duration_ms": 4000, "progress_steps": 4, "message": "step"}),
        )
        .await;
    let location = location_of(&answer);
    let mut etag = header(&answer, "etag").expect("an ETag").to_owned();
    let mut percents = vec![];
    loop {
        let request = cloakroom
            .request(Method::GET, &location)
            .header("Prefer", "wait=20")
            .header("If-None-Match", &etag);
        let answer = request.send().await.expect("an answer");
        assert_ne!(answer.status(), 304, "nothing changed in 20 s");
        etag = header(&answer, "etag").expect("an ETag").to_owned();
        let (status, job) = json(answer).await;
        percents.extend(job["progress"]["percent"].as_f64());
        if status == 200 {
            break;
        }
        assert_eq!(status, 202);
    }
    assert!(percents.len() >= 3 && percents.is_sorted(), "{percents:?}");
    let unchanged = cloakroom
        .request(Method::GET, &location)
        .header("If-None-Match", &etag)
        .send()
        .await
        .expect("an answer");
    assert_eq!(unchanged.status(), 304);
}

async fn a_large_result_is_fetched_by_a_link_that_serves_it() {
    let cloakroom = Deployment::get().await;
    let answer = cloakroom
        .diagnose(None, &json!({"result_bytes": 1_000_000}))
        .await;
    let location = location_of(&answer);
    let (status, job) = cloakroom.end_of(&location).await;
    assert_eq!((status, job.result), (200, None));
    let result_url = cloakroom.resolve(&job.result_url.expect("a result_url"));
    assert_eq!(result_url, format!("{location}/result"));
    let redirect = cloakroom.get_at(&result_url).await;
    assert_eq!(redirect.status(), 303);
    let link = location_of(&redirect);
    assert!(
        link.contains("X-Amz-Expires=900&"),
        "it serves for 15 minutes: {link}"
    );
    let served = cloakroom.get_at(&link).await;
    assert_eq!(
        (served.status().as_u16(), header(&served, "content-type")),
        (200, Some("application/octet-stream"))
    );
    assert_eq!(served.bytes().await.expect("the result").len(), 1_000_000);
}

async fn a_link_that_was_changed_serves_nothing() {
    let cloakroom = Deployment::get().await;
    let location = location_of(
        &cloakroom
            .diagnose(None, &json!({"result_bytes": 100_000}))
            .await,
    );
    cloakroom.end_of(&location).await;
    let link = location_of(&cloakroom.get_at(&format!("{location}/result")).await);
    let signature = link.split_once("X-Amz-Signature=").expect("a signature").1;
    let forged = link.replace(
        signature.split('&').next().expect("its digits"),
        &"0".repeat(64),
    );
    assert_eq!(cloakroom.get_at(&forged).await.status(), 403);
}

async fn a_result_is_there_only_once_the_job_is_done() {
    let cloakroom = Deployment::get().await;
    let answer = cloakroom
        .diagnose(None, &json!({"duration_ms": 3000, "result": "x"}))
        .await;
    let location = location_of(&answer);
    let early = cloakroom.get_at(&format!("{location}/result")).await;
    assert_eq!(early.status(), 202);
    assert!(header(&early, "retry-after").is_some());
    cloakroom.end_of(&location).await;
    let inline = cloakroom.get_at(&format!("{location}/result")).await;
    assert_eq!(
        (inline.status().as_u16(), header(&inline, "content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(inline.text().await.expect("the result"), "\"x\"");
}

async fn a_named_resource_is_where_the_result_is() {
    let cloakroom = Deployment::get().await;
    for (payload, status, place) in [
        (json!({"resource": "/reports/7"}), 303, Some("/reports/7")),
        (json!({}), 204, None),
    ] {
        let location = location_of(&cloakroom.diagnose(None, &payload).await);
        let (_, job) = cloakroom.end_of(&location).await;
        assert_eq!(job.resource.as_deref(), place);
        let answer = cloakroom.get_at(&format!("{location}/result")).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "location")),
            (status, place)
        );
    }
}

async fn a_person_gets_a_page_and_is_forwarded_to_what_was_made() {
    let cloakroom = Deployment::get().await;
    let location = location_of(
        &cloakroom
            .diagnose(None, &json!({"resource": "/reports/7"}))
            .await,
    );
    cloakroom.end_of(&location).await;
    let page = |path: String| {
        cloakroom
            .request(Method::GET, &path)
            .header("Accept", "text/html")
            .send()
    };
    let forwarded = page(location).await.expect("an answer");
    assert_eq!(
        (forwarded.status().as_u16(), header(&forwarded, "location")),
        (303, Some("/reports/7"))
    );
    let failed = cloakroom
        .diagnose(None, &json!({"fail": "terminal", "message": "<b>no</b>"}))
        .await;
    let location = location_of(&failed);
    cloakroom.end_of(&location).await;
    let answer = page(location).await.expect("an answer");
    assert!(
        header(&answer, "content-type")
            .expect("a type")
            .starts_with("text/html")
    );
    let text = answer.text().await.expect("a page");
    assert!(
        text.contains("&lt;b&gt;no&lt;/b&gt;") && !text.contains("<b>no"),
        "{text}"
    );
}
