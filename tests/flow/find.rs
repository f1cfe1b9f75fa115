//! The mapping of client job ids to jobs.

use cloakroom_tests::{Deployment, Test, fresh_key, json, location_of, suite};
use serde_json::json;

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_job_is_found_by_its_clients_id,
        nothing_is_found_under_a_key_that_nobody_used
    ]
}

async fn a_job_is_found_by_its_clients_id() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("a/b+c&d%e");
    let location = location_of(&cloakroom.diagnose(Some(&key), &json!({})).await);
    let mut url = reqwest::Url::parse(&format!("{}/jobs", cloakroom.url())).expect("a URL");
    url.query_pairs_mut().append_pair("client_job_id", &key);
    let (status, found) = json(cloakroom.get_at(url.as_str()).await).await;
    assert_eq!(
        (status, found["jobs"].as_array().map(Vec::len)),
        (200, Some(1))
    );
    assert_eq!(found["jobs"][0]["client_job_id"], json!(key));
    assert_eq!(
        cloakroom.resolve(found["jobs"][0]["links"]["self"].as_str().expect("a link")),
        location
    );
}

async fn nothing_is_found_under_a_key_that_nobody_used() {
    let cloakroom = Deployment::get().await;
    let (status, found) = json(
        cloakroom
            .get_at(&format!("/jobs?client_job_id={}", fresh_key("unused")))
            .await,
    )
    .await;
    assert_eq!((status, found), (200, json!({"jobs": []})));
}
