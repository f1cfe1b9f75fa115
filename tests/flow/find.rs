//! The client/server id mapping.

use cloakroom_tests::{Deployment, fresh_key, header, json};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_found_by_its_clients_id() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("a/b+c&d%e");
    let location =
        header(&cloakroom.diagnose(Some(&key), &json!({})).await, "location").expect("a Location").to_owned();
    let mut url = reqwest::Url::parse(&format!("{}/jobs", cloakroom.url())).expect("a URL");
    url.query_pairs_mut().append_pair("client_job_id", &key);
    let (status, found) = json(cloakroom.get_at(url.as_str()).await).await;
    assert_eq!((status, found["jobs"].as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(found["jobs"][0]["client_job_id"], json!(key));
    assert_eq!(found["jobs"][0]["links"]["self"], json!(location));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_under_a_key_that_nobody_used() {
    let cloakroom = Deployment::get().await;
    let (status, found) = json(cloakroom.get_at(&format!("/jobs?client_job_id={}", fresh_key("unused"))).await).await;
    assert_eq!((status, found), (200, json!({"jobs": []})));
}
