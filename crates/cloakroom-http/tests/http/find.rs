//! Section 6: `GET /jobs?client_job_id=K`.

use serde_json::json;

use crate::service::service;

#[tokio::test(start_paused = true)]
async fn a_job_is_found_by_the_clients_own_id() {
    let service = service();
    let submitted = service
        .act(
            "answer",
            &[(
                "idempotency-key",
                r#""a/b \"c\"""#.replace(' ', "+").as_str(),
            )],
        )
        .await;
    assert_eq!(submitted.status, 202);
    let found = service
        .get("/jobs?client_job_id=a%2Fb%2B%22c%22", &[])
        .await;
    assert_eq!(
        (found.status, found.json()),
        (200, json!({ "jobs": [submitted.json()] }))
    );
    assert_eq!(
        service.get("/jobs?client_job_id=other", &[]).await.json(),
        json!({ "jobs": [] })
    );
    service.room.work_until_idle().await;
    assert_eq!(
        service
            .get("/jobs?client_job_id=a%2Fb+%22c%22", &[])
            .await
            .json()["jobs"][0]["status"],
        "succeeded"
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalid_query_is_rejected() {
    let service = service();
    for query in [
        "",
        "?",
        "?client_job_id=",
        "?client_job_id=a%20b",
        "?client_job_id=a&client_job_id=b",
        "?status=failed",
        "?client_job_id=a&limit=1",
    ] {
        service
            .get(&format!("/jobs{query}"), &[])
            .await
            .problem(400, "invalid-request");
    }
}
