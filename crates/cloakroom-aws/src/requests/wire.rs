//! Each assembled use case calls the table, the queues and the bucket that its configuration names.

#[cfg(feature = "listeners")]
mod listeners;

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::intake::ProducerTenants;
use cloakroom_app::meter::{Fact, LogMeter};
use cloakroom_app::ports::{PortError, Queue};
use cloakroom_app::sweep::Rounds;
use cloakroom_app::testing::{MemoryMeter, new_job};
use cloakroom_app::work::WorkerSettings;
use cloakroom_app::{
    DeadLetters, Jobs, Listeners, ProducerIntake, Redrive, Registry, Shared, Submit, Uploads,
    Worker,
};
use cloakroom_core::{EventScope, Namespace, Tenant, Timestamp};

use super::queue::claim_check;
use super::script::{Script, failed};
use crate::config::{
    DeadLettersConfig, JobsConfig, ProducersConfig, ScheduleConfig, SubmitConfig, SweeperConfig,
    WorkerConfig,
};
use crate::{Clients, wire};

const QUEUE: &str = "http://sqs.example/1/commands";
const DEAD_LETTERS: &str = "http://sqs.example/1/dead-letters";
const LISTS: &str = "http://sqs.example/1/lists";

/// All use cases of a deployment.
struct UseCases {
    submit: Submit,
    /// Use case that has a schedule for long delays.
    scheduling: Submit,
    uploads: Uploads,
    worker: Worker,
    intake: Arc<ProducerIntake>,
    dead_letters: DeadLetters,
    rounds: Rounds,
    jobs: Jobs,
    redrive: Redrive,
}

impl UseCases {
    fn new(clients: &Clients, meter: &Arc<MemoryMeter>) -> Self {
        let (submit, uploads) = wire::submit(&submit_config(), clients, commands(), meter.clone());
        let schedule = Some(ScheduleConfig {
            group: "later".into(),
            role_arn: "arn:aws:iam::1:role/scheduler".into(),
            queue_arn: "arn:aws:sqs:eu-west-1:1:commands".into(),
        });
        let config = SubmitConfig {
            schedule,
            ..submit_config()
        };
        let (scheduling, _) = wire::submit(&config, clients, commands(), meter.clone());
        let worker = wire::worker(&worker_config(), clients, commands(), meter.clone());
        let dead_letters = DeadLettersConfig {
            table: "jobs".into(),
            bucket: "payloads".into(),
            dead_letters_url: DEAD_LETTERS.into(),
        };
        let sweeper = SweeperConfig {
            table: "jobs".into(),
            queue_url: QUEUE.into(),
            lists_url: LISTS.into(),
        };
        Self {
            submit,
            scheduling,
            uploads,
            intake: worker.intake.clone().expect("producers"),
            worker,
            dead_letters: wire::dead_letters(&dead_letters, clients, meter.clone()),
            rounds: wire::rounds(&sweeper, clients, meter.clone()),
            jobs: wire::jobs(&jobs_config(), clients, meter.clone()),
            redrive: wire::redrive(clients, "jobs", QUEUE, "payloads"),
        }
    }
}

