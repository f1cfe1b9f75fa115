//! Each assembled use case calls the table, the queues and the bucket that its configuration names.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::intake::ProducerTenants;
use cloakroom_app::meter::{Fact, LogMeter};
use cloakroom_app::ports::{Objects, Queue, keys};
use cloakroom_app::testing::{MemoryMeter, new_job};
use cloakroom_app::work::WorkerSettings;
use cloakroom_app::{Listeners, Registry, Shared};
use cloakroom_core::{Digest, EventScope, Namespace, Tenant, Timestamp};

use super::script::{Script, failed};
use crate::config::{
    DeadLettersConfig, JobsConfig, ProducersConfig, SubmitConfig, SweeperConfig, WorkerConfig,
};
use crate::{Clients, wire};

const QUEUE: &str = "http://sqs.example/1/commands";
const DEAD_LETTERS: &str = "http://sqs.example/1/dead-letters";
const LISTS: &str = "http://sqs.example/1/lists";

/// Returns the request of one call, whose response does not matter.
async fn request(call: impl AsyncFnOnce(&Clients)) -> String {
    let script = Script::new([failed(400, "{}")]);
    call(&script.clients()).await;
    script.requests()
}

fn named(name: &str) -> String {
    format!("\"QueueUrl\": \"{name}\"")
}

async fn load(shared: &Shared) {
    let _unread = shared
        .store
        .load(&new_job(Timestamp::from_millis(7), 1).key())
        .await;
}

async fn hide(queue: &Arc<dyn Queue>) {
    let _kept = queue.hide("receipt", Duration::from_secs(1)).await;
}

async fn delete(objects: &Arc<dyn Objects>) {
    let _kept = objects.delete("key").await;
}

/// Sends a message whose payload is text in object storage.
async fn send(queue: &Arc<dyn Queue>) {
    let (job, digest) = (
        new_job(Timestamp::from_millis(7), 1),
        Digest::from_content(b"{}"),
    );
    let payload = PayloadRef::Stored(keys::payload(&job.key(), &digest));
    let envelope = Envelope::new(
        &job,
        "application/json",
        "",
        payload,
        &digest,
        RequestTrace::default(),
    );
    let body = envelope.with_text_length(2).write();
    let _unsent = queue
        .send(&Tenant::default(), body, Duration::ZERO, None)
        .await;
}

fn submit_config() -> SubmitConfig {
    SubmitConfig {
        table: "jobs".into(),
        queue_url: QUEUE.into(),
        bucket: "payloads".into(),
        namespace: Namespace::from_uuid(uuid::Uuid::nil()),
        inline_limit: 1000,
        schedule: None,
        diagnostics: false,
        listeners: Listeners::default(),
        webhooks: false,
    }
}

fn worker_config() -> WorkerConfig {
    let submit = submit_config();
    WorkerConfig {
        table: submit.table,
        queue_url: submit.queue_url,
        bucket: submit.bucket,
        settings: WorkerSettings::default(),
        diagnostics: false,
        producers: Some(ProducersConfig {
            tenants: ProducerTenants::Named,
            buckets: vec![],
            namespace: submit.namespace,
            inline_limit: 1000,
            listeners: Listeners::default(),
        }),
        memory: None,
    }
}

fn dead_letters_config() -> DeadLettersConfig {
    DeadLettersConfig {
        table: "jobs".into(),
        bucket: "payloads".into(),
        dead_letters_url: DEAD_LETTERS.into(),
    }
}

fn sweeper_config() -> SweeperConfig {
    SweeperConfig {
        table: "jobs".into(),
        queue_url: QUEUE.into(),
        lists_url: LISTS.into(),
    }
}

fn commands() -> Registry {
    Registry::new(vec![])
}

#[test]
fn every_use_case_counts_with_the_meter_that_it_is_given() {
    let clients = Script::new([]).clients();
    let meter = Arc::new(MemoryMeter::default());
    let submit = wire::submit(&submit_config(), &clients, commands(), meter.clone());
    let worker = wire::worker(&worker_config(), &clients, commands(), meter.clone());
    let intake = worker.intake.expect("producers");
    let letters = wire::dead_letters(&dead_letters_config(), &clients, meter.clone());
    let rounds = wire::rounds(&sweeper_config(), &clients, meter.clone());
    for (n, shared) in [
        &submit.0.shared,
        &submit.1.shared,
        &worker.shared,
        &intake.submit.shared,
        &letters.shared,
        &rounds.sweeper.shared,
    ]
    .into_iter()
    .enumerate()
    {
        let command = "act".parse().expect("a name");
        shared.meter.count(&command, Fact::Unreadable);
        assert_eq!(meter.facts(), [Fact::Unreadable], "{n}");
    }
}

