//! Requests to the whole router with the ports in memory.

use cloakroom_core::Tenant;
use http::Method;

use crate::contract::Answer;
use crate::request::{self, Sent};
use crate::scene::{Scene, job_at, play, stranger};

/// Sends the requests of an input.
pub fn run(input: &[u8]) {
    play(async || {
        let mut scene = Scene::new();
        let mut accepted = vec![];
        for (before, text) in request::parts(input) {
            let Some(sent) = request::read(before, text, &scene.place, &scene.upload) else {
                continue;
            };
            let answer = scene.ask(&sent).await;
            accepted.extend(submitted(&mut scene, &sent, &answer).await);
        }
        if !scene.work().await {
            return;
        }
        for (tenant, place) in accepted {
            ended(&scene, &tenant, &place).await;
        }
    });
}

/// Returns tenant and location of an accepted job, and checks the guarantees that the client then has.
async fn submitted(scene: &mut Scene, sent: &Sent, answer: &Answer) -> Option<(Tenant, String)> {
    if sent.method != Method::POST || !sent.uri.path().contains("/commands/") {
        return None;
    }
    let place = answer.location()?.to_owned();
    let tenant = Scene::tenant(sent).expect("nobody submits nothing");
    assert_ne!(
        scene.get(&tenant, &place, "*/*").await.status,
        404,
        "a Location is never unknown"
    );
    let other = scene.get(&stranger(), &place, "*/*").await;
    assert_eq!(
        (other.status.as_u16(), other.json()["code"].as_str()),
        (404, Some("unknown-job"))
    );
    if sent
        .headers
        .iter()
        .any(|(name, _)| name == "idempotency-key")
    {
        let again = scene
            .ask(&Sent {
                before: request::Before::Nothing,
                ..sent.clone()
            })
            .await;
        let replayed = again
            .headers
            .get("idempotent-replayed")
            .map(http::HeaderValue::as_bytes);
        assert_eq!(
            (again.location(), replayed),
            (Some(place.as_str()), Some(&b"true"[..])),
            "{again:?}"
        );
    }
    scene.place.clone_from(&place);
    Some((tenant, place))
}

/// Checks that the job has ended or expired, after all work is done.
async fn ended(scene: &Scene, tenant: &Tenant, place: &str) {
    let polled = scene.get(tenant, place, "application/json").await;
    let job = scene
        .room
        .jobs
        .get(&job_at(tenant, place))
        .await
        .expect("the memory does not fail");
    match job {
        Some(job) => assert!(job.status.is_terminal() && polled.status != 202, "{job:?}"),
        None => assert_eq!(polled.status, 404),
    }
    for path in [
        place.to_owned(),
        format!("{place}/result"),
        format!("{place}/history"),
    ] {
        scene.get(tenant, &path, "text/html").await;
    }
}
