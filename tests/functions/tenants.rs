//! Separation of tenants by the functions. Only the gateway's information about the caller counts, not the caller's
//! own.

use serde_json::{Value, json};

use crate::body;
use crate::lambda::Function;
use crate::stack::{Stack, header, request, with_key};

const UNKNOWN: &str = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";

/// Functions that handle HTTP, called by different tenants.
struct House {
    stack: Stack,
    submit: Function,
    status: Function,
}

impl House {
    async fn start() -> Self {
        let stack = Stack::start_with_keys().await;
        let (submit, status) = tokio::join!(stack.function("submit"), stack.function("status"));
        Self {
            stack,
            submit,
            status,
        }
    }

    /// Returns the response to a tenant from the function that handles the path.
    async fn ask(
        &self,
        tenant: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        sent: Option<&str>,
    ) -> Value {
        let mut all = json!({"content-type": "application/json"});
        for (name, value) in headers {
            all[*name] = json!(value);
        }
        let (path, query) = path
            .split_once('?')
            .map_or((path, json!({})), |(path, query)| {
                let (name, value) = query.split_once('=').expect("one parameter");
                (path, json!({name: [value]}))
            });
        let event = with_key(request(method, path, &query, &all, sent), tenant);
        let submits = ["/commands", "/uploads", "/openapi"]
            .iter()
            .any(|beginning| path.starts_with(beginning));
        if submits {
            self.submit.invoke(&event).await
        } else {
            self.status.invoke(&event).await
        }
    }

    /// Submits a diagnostic command with a key. Returns the path of the job.
    async fn accepted(&self, tenant: &str, key: &str, payload: &Value) -> String {
        let headers = [("idempotency-key", key)];
        let answer = self
            .ask(
                tenant,
                "POST",
                "/commands/diagnostic.run",
                &headers,
                Some(&payload.to_string()),
            )
            .await;
        assert_eq!(
            (
                answer["statusCode"].as_u64(),
                header(&answer, "idempotent-replayed")
            ),
            (Some(202), String::new())
        );
        header(&answer, "location")
            .trim_start_matches("/v1")
            .to_owned()
    }

    async fn work(&self) {
        let worker = self.stack.function("worker").await;
        let messages = self.stack.receive().await;
        assert_eq!(
            worker.invoke(&messages).await,
            json!({"batchItemFailures": []})
        );
        worker.end().await;
    }