#[tokio::test]
async fn attempts_have_the_memory_that_is_configured() {
    let clients = Script::new([]).clients();
    for (memory, admitted) in [(Some(1 << 20), false), (None, true)] {
        let mut config = worker_config();
        config.memory = memory;
        let worker = wire::worker(&config, &clients, commands(), Arc::new(LogMeter));
        assert_eq!(worker.admission.admit(2 << 20).await.is_ok(), admitted);
    }
}

#[test]
fn producers_have_the_listeners_of_their_deployment() {
    let mut config = worker_config();
    let listeners = Listeners {
        reply_queues: ["orders".parse().expect("a name")].into(),
        bus: Some(EventScope::All),
    };
    config.producers.as_mut().expect("producers").listeners = listeners.clone();
    let clients = Script::new([]).clients();
    let worker = wire::worker(&config, &clients, commands(), Arc::new(LogMeter));
    let intake = worker.intake.expect("producers");
    assert_eq!(intake.submit.listeners, listeners);
}

#[tokio::test]
async fn every_port_has_the_place_that_its_configuration_names() {
    let meter = || Arc::new(LogMeter);
    let submit = |clients: &Clients| wire::submit(&submit_config(), clients, commands(), meter());
    let worker = |clients: &Clients| wire::worker(&worker_config(), clients, commands(), meter());
    let dead_letters =
        |clients: &Clients| wire::dead_letters(&dead_letters_config(), clients, meter());
    let rounds = |clients: &Clients| wire::rounds(&sweeper_config(), clients, meter());
    let jobs = |clients: &Clients| {
        let config = JobsConfig {
            table: "jobs".into(),
            bucket: "payloads".into(),
            namespace: Namespace::from_uuid(uuid::Uuid::nil()),
            listeners: None,
        };
        wire::jobs(&config, clients, meter())
    };
    let redrive = |clients: &Clients| wire::redrive(clients, "jobs", QUEUE, "payloads");

    let table = "\"TableName\": \"jobs\"";
    for request in [
        request(async |clients| load(&submit(clients).0.shared).await).await,
        request(async |clients| load(&submit(clients).1.shared).await).await,
        request(async |clients| load(&worker(clients).shared).await).await,
        request(async |clients| load(&dead_letters(clients).shared).await).await,
        request(async |clients| load(&rounds(clients).sweeper.shared).await).await,
        request(async |clients| load(&jobs(clients).shared).await).await,
        request(async |clients| load(&redrive(clients).shared).await).await,
    ] {
        assert!(request.contains(table), "{request}");
    }
    for request in [
        request(async |clients| delete(&submit(clients).0.objects).await).await,
        request(async |clients| delete(&submit(clients).1.objects).await).await,
        request(async |clients| delete(&worker(clients).objects).await).await,
        request(async |clients| delete(&jobs(clients).objects).await).await,
        request(async |clients| {
            let _kept = dead_letters(clients).dead_letters.remove("key").await;
        })
        .await,
        request(async |clients| {
            let _kept = redrive(clients).dead_letters.remove("key").await;
        })
        .await,
        request(async |clients| {
            let intake = worker(clients).intake.expect("producers");
            let _kept = intake.dead_letters.remove("key").await;
        })
        .await,
    ] {
        assert!(request.contains("/payloads/key"), "{request}");
    }
    for (request, queue) in [
        (
            request(async |clients| hide(&worker(clients).queue).await).await,
            QUEUE,
        ),
        (
            request(async |clients| hide(&dead_letters(clients).queue).await).await,
            DEAD_LETTERS,
        ),
        (
            request(async |clients| hide(&rounds(clients).sweeper.queue).await).await,
            QUEUE,
        ),
        (
            request(async |clients| hide(&rounds(clients).lists).await).await,
            LISTS,
        ),
    ] {
        assert!(request.contains(&named(queue)), "{request}");
    }
    // Messages of payloads in object storage are pointers for Amazon's Extended Client, too.
    for request in [
        request(async |clients| send(&submit(clients).0.queue).await).await,
        request(async |clients| send(&redrive(clients).queue).await).await,
        request(async |clients| {
            send(&worker(clients).intake.expect("producers").submit.queue).await;
        })
        .await,
    ] {
        assert!(request.contains(&named(QUEUE)), "{request}");
        assert!(
            request.contains("ExtendedPayloadSize") && request.contains("payloads"),
            "{request}"
        );
    }
}
