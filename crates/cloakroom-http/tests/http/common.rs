//! Section 2: rules of every response.

use axum::body::Body;
use cloakroom_app::testing::Fault;
use cloakroom_http::{Cors, HttpSettings, Site};
use serde_json::json;

use crate::service::{service, service_with};

#[tokio::test(start_paused = true)]
async fn a_path_that_is_not_there_is_not_found() {
    let service = service();
    for path in [
        "/nothing",
        "/jobs/",
        "/commands/",
        "/commands/a/b",
        "/uploads/",
        "/jobs/x/result/",
    ] {
        let problem = service.get(path, &[]).await.problem(404, "not-found");
        assert_eq!(
            (&problem["instance"], &problem["type"]),
            (&json!(path), &json!("urn:cloakroom:problem:not-found"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_known_path_rejects_other_methods_with_those_that_it_allows() {
    let service = service();
    for (path, allow) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/commands", "GET, HEAD, OPTIONS"),
        ("/commands/act", "POST, OPTIONS"),
        ("/commands/unknown", "POST, OPTIONS"),
        ("/uploads", "POST, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
        ("/jobs", "GET, HEAD, OPTIONS"),
        ("/jobs/x", "GET, HEAD, DELETE, OPTIONS"),
        ("/jobs/x/result", "GET, HEAD, OPTIONS"),
    ] {
        for method in ["PUT", "PATCH", "TRACE", "BREW"] {
            let response = service.request(method, path, &[], Body::empty()).await;
            response.problem(405, "method-not-allowed");
            assert_eq!(
                response.headers.get_all("allow").iter().collect::<Vec<_>>(),
                [allow],
                "{method} {path}"
            );
        }
        let response = service.request("OPTIONS", path, &[], Body::empty()).await;
        assert_eq!((response.status, response.header("allow")), (204, allow));
    }
    service
        .get("/commands/act", &[])
        .await
        .problem(405, "method-not-allowed");
    service
        .request("HEAD", "/uploads", &[], Body::empty())
        .await;
}

#[tokio::test(start_paused = true)]
async fn head_is_get_without_the_body() {
    let service = service();
    let location = service.finished_job("answer").await;
    for path in [
        &location,
        "/jobs/unknown",
        "/openapi.json",
        "/jobs?client_job_id=order-1042",
    ] {
        let (get, head) = (
            service.get(path, &[]).await,
            service.request("HEAD", path, &[], Body::empty()).await,
        );
        assert_eq!(
            (get.status, get.header("etag")),
            (head.status, head.header("etag"))
        );
        assert_eq!(get.body.len().to_string(), head.header("content-length"));
        assert!(head.body.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_request_id_is_echoed_or_made() {
    let service = service();
    assert_eq!(
        service
            .get("/nothing", &[("x-request-id", "abc-1")])
            .await
            .header("x-request-id"),
        "abc-1"
    );
    for bad in ["", "a b", &"a".repeat(129)] {
        assert_eq!(
            service
                .get("/jobs/x", &[("x-request-id", bad)])
                .await
                .header("x-request-id")
                .len(),
            36
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_service_is_reported_without_details() {
    let service = service();
    let location = service.finished_job("answer").await;
    let upload = r#"{"content_type":"image/png","content_length":3}"#;
    for (call, method, path, body) in [
        ("load", "GET", location.as_str(), ""),
        ("load", "GET", &format!("{location}/result"), ""),
        ("load", "GET", "/jobs?client_job_id=a", ""),
        ("change", "DELETE", &location, ""),
        ("accept", "POST", "/commands/act", "{}"),
        ("send", "POST", "/commands/act", "{}"),
    ] {
        service.room.memory.fail(call, Fault::Before);
        let response = service.request(method, path, &[], body).await;
        response.problem(503, "temporarily-unavailable");
        assert_eq!(response.header("retry-after"), "2");
        assert!(
            !response.text().contains("memory") && !response.text().contains("made to fail"),
            "{}",
            response.text()
        );
    }
    assert_eq!(
        service
            .request("POST", "/uploads", &[], upload)
            .await
            .status,
        201
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_that_can_not_be_read_is_not_one_that_is_unknown() {
    let service = service();
    let location = service.finished_job("answer").await;
    let key = ("idempotency-key", "order-1042");
    service
        .room
        .memory
        .damage(&service.room.memory.only_job().key());
    let below = |path: &str| format!("{location}{path}");
    for (method, path) in [
        ("GET", below("")),
        ("GET", below("/result")),
        ("GET", below("/history")),
        ("GET", "/jobs?client_job_id=order-1042".to_owned()),
        ("DELETE", below("")),
    ] {
        let response = service.request(method, &path, &[], Body::empty()).await;
        response.problem(503, "temporarily-unavailable");
    }
    let again = service.act("answer", &[key]).await;
    again.problem(503, "temporarily-unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_internal_error_that_shows_nothing() {
    let service = service_with(Site::default().tenant(|_| panic!("secret")));
    let response = service
        .get(
            "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11",
            &[("x-request-id", "r-1")],
        )
        .await;
    response.problem(500, "internal-error");
    assert!(!response.text().contains("secret"));
    assert_eq!(response.header("x-request-id"), "r-1");
}

#[tokio::test(start_paused = true)]
async fn a_request_of_an_unknown_caller_is_rejected_on_every_route() {
    let service = service_with(Site::default().tenant(|_| None));
    for (method, path) in [
        ("POST", "/commands/act"),
        ("POST", "/commands/no.such"),
        ("POST", "/uploads"),
        ("GET", "/openapi.json"),
        ("GET", "/jobs?client_job_id=k"),
        ("GET", "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"),
        ("DELETE", "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"),
        ("GET", "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11/result"),
        ("PATCH", "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"),
        ("GET", "/nowhere"),
    ] {
        service
            .request(method, path, &[], "{}")
            .await
            .problem(403, "forbidden");
    }
    assert!(
        service.room.memory.calls().is_empty(),
        "nothing was read or written"
    );
    for path in [
        "/commands/act",
        "/uploads",
        "/openapi.json",
        "/jobs",
        "/jobs/x",
        "/jobs/x/result",
    ] {
        assert_eq!(
            service.request("OPTIONS", path, &[], "").await.status,
            204,
            "{path}: a preflight has no credentials"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_for_the_origins_that_are_configured() {
    let origin = [("origin", "https://shop.example")];
    let exposed =
        "Location, Retry-After, Idempotent-Replayed, Preference-Applied, ETag, X-Request-Id";
    let none = service().get("/jobs/x", &origin).await;
    assert_eq!(
        (
            none.header("access-control-allow-origin"),
            none.header("vary")
        ),
        ("", "")
    );
    let any = service_with(Site::default().cors(Cors::Any))
        .get("/jobs/x", &origin)
        .await;
    assert_eq!(
        (
            any.header("access-control-allow-origin"),
            any.header("access-control-expose-headers")
        ),
        ("*", exposed)
    );
    let service =
        service_with(Site::default().cors(Cors::Only(vec!["https://shop.example".into()])));
    let known = service.get("/jobs/x", &origin).await;
    let headers = [
        "access-control-allow-origin",
        "access-control-expose-headers",
        "vary",
    ]
    .map(|name| known.header(name));
    assert_eq!(headers, ["https://shop.example", exposed, "Origin"]);
    let other = service
        .get("/nothing", &[("origin", "https://evil.example")])
        .await;
    assert_eq!(
        (
            other.header("access-control-allow-origin"),
            other.header("vary")
        ),
        ("", "Origin")
    );
}

#[tokio::test(start_paused = true)]
async fn a_preflight_gets_the_methods_and_headers() {
    let service = service_with(Site::default().cors(Cors::Any));
    let preflight = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "DELETE"),
    ];
    let response = service
        .request("OPTIONS", "/jobs/x", &preflight, Body::empty())
        .await;
    assert_eq!(
        (
            response.status,
            response.header("access-control-allow-methods")
        ),
        (204, "GET, HEAD, DELETE, OPTIONS")
    );
    let headers = response.header("access-control-allow-headers");
    for name in [
        "Idempotency-Key",
        "Content-Type",
        "Prefer",
        "Upload-Id",
        "If-Match",
        "If-None-Match",
        "X-Request-Id",
        "traceparent",
        "tracestate",
        "Authorization",
        "X-Api-Key",
        "X-Amz-Date",
        "X-Amz-Security-Token",
    ] {
        assert!(headers.contains(name), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn urls_are_below_the_public_base_path_and_requests_come_with_it_or_without() {
    let service = service_with(Site::from_base_url("https://api.example.com/v1/"));
    let location = service
        .accepted_job("answer", &[("host", "origin.internal")])
        .await;
    assert!(location.starts_with("/v1/jobs/"), "{location}");
    service.room.work_until_idle().await;
    for path in [location.as_str(), location.trim_start_matches("/v1")] {
        let response = service.get(path, &[]).await;
        assert_eq!(
            (response.status, &response.json()["links"]["self"]),
            (200, &json!(location))
        );
    }
    let found = service.get("/v1/jobs?client_job_id=none", &[]).await;
    assert_eq!((found.status, found.json()), (200, json!({ "jobs": [] })));
    for path in ["/v1//jobs", "/v11/jobs", "/v11"] {
        service.get(path, &[]).await.problem(404, "not-found");
    }
    for path in ["/v1", "/v1/", "/v1?x=1", "/"] {
        let root = service.get(path, &[]).await.json();
        assert_eq!(root["commands"], "/v1/commands", "{path}");
    }
    let problem = service
        .get("/v1/jobs/x", &[])
        .await
        .problem(404, "unknown-job");
    assert_eq!(problem["instance"], "/v1/jobs/x");
    let link = service.get("/v1/shared/a-secret/result", &[]).await;
    let problem = link.problem(401, "invalid-ticket");
    assert_eq!(problem["instance"], "/v1/shared", "a ticket is a secret");
    assert_eq!(
        service.get("/v1/openapi.json", &[]).await.json()["servers"],
        json!([{ "url": "/v1" }])
    );
    let submitted = service
        .request(
            "POST",
            "/v1/commands/image.keep?width=1",
            &[("content-type", "image/png")],
            "x",
        )
        .await;
    assert_eq!(submitted.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_base_path_that_ends_with_a_slash_is_the_same_without() {
    let service = service_with(Site::new(HttpSettings {
        base_path: "/v1/".to_owned(),
        ..HttpSettings::default()
    }));
    let location = service.accepted_job("answer", &[]).await;
    assert!(location.starts_with("/v1/jobs/"), "{location}");
    assert_eq!(service.get(&location, &[]).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_serves_one_side_does_not_have_the_other() {
    let room = service().room;
    let submit = cloakroom_http::router(
        Site::default(),
        Some((room.submit.clone(), room.uploads.clone())),
        None,
    );
    let jobs = cloakroom_http::router(Site::default(), None, Some(room.jobs.clone()));
    let (submit, jobs) = (
        crate::service::Service {
            room: room.clone(),
            router: submit,
        },
        crate::service::Service { room, router: jobs },
    );
    submit
        .get("/jobs?client_job_id=a", &[])
        .await
        .problem(404, "not-found");
    jobs.request("POST", "/commands/act", &[], "{}")
        .await
        .problem(404, "not-found");
    let location = submit
        .act("answer", &[])
        .await
        .header("location")
        .to_owned();
    assert_eq!(jobs.get(&location, &[]).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn what_is_read_must_match_if_match() {
    let service = service();
    let location = service
        .accepted_job("answer", &[("idempotency-key", "k")])
        .await;
    let tag = service.get(&location, &[]).await.header("etag").to_owned();
    let (history, result) = (format!("{location}/history"), format!("{location}/result"));
    for path in [
        &location,
        &history,
        &result,
        "/jobs?client_job_id=k",
        "/openapi.json",
    ] {
        for method in ["GET", "HEAD"] {
            let ask = async |tag: &str| {
                service
                    .request(method, path, &[("if-match", tag)], Body::empty())
                    .await
                    .status
            };
            assert_eq!(ask("\"stale\"").await, 412, "{method} {path}");
            assert_eq!(ask(&format!("W/{tag}")).await, 412, "{method} {path}");
            assert_eq!(ask("stale").await, 400, "{method} {path}");
            assert_eq!(ask("*").await / 100, 2, "{method} {path}");
        }
    }
    for path in [&location, &result] {
        assert_eq!(service.get(path, &[("if-match", &tag)]).await.status, 202);
        let both = [("if-match", "\"stale\""), ("if-none-match", &*tag)];
        service
            .get(path, &both)
            .await
            .problem(412, "precondition-failed");
    }
    service
        .get("/jobs/x", &[("if-match", "\"stale\"")])
        .await
        .problem(404, "unknown-job");
    service
        .request("PATCH", &location, &[("if-match", "\"stale\"")], "")
        .await
        .problem(405, "method-not-allowed");
}

#[tokio::test(start_paused = true)]
async fn the_whole_service_lists_its_methods() {
    let response = service().request("OPTIONS", "*", &[], Body::empty()).await;
    assert_eq!(
        (response.status, response.header("allow")),
        (204, "GET, HEAD, POST, DELETE, OPTIONS")
    );
}

#[tokio::test(start_paused = true)]
async fn the_instance_is_a_uri_reference_whatever_the_path_is() {
    let service = service();
    for (path, instance) in [
        ("/é", "/%C3%A9"),
        ("/{x}", "/%7Bx%7D"),
        ("/a|b^c\\d\"", "/a%7Cb%5Ec%5Cd%22"),
        ("/%", "/%25"),
        ("/%4", "/%254"),
        ("/%zz%41", "/%25zz%41"),
        ("/%z1%1z", "/%25z1%251z"),
        ("//jobs/x", "/.//jobs/x"),
        ("/a;b=c,d@e:f", "/a;b=c,d@e:f"),
    ] {
        let problem = service.get(path, &[]).await.problem(404, "not-found");
        assert_eq!(problem["instance"], instance, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_only_like_a_known_one_reads_no_answer() {
    let known = ["https://shop.example", "https://b.example:8443"]
        .map(ToOwned::to_owned)
        .to_vec();
    let service = service_with(Site::default().cors(Cors::Only(known)));
    let id = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";
    for origin in [
        "https://shop.example.evil",
        "https://shop.example:443",
        "https://shop.example/",
        "https://shop.exampl",
        "https://evil.shop.example",
        "https://evilshop.example",
        "http://shop.example",
        "https://b.example",
        "https://B.example:8443",
        "shop.example",
        "null",
        "*",
        "",
    ] {
        for path in [
            "/commands/act",
            "/uploads",
            "/jobs",
            "/openapi.json",
            "/nowhere",
            &format!("/jobs/{id}/result"),
        ] {
            for method in ["GET", "OPTIONS"] {
                let headers = [("origin", origin), ("access-control-request-method", "GET")];
                let response = service.request(method, path, &headers, Body::empty()).await;
                let cors_header = response
                    .headers
                    .keys()
                    .find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!(
                    (cors_header, response.header("vary")),
                    (None, "Origin"),
                    "{method} {path} {origin:?}"
                );
            }
        }
    }
    for origin in ["https://shop.example", "https://b.example:8443"] {
        let response = service.get("/jobs", &[("origin", origin)]).await;
        assert_eq!(response.header("access-control-allow-origin"), origin);
    }
    assert_eq!(
        service
            .get("/jobs", &[])
            .await
            .header("access-control-allow-origin"),
        ""
    );
}
