//! Links to a job, and deliveries of its events.

use std::time::Duration;

use cloakroom_client::{DeliveryState, Error, Scope};
use serde_json::{Value, json};

use crate::script::{ID, Server, client, problem, reply};

fn link() -> Value {
    json!({ "url": "/stage/shared/t-1", "events": "/stage/shared/t-1/events", "expires_at": "2026-11-21T08:10:00.000Z" })
}

#[tokio::test]
async fn a_link_has_the_requested_scope_and_full_urls() {
    let server = Server::start((0..2).map(|_| reply(201, &[], link().to_string()))).await;
    let base = format!("{}/stage", server.url);
    let (client, _) = client(&base, |builder| builder);
    let scopes = [Scope::Read, Scope::Cancel, Scope::Signal];
    let ten_minutes = Some(Duration::from_mins(10));
    let link = client
        .links(ID, &scopes, ten_minutes)
        .await
        .expect("a link");
    assert_eq!(link.url, format!("{base}/shared/t-1"));
    assert_eq!(link.events, format!("{base}/shared/t-1/events"));
    assert_eq!(link.expires_at.to_string(), "2026-11-21T08:10:00.000Z");
    client.links(ID, &[], None).await.expect("a link");
    let seen = server.end();
    assert_eq!(seen[0].line, format!("POST /stage/jobs/{ID}/links"));
    let bodies =
        [&seen[0], &seen[1]].map(|seen| serde_json::from_slice::<Value>(&seen.body).expect("JSON"));
    assert_eq!(
        bodies,
        [
            json!({ "scope": ["read", "cancel", "signal"], "ttl_seconds": 600 }),
            json!({})
        ]
    );
}

#[tokio::test]
async fn a_link_is_a_secret() {
    let server = Server::start([reply(201, &[], link().to_string())]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let link = client.links(ID, &[], None).await.expect("a link");
    assert!(!format!("{link:?}").contains("t-1"), "{link:?}");
}

#[tokio::test]
async fn deliveries_show_their_attempts() {
    let listed = json!({ "deliveries": [
        { "id": "d-1", "kind": "webhook", "target": "https://host", "state": "pending", "next_at": "2026-11-21T08:05:00.000Z",
          "attempts": [
            { "at": "2026-11-21T08:00:00.000Z", "status": 503 },
            { "at": "2026-11-21T08:00:05.000Z", "error": "the connection was refused", "new": 1 },
          ] },
        { "id": "d-2", "kind": "reply", "target": "orders", "state": "delivered", "attempts": [], "next_at": null },
    ] });
    let server = Server::start([
        reply(200, &[], listed.to_string()),
        problem(404, "unknown-job", None),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    let deliveries = client.deliveries(ID).await.expect("a list");
    let states = [&deliveries[0], &deliveries[1]].map(|it| (it.state, it.next_at.is_some()));
    assert_eq!(
        states,
        [
            (DeliveryState::Pending, true),
            (DeliveryState::Delivered, false)
        ]
    );
    let attempts = &deliveries[0].attempts;
    assert_eq!((attempts[0].status, attempts[1].status), (Some(503), None));
    assert!(attempts[0].error.is_none() && attempts[1].error.is_some());
    let error = client.deliveries(ID).await.expect_err("no such job");
    assert!(matches!(error, Error::Problem(_)), "{error}");
    assert_eq!(server.end()[0].line, format!("GET /jobs/{ID}/deliveries"));
}

#[tokio::test]
async fn a_delivery_is_repeated_by_its_id() {
    let server = Server::start([
        reply(202, &[], ""),
        problem(404, "unknown-delivery", None),
        reply(204, &[], ""),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    client.redeliver(ID, "a/7").await.expect("accepted");
    let error = client.redeliver(ID, "d-2").await.expect_err("unknown");
    assert!(matches!(error, Error::Problem(_)), "{error}");
    let error = client.redeliver(ID, "d-3").await.expect_err("no promise");
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert_eq!(
        server.end()[0].line,
        format!("POST /jobs/{ID}/deliveries/a%2F7/redeliver")
    );
}
