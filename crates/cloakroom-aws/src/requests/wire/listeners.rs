//! Each use case that notifies listeners calls what its configuration names.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::ports::PortError;
use cloakroom_app::testing::{MemoryMeter, Room, new_job};
use cloakroom_app::{Deliver, Jobs, Publisher};
use cloakroom_core::{CloudEvent, Timestamp};

use super::super::replies::reply;
use super::{Script, failed, jobs_config, named};
use crate::config::{DeliverConfig, JobListenersConfig, PublisherConfig};
use crate::wire;

const DELIVERIES: &str = "http://sqs.example/1/deliveries";
const REPLIES: &str = "http://sqs.example/1/replies";

struct UseCases {
    deliver: Deliver,
    publisher: Publisher,
    jobs: Jobs,
}

/// Returns the request of one call, whose response does not matter.
async fn request<T>(call: impl AsyncFnOnce(&UseCases) -> Result<T, PortError>) -> String {
    let script = Script::new([failed(400, "{}")]);
    let clients = script.clients();
    let deliver = DeliverConfig {
        table: "jobs".into(),
        bucket: "payloads".into(),
        deliveries_url: DELIVERIES.into(),
        keys_secret: "keys".into(),
        reply_queues: [("orders".parse().expect("a name"), REPLIES.into())].into(),
    };
    let publisher = PublisherConfig {
        table: "jobs".into(),
        deliveries_url: DELIVERIES.into(),
        event_bus: Some("bus".into()),
        base_path: "/v1".into(),
    };
    let mut config = jobs_config();
    config.listeners = Some(JobListenersConfig {
        deliveries_url: DELIVERIES.into(),
        keys_secret: "keys".into(),
        base_path: "/v1".into(),
    });
    let jobs = wire::jobs(&config, &clients, Arc::new(MemoryMeter::default()));
    let use_cases = UseCases {
        deliver: wire::deliver(&deliver, &clients, Room::new(vec![]).memory),
        publisher: wire::publisher(&publisher, &clients),
        jobs: wire::with_listeners(jobs, &config, &clients),
    };
    _ = call(&use_cases).await;
    script.requests()
}

impl UseCases {
    /// Returns the publisher of `jobs`, which sends deliveries again.
    fn again(&self) -> &Publisher {
        self.jobs.publisher.as_ref().expect("listeners")
    }
}

#[tokio::test]
async fn deliveries_are_in_the_table_and_the_queue_that_are_configured() {
    let (key, at) = (
        new_job(Timestamp::from_millis(7), 1).key(),
        Timestamp::from_millis(7),
    );
    for request in [
        request(async |it| it.deliver.deliveries.load_deliveries(&key, at).await).await,
        request(async |it| it.publisher.deliveries.load_deliveries(&key, at).await).await,
        request(async |it| it.again().deliveries.load_deliveries(&key, at).await).await,
    ] {
        assert!(request.contains("\"TableName\": \"jobs\""), "{request}");
    }
    let second = Duration::from_secs(1);
    for request in [
        request(async |it| it.deliver.queue.hide("receipt", second).await).await,
        request(async |it| it.publisher.queue.hide("receipt", second).await).await,
        request(async |it| it.again().queue.hide("receipt", second).await).await,
    ] {
        assert!(request.contains(&named(DELIVERIES)), "{request}");
    }
}

#[tokio::test]
async fn webhooks_and_shared_links_are_signed_with_the_keys_that_are_configured() {
    for request in [
        request(async |it| it.deliver.keys.keys().await.map(drop)).await,
        request(async |it| {
            let links = it.jobs.links.as_ref().expect("links");
            links.keys.keys().await.map(drop)
        })
        .await,
    ] {
        assert!(request.contains("\"SecretId\": \"keys\""), "{request}");
    }
}

#[tokio::test]
async fn events_go_to_the_bus_and_replies_to_the_queue_and_the_bucket_that_are_configured() {
    let job = new_job(Timestamp::from_millis(7), 1);
    let event = CloudEvent::from_job(&job, "/v1");
    let put = request(async |it| {
        let bus = it.publisher.bus.as_ref().expect("a bus");
        bus.put_events(&[event]).await
    })
    .await;
    assert!(put.contains("\"EventBusName\": \"bus\""), "{put}");
    let orders = "orders".parse().expect("a name");
    let small = request(async |it| it.deliver.replies.send_reply(&orders, reply(3)).await).await;
    assert!(small.contains(&named(REPLIES)), "{small}");
    for request in [
        request(async |it| it.deliver.replies.send_reply(&orders, reply(1 << 20)).await).await,
        request(async |it| it.deliver.objects.delete("key").await).await,
    ] {
        assert!(request.contains("s3.example/payloads/"), "{request}");
    }
}