    /// Requests everything about a job by its id. Returns the responses, without the id itself.
    async fn all_about(&self, tenant: &str, job: &str) -> Vec<(String, Value)> {
        let mut answers = vec![];
        for accept in ["application/json", "text/html"] {
            for (method, path, wait) in [
                ("GET", job.to_owned(), "wait=0"),
                ("GET", job.to_owned(), "wait=1"),
                ("HEAD", job.to_owned(), "wait=0"),
                ("GET", format!("{job}/result"), "wait=0"),
                ("DELETE", job.to_owned(), "wait=0"),
            ] {
                let headers = [("prefer", wait), ("accept", accept), ("x-request-id", "r")];
                let answer = self.ask(tenant, method, &path, &headers, None).await;
                let answer = answer.to_string().replace(job, "/jobs/ID");
                answers.push((
                    format!("{method} {path} {wait}"),
                    serde_json::from_str(&answer).expect("JSON"),
                ));
            }
        }
        answers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_job_is_as_one_that_never_was() {
    let house = House::start().await;
    let job = house
        .accepted("acme", "order-1", &json!({"result": "secret"}))
        .await;
    for over in [false, true] {
        if over {
            house.work().await;
        }
        let unknown = house.all_about("other", &format!("/jobs/{UNKNOWN}")).await;
        let theirs = house.all_about("other", &job).await;
        for ((asked, theirs), (_, unknown)) in theirs.into_iter().zip(unknown) {
            assert_eq!(theirs["statusCode"], 404, "{asked}");
            assert_eq!(theirs, unknown, "{asked}");
        }
        let mine = house.ask("acme", "GET", &job, &[], None).await;
        assert_eq!(
            mine["statusCode"],
            if over { 200 } else { 202 },
            "nobody cancelled it: {mine}"
        );
    }
    let found = house
        .ask("acme", "GET", "/jobs?client_job_id=order-1", &[], None)
        .await;
    assert_eq!(body(&found)["jobs"].as_array().map(Vec::len), Some(1));
    let found = house
        .ask("other", "GET", "/jobs?client_job_id=order-1", &[], None)
        .await;
    assert_eq!(
        (found["statusCode"].as_u64(), body(&found)),
        (Some(200), json!({"jobs": []}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_of_two_tenants_is_two_jobs() {
    let house = House::start().await;
    let payload = json!({"result": 1});
    let mine = house.accepted("acme", "order-1", &payload).await;
    let theirs = house
        .accepted("other", "order-1", &json!({"result": 2}))
        .await;
    assert_ne!(mine, theirs);
    house.work().await;
    for (tenant, job, result) in [("acme", &mine, 1), ("other", &theirs, 2)] {
        let over = house.ask(tenant, "GET", job, &[], None).await;
        assert_eq!(
            (over["statusCode"].as_u64(), &body(&over)["result"]),
            (Some(200), &json!(result))
        );
    }
    let headers = [("idempotency-key", "order-1")];
    let again = house
        .ask(
            "acme",
            "POST",
            "/commands/diagnostic.run",
            &headers,
            Some(&payload.to_string()),
        )
        .await;
    assert_eq!(
        header(&again, "location"),
        format!("/v1{mine}"),
        "and each finds its own again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_upload_is_as_one_that_never_was() {
    let house = House::start().await;
    let bytes = r#"{"result": 1}"#;
    let terms =
        json!({"content_type": "application/json", "content_length": bytes.len()}).to_string();
    let ready = body(
        &house
            .ask("acme", "POST", "/uploads", &[], Some(&terms))
            .await,
    );
    let mut put = reqwest::Client::new()
        .put(ready["url"].as_str().expect("a url"))
        .body(bytes);
    for (name, value) in ready["headers"].as_object().expect("headers") {
        put = put.header(name, value.as_str().expect("a header"));
    }
    assert_eq!(put.send().await.expect("an answer").status(), 200);
    let upload = ready["upload_id"].as_str().expect("an id");
    let used = async |tenant: &str, upload: &str| {
        let headers = [("upload-id", upload), ("x-request-id", "r")];
        house
            .ask(tenant, "POST", "/commands/diagnostic.run", &headers, None)
            .await
    };
    let theirs = used("other", upload).await;
    assert_eq!(
        (theirs["statusCode"].as_u64(), &body(&theirs)["code"]),
        (Some(422), &json!("upload-not-found"))
    );
    assert_eq!(
        theirs,
        used("other", "0d5f1c0e-8a51-7f0b-9c6e-2f4f2f7c9a11").await
    );
    assert_eq!(
        used("acme", upload).await["statusCode"],
        202,
        "it is still its owner's to use"
    );

    let terms =
        json!({"content_type": "application/json", "content_length": bytes.len(), "parts": 1})
            .to_string();
    let ready = house
        .ask("acme", "POST", "/uploads", &[], Some(&terms))
        .await;
    let place = header(&ready, "location")
        .trim_start_matches("/v1")
        .to_owned();
    let looked = async |tenant: &str, place: &str| {
        let answer = house
            .ask(tenant, "GET", place, &[("x-request-id", "r")], None)
            .await;
        answer.to_string().replace(place, "/uploads/ID")
    };
    let theirs = looked("other", &place).await;
    assert!(theirs.contains("unknown-upload"), "{theirs}");
    assert_eq!(
        theirs,
        looked("other", "/uploads/0d5f1c0e-8a51-7f0b-9c6e-2f4f2f7c9a11").await
    );
    assert_eq!(
        house.ask("acme", "GET", &place, &[], None).await["statusCode"],
        200
    );
    let upload = place.trim_start_matches("/uploads/");
    assert_eq!(
        used("other", upload).await,
        used("other", "0d5f1c0e-8a51-7f0b-9c6e-2f4f2f7c9a11").await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_gateway_should_have_named_and_did_not_gets_nothing() {
    let house = House::start().await;
    let job = house.accepted("acme", "order-1", &json!({})).await;
    for (method, path) in [
        ("POST", "/commands/diagnostic.run"),
        ("POST", "/uploads"),
        ("GET", "/uploads/0d5f1c0e-8a51-7f0b-9c6e-2f4f2f7c9a11"),
        ("GET", "/openapi.json"),
        ("GET", "/jobs?client_job_id=order-1"),
        ("GET", &job),
        ("GET", &format!("{job}/result")),
        ("DELETE", &job),
        ("GET", "/nowhere"),
    ] {
        let answer = house
            .ask(
                "",
                method,
                path,
                &[("x-api-key", "acme"), ("authorization", "acme")],
                Some("{}"),
            )
            .await;
        assert_eq!(
            (answer["statusCode"].as_u64(), &body(&answer)["code"]),
            (Some(403), &json!("forbidden")),
            "{path}"
        );
    }
    for path in [
        "/commands/diagnostic.run",
        "/uploads",
        "/uploads/x",
        "/openapi.json",
        "/jobs",
        &job,
    ] {
        assert_eq!(
            house.ask("", "OPTIONS", path, &[], None).await["statusCode"],
            204,
            "a preflight of {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_tenants_job_is_not_behind_a_hundred_of_a_noisy_one() {
    let house = House::start().await;
    for n in 0..100 {
        house
            .accepted("noisy", &format!("order-{n}"), &json!({}))
            .await;
    }
    house.accepted("quiet", "order-1", &json!({})).await;
    let messages = house.stack.receive().await;
    let records = messages["Records"].as_array().expect("records");
    let tenants: Vec<_> = records
        .iter()
        .map(|record| {
            let envelope: Value =
                serde_json::from_str(record["body"].as_str().expect("a body")).expect("JSON");
            envelope["tenant"].as_str().expect("a tenant").to_owned()
        })
        .collect();
    assert_eq!(tenants.len(), 10);
    assert_eq!(
        tenants.iter().filter(|tenant| *tenant == "quiet").count(),
        1,
        "among the first ten: {tenants:?}"
    );
}
