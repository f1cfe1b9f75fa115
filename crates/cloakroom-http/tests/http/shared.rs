//! Section 8.3: links that can be shared.

use std::time::Duration;

use axum::body::Body;
use cloakroom_http::{Site, router};
use serde_json::{Value, json};

use crate::service::{Service, service, service_with};

async fn share(service: &Service, location: &str, terms: &Value) -> Value {
    let json = [("content-type", "application/json")];
    let path = format!("{location}/links");
    let response = service
        .request("POST", &path, &json, terms.to_string())
        .await;
    assert_eq!(response.status, 201, "{}", response.text());
    assert_eq!(response.header("cache-control"), "no-store");
    response.json()
}

fn url(link: &Value) -> String {
    link["url"].as_str().expect("a url").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_holder_of_a_link_reads_the_job_without_credentials() {
    // Nobody but the holders of links is known here.
    let service = service_with(Site::default().tenant(|parts| {
        let known = parts.headers.contains_key("x-known");
        known.then(cloakroom_core::Tenant::default)
    }));
    let known = [("x-known", "1"), ("content-type", "application/json")];
    let act = r#"{"act":"large"}"#;
    let accepted = service.request("POST", "/commands/act", &known, act).await;
    service.room.work_until_idle().await;
    let location = accepted.header("location");
    let path = format!("{location}/links");
    let link = service.request("POST", &path, &known, "").await.json();
    service.get(location, &[]).await.problem(403, "forbidden");

    let (url, events) = (url(&link), link["events"].as_str().expect("a path"));
    let job = service.get(&url, &[]).await;
    assert_eq!(job.status, 200);
    let (job, own) = (job.json(), service.get(location, &known).await.json());
    assert_eq!((&job["id"], &job["status"]), (&own["id"], &own["status"]));
    assert_eq!(job["links"]["self"], *url);
    assert_eq!(job["result_url"], format!("{url}/result"));
    let result = service.get(&format!("{url}/result"), &[]).await;
    assert_eq!(result.status, 303);
    let stream = service.get(events, &[]).await;
    let (_, data) = stream.text().split_once("\ndata: ").expect("an event");
    let streamed: Value = serde_json::from_str(data.trim_end()).expect("JSON");
    assert_eq!(streamed, job, "with the same links");
    let page = service.get(&url, &[("accept", "text/html")]).await;
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.text().contains(&url));
    for path in ["/history", "/deliveries", "/links"] {
        service
            .get(&format!("{url}{path}"), &known)
            .await
            .problem(404, "not-found");
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_lives_for_10_minutes_unless_the_request_says_how_long() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    for (terms, seconds) in [
        (json!({}), 600),
        (json!({ "scope": ["read"] }), 600),
        (json!({ "ttl_seconds": 86_400 }), 86_400),
    ] {
        let link = share(&service, location, &terms).await;
        let end = service
            .room
            .submit
            .shared
            .host
            .now()
            .after(Duration::from_secs(seconds));
        assert_eq!(link["expires_at"], json!(end), "{terms}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_permits_to_read_unless_the_request_says_otherwise() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    for terms in [json!({}), json!({ "ttl_seconds": 60 })] {
        let url = url(&share(&service, location, &terms).await);
        assert_eq!(service.get(&url, &[]).await.status, 202);
        let delete = service.request("DELETE", &url, &[], Body::empty()).await;
        delete.problem(403, "forbidden");
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_to_one_job_opens_no_other_and_none_of_another_tenant() {
    let service = service_with(Site::default().tenant(|parts| {
        let name = parts.headers.get("x-tenant")?.to_str().ok()?;
        name.parse().ok()
    }));
    let json = ("content-type", "application/json");
    let (one, other) = (("x-tenant", "one"), ("x-tenant", "other"));
    // Both tenants use the same key.
    let key = ("idempotency-key", "a");
    let act = async |tenant| service.act("answer", &[tenant, key]).await.json();
    let (first, second) = (act(one).await, act(other).await);
    assert_ne!(first["id"], second["id"]);
    let path = |job: &Value| format!("{}/links", job["links"]["self"].as_str().expect("a path"));
    let post = async |path: String, tenant| {
        service
            .request(
                "POST",
                &path,
                &[tenant, json],
                r#"{"scope":["read","cancel"]}"#,
            )
            .await
    };
    post(path(&first), other).await.problem(404, "unknown-job");
    let url = url(&post(path(&first), one).await.json());
    // The ticket names the tenant, whatever the caller's own is.
    for headers in [&[][..], &[other]] {
        let shown = service.get(&url, headers).await.json();
        assert_eq!(shown["id"], first["id"]);
    }
    let deleted = service
        .request("DELETE", &url, &[other], Body::empty())
        .await;
    assert_eq!(deleted.json()["status"], "cancelled");
    let location = second["links"]["self"].as_str().expect("a path");
    assert_eq!(service.get(location, &[other]).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_service_without_links_says_so() {
    let service = service();
    let mut jobs = service.room.jobs.clone();
    jobs.links = None;
    let router = router(Site::default(), None, Some(jobs));
    let service = Service { router, ..service };
    let accepted = crate::service::service().act("answer", &[]).await;
    let path = format!("{}/links", accepted.header("location"));
    for (method, path) in [("POST", path.as_str()), ("GET", "/shared/x.y")] {
        let response = service.request(method, path, &[], Body::empty()).await;
        assert_eq!(response.status, 404, "{method} {path}");
    }
    let shared = service.get("/shared/x.y", &[]).await;
    shared.problem(404, "not-found");
}

#[tokio::test(start_paused = true)]
async fn a_link_permits_what_its_scope_says() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    for (scope, read, cancel, signal) in [
        (json!(["read"]), 202, 403, 403),
        (json!(["signal"]), 403, 403, 409),
        (json!(["cancel"]), 403, 200, 403),
        (json!(["read", "cancel", "signal"]), 410, 200, 409),
    ] {
        let link = share(&service, location, &json!({ "scope": scope })).await;
        let url = url(&link);
        let get = service.get(&url, &[]).await;
        if scope.as_array().is_some_and(|scope| scope.len() == 1) {
            assert_eq!(get.status, read, "{scope}");
        }
        let delete = service.request("DELETE", &url, &[], Body::empty()).await;
        assert_eq!(delete.status, cancel, "{scope}");
        let signals = format!("{url}/signals/go");
        let post = service.request("POST", &signals, &[], "{}").await;
        assert_eq!(post.status, signal, "{scope}");
        let get = service.get(&url, &[]).await;
        assert_eq!(get.status, read, "{scope}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_of_a_link_offers_to_cancel_only_if_the_link_permits_it() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    for (scope, offered) in [
        (json!(["read"]), "data-cancel=\"no\""),
        (json!(["read", "cancel"]), "data-cancel=\"yes\""),
    ] {
        let link = share(&service, location, &json!({ "scope": scope })).await;
        let page = service.get(&url(&link), &[("accept", "text/html")]).await;
        assert!(page.text().contains(offered), "{scope}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_altered_or_expired_ticket_is_not_valid_and_no_response_repeats_it() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    let link = share(&service, location, &json!({ "ttl_seconds": 60 })).await;
    let url = url(&link);
    let altered = format!("{}x", &url[..url.len() - 1]);
    for wrong in ["/shared/x", "/shared/x.y", &altered] {
        for path in ["", "/events", "/result"] {
            let response = service.get(&format!("{wrong}{path}"), &[]).await;
            let problem = response.problem(401, "invalid-ticket");
            assert_eq!(problem["instance"], "/shared");
            assert_eq!(response.header("www-authenticate"), "Ticket");
        }
    }
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(service.get(&url, &[]).await.status, 202);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let expired = service.get(&url, &[]).await;
    expired.problem(401, "invalid-ticket");
    assert!(!expired.text().contains(&url[8..]));
}

#[tokio::test(start_paused = true)]
async fn the_problem_of_a_failed_job_does_not_name_the_ticket() {
    let service = service();
    let location = service.finished_job("fail").await;
    let link = share(&service, &location, &json!({ "scope": ["read", "cancel"] })).await;
    for (method, status, code) in [("GET", 400, "job-failed"), ("DELETE", 409, "job-finished")] {
        let response = service
            .request(method, &url(&link), &[], Body::empty())
            .await;
        let problem = response.problem(status, code);
        assert_eq!(problem["instance"], "/shared");
        assert_eq!(problem["job"]["links"]["self"], link["url"]);
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_terms_of_a_link_are_rejected_with_their_place() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let path = format!("{}/links", accepted.header("location"));
    let post = async |body: &'static str| service.request("POST", &path, &[], body).await;
    for (body, pointer) in [
        ("7", ""),
        (r#"{"scope":[]}"#, "/scope"),
        (r#"{"scope":["write"]}"#, "/scope"),
        (r#"{"scope":"read"}"#, "/scope"),
        (r#"{"ttl_seconds":59}"#, "/ttl_seconds"),
        (r#"{"ttl_seconds":86401}"#, "/ttl_seconds"),
        (r#"{"ttl_seconds":60.5}"#, "/ttl_seconds"),
        (r#"{"a/b":1}"#, "/a~1b"),
    ] {
        let problem = post(body).await.problem(422, "invalid-payload");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    for body in [
        r#"{"ttl_seconds":60}"#,
        r#"{"ttl_seconds":86400}"#,
        r#"{"ttl_seconds":385.0}"#,
        "",
        "{}",
    ] {
        assert_eq!(post(body).await.status, 201, "{body}");
    }
    post("{").await.problem(400, "malformed-json");
    let unknown = service.request("POST", "/jobs/x/links", &[], "{}").await;
    unknown.problem(404, "unknown-job");
}