/// Returns the request of one call, whose response does not matter.
async fn request<T>(call: impl AsyncFnOnce(&UseCases) -> Result<T, PortError>) -> String {
    let script = Script::new([failed(400, "{}")]);
    let use_cases = UseCases::new(&script.clients(), &Arc::default());
    _ = call(&use_cases).await;
    script.requests()
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

fn jobs_config() -> JobsConfig {
    JobsConfig {
        table: "jobs".into(),
        bucket: "payloads".into(),
        namespace: Namespace::from_uuid(uuid::Uuid::nil()),
        listeners: None,
    }
}

fn worker_config() -> WorkerConfig {
    let submit = submit_config();
    WorkerConfig {
        table: submit.table,
        queue_url: submit.queue_url,
        bucket: submit.bucket,
        settings: WorkerSettings {
            lease: Duration::from_secs(61),
            margin: Duration::from_secs(7),
            grace: Duration::from_secs(3),
        },
        diagnostics: false,
        producers: Some(ProducersConfig {
            tenants: ProducerTenants::One("warehouse".parse().expect("a tenant")),
            buckets: vec!["theirs".into()],
            namespace: Namespace::from_uuid(uuid::Uuid::from_u128(2)),
            inline_limit: 2000,
            listeners: Listeners::default(),
        }),
        memory: None,
    }
}

fn commands() -> Registry {
    Registry::new(vec![])
}

#[test]
fn every_use_case_counts_with_the_meter_that_it_is_given() {
    let meter = Arc::new(MemoryMeter::default());
    let it = UseCases::new(&Script::new([]).clients(), &meter);
    for (n, shared) in [
        &it.submit.shared,
        &it.uploads.shared,
        &it.worker.shared,
        &it.intake.submit.shared,
        &it.dead_letters.shared,
        &it.rounds.sweeper.shared,
        &it.jobs.shared,
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
fn limits_names_and_times_are_those_that_are_configured() {
    let it = UseCases::new(&Script::new([]).clients(), &Arc::default());
    let worker = worker_config();
    let producers = worker.producers.expect("producers");
    let intake = &it.intake;
    assert_eq!(it.worker.settings, worker.settings);
    assert_eq!(
        (it.submit.inline_limit, intake.submit.inline_limit),
        (1000, 2000)
    );
    let submit = submit_config();
    assert_eq!(
        (it.submit.namespace, it.jobs.namespace),
        (submit.namespace, submit.namespace)
    );
    assert_eq!(intake.submit.namespace, producers.namespace);
    assert_eq!(
        (&intake.tenants, &intake.buckets),
        (&producers.tenants, &producers.buckets)
    );
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
async fn every_use_case_loads_from_the_table_that_is_configured() {
    let key = new_job(Timestamp::from_millis(7), 1).key();
    let shared: [fn(&UseCases) -> &Shared; 9] = [
        |it| &it.submit.shared,
        |it| &it.scheduling.shared,
        |it| &it.uploads.shared,
        |it| &it.worker.shared,
        |it| &it.intake.submit.shared,
        |it| &it.dead_letters.shared,
        |it| &it.rounds.sweeper.shared,
        |it| &it.jobs.shared,
        |it| &it.redrive.shared,
    ];
    for shared in shared {
        let request = request(async |it| shared(it).store.load(&key).await).await;
        assert!(request.contains("\"TableName\": \"jobs\""), "{request}");
    }
}

#[tokio::test]
async fn every_use_case_has_its_objects_in_the_bucket_that_is_configured() {
    for request in [
        request(async |it| it.submit.objects.delete("key").await).await,
        request(async |it| it.uploads.objects.delete("key").await).await,
        request(async |it| it.intake.submit.objects.delete("key").await).await,
        request(async |it| it.worker.objects.delete("key").await).await,
        request(async |it| it.jobs.objects.delete("key").await).await,
        request(async |it| it.dead_letters.dead_letters.remove("key").await).await,
        request(async |it| it.redrive.dead_letters.remove("key").await).await,
        request(async |it| it.intake.dead_letters.remove("key").await).await,
    ] {
        assert!(request.contains("/payloads/key"), "{request}");
    }
}

/// One of the queues of the use cases.
type QueueOf = fn(&UseCases) -> &Arc<dyn Queue>;

fn named(queue: &str) -> String {
    format!("\"QueueUrl\": \"{queue}\"")
}

#[tokio::test]
async fn every_use_case_hides_messages_of_its_own_queue() {
    let queues: [(QueueOf, &str); 4] = [
        (|it| &it.worker.queue, QUEUE),
        (|it| &it.dead_letters.queue, DEAD_LETTERS),
        (|it| &it.rounds.sweeper.queue, QUEUE),
        (|it| &it.rounds.lists, LISTS),
    ];
    for (queue, name) in queues {
        let second = Duration::from_secs(1);
        let request = request(async |it| queue(it).hide("receipt", second).await).await;
        assert!(request.contains(&named(name)), "{request}");
    }
}

/// Amazon's Extended Client reads them.
#[tokio::test]
async fn messages_of_payloads_in_object_storage_are_pointers() {
    let queues: [QueueOf; 4] = [
        |it| &it.submit.queue,
        |it| &it.scheduling.queue,
        |it| &it.redrive.queue,
        |it| &it.intake.submit.queue,
    ];
    for queue in queues {
        let (tenant, body) = (Tenant::default(), claim_check().write());
        let request = request(async |it| {
            let queue = queue(it);
            queue.send(&tenant, body, Duration::ZERO, None).await
        })
        .await;
        assert!(request.contains(&named(QUEUE)), "{request}");
        assert!(
            request.contains("ExtendedPayloadSize") && request.contains("payloads"),
            "{request}"
        );
    }
}
