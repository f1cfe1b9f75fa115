//! Sizes of messages, records and events.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::ports::{Change, DeliveryStore as _, JobStore as _};
use cloakroom_aws::DynamoStore;
use cloakroom_core::delivery::{AttemptOutcome, delivery_id};
use cloakroom_core::transition::Claim;
use cloakroom_core::{
    AttemptEnd, CloudEvent, DeliveryKind, DeliveryLog, Digest, EventContext, EventScope,
    Fingerprint, Isolation, Job, JobId, Lease, LeaseToken, NewJob, ResultRef, RetryPolicy, Success,
    Tenant, Timestamp, Transition, WebhookListener,
};
use cloakroom_cost::sizes::{
    DELIVERIES_BYTES, DELIVERY_BYTES, ENVELOPE_BYTES, EVENT_BYTES, LISTENERS_BYTES, RECORD_BYTES,
};
use cloakroom_embedded::{Services, Storage};

use crate::embedded;

const UUID: &str = "65cab0e2-1334-8d88-bc2d-9b1fccf5527c";
const TYPE: &str = "application/json";

/// Returns a job with names of usual length.
fn job() -> Job {
    let command = "thumbnail.create".parse().expect("a type");
    let new = NewJob {
        tenant: Tenant::default(),
        id: UUID.parse::<JobId>().expect("an id"),
        client_job_id: Some(UUID.parse().expect("a key")),
        fingerprint: Fingerprint::new(&command, "", TYPE, &Digest::from_content(b"{}"), 2),
        command,
        retention: Duration::from_secs(86_400),
        not_before: None,
        events: None,
    };
    Job::accept(new, Timestamp::from_millis(1_795_248_000_120))
}

/// Returns true if a size is at most the estimate, and not much smaller.
fn about(bytes: usize, reckoned: u64) -> bool {
    let bytes = bytes as u64;
    bytes <= reckoned && bytes + 100 > reckoned
}

#[test]
fn a_message_weighs_its_payload_and_the_envelope() {
    let trace = RequestTrace {
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        request_id: Some(UUID.into()),
        ..RequestTrace::default()
    };
    let payload = [b'x'; 3000];
    let message = |payload_ref| {
        Envelope::new(
            &job(),
            TYPE,
            "width=200",
            payload_ref,
            &Digest::from_content(&payload),
            trace.clone(),
        )
    };
    let bytes = message(PayloadRef::from_bytes(&payload)).write().len();
    assert!(
        about(bytes - 3000, ENVELOPE_BYTES),
        "the envelope is {} bytes",
        bytes - 3000
    );
    // Payloads that are not text are encoded in Base64.
    let bytes = message(PayloadRef::from_bytes(&[0xff; 3000])).write().len();
    assert!(
        about(bytes - 4000, ENVELOPE_BYTES),
        "the envelope is {} bytes",
        bytes - 4000
    );
}

/// Returns the size of an attribute, according to DynamoDB's rules.
fn bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::B(blob) => blob.as_ref().len(),
        AttributeValue::L(list) => 3 + list.iter().map(|it| 1 + bytes(it)).sum::<usize>(),
        _ => panic!("no such attribute is written: {value:?}"),
    }
}

/// Returns listeners with names of usual length.
fn listeners() -> EventContext {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    EventContext {
        correlation_id: Some(UUID.parse().expect("an id")),
        traceparent: Some(traceparent.into()),
        webhook: Some(WebhookListener {
            url: format!("https://hooks.example.com/jobs/{UUID}"),
            scope: EventScope::Terminal,
        }),
        reply_to: Some("orders".parse().expect("a name")),
        bus: Some(EventScope::Terminal),
        ..EventContext::default()
    }
}

/// A table in memory.
struct Table {
    services: Services,
    store: DynamoStore,
}

impl Table {
    async fn new() -> Self {
        let services = Services::start(Storage::Memory)
            .await
            .expect("start the services");
        let store = DynamoStore::new(&embedded::clients(&services), "jobs");
        store.create_table().await.expect("a table");
        Self { services, store }
    }

    /// Returns the size of the only item.
    async fn item(&self) -> usize {
        let sdk = embedded::sdk_at(self.services.dynamodb_url()).await;
        let items = aws_sdk_dynamodb::Client::new(&sdk)
            .scan()
            .table_name("jobs")
            .send()
            .await
            .expect("a scan");
        let [item] = items.items() else {
            panic!("one item: {items:?}")
        };
        let size = |(name, value): (&String, &AttributeValue)| name.len() + bytes(value);
        item.iter().map(size).sum()
    }

    /// Runs a job to its end, with this result.
    async fn finish(&self, job: &Job, result: Option<ResultRef>) -> Job {
        self.store.accept(job).await.expect("accepted");
        let token: LeaseToken = UUID.parse().expect("a token");
        let claim = Claim {
            created_at: job.created_at,
            lease: Lease {
                token,
                message_id: UUID.to_owned(),
                ends_at: Some(job.created_at),
                isolation: Isolation::Shared,
            },
            lease_time: Duration::from_secs(30),
            max_attempts: 3,
        };
        let running = self
            .change(job, &Transition::claim(&claim, job.created_at))
            .await;
        let end = AttemptEnd::Done(Success {
            result,
            resource: None,
            published: vec![],
        });
        let policy = RetryPolicy::default();
        let settle = Transition::settle(&running, token, end, &policy, job.created_at, 0.5);
        self.change(job, &settle).await
    }

    async fn change(&self, job: &Job, transition: &Transition) -> Job {
        let changed = self.store.change(&job.key(), transition).await;
        let Ok(Change::Made(job)) = changed else {
            panic!("{changed:?}")
        };
        *job
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_weighs_its_result_its_listeners_and_the_rest() {
    let result = ResultRef::Inline {
        content_type: TYPE.to_owned(),
        bytes: vec![b'x'; 3000],
    };
    let (table, mut job) = (Table::new().await, job());
    table.finish(&job, Some(result.clone())).await;
    let rest = table.item().await - 3000;
    assert!(about(rest, RECORD_BYTES), "the rest is {rest} bytes");

    let table = Table::new().await;
    job.events = Some(Box::new(listeners()));
    table.finish(&job, Some(result)).await;
    let listeners = table.item().await - 3000 - rest;
    assert!(
        about(listeners, LISTENERS_BYTES),
        "listeners are {listeners} bytes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_weighs_its_result_and_the_rest() {
    let (table, mut job) = (Table::new().await, job());
    job.events = Some(Box::new(listeners()));
    let result = ResultRef::Inline {
        content_type: TYPE.to_owned(),
        bytes: format!("\"{}\"", "x".repeat(2998)).into_bytes(),
    };
    let job = table.finish(&job, Some(result)).await;
    let event = serde_json::to_string(&CloudEvent::from_job(&job, "/v1")).expect("JSON");
    let rest = event.len() - 3000;
    assert!(about(rest, EVENT_BYTES), "the rest is {rest} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_deliveries_weighs_each_of_them_and_the_rest() {
    let (table, job) = (Table::new().await, job());
    let mut log = DeliveryLog::default();
    let save = async |log: &DeliveryLog, seen| {
        let (key, at) = (job.key(), job.created_at);
        let saved = table.store.save_deliveries(&key, at, log, seen, at).await;
        assert_eq!(saved, Ok(true));
        table.item().await
    };
    let rest = save(&log, None).await;
    assert!(about(rest, DELIVERIES_BYTES), "the rest is {rest} bytes");
    for version in 1..=10 {
        let target = "https://hooks.example.com";
        log.add(DeliveryKind::Webhook, target, version, "", job.created_at);
        let id = delivery_id(DeliveryKind::Webhook, version, "");
        log.record(&id, &AttemptOutcome::Status(200), job.created_at, 0.5);
    }
    let each = (save(&log, Some(1)).await - rest) / 10;
    assert!(about(each, DELIVERY_BYTES), "a delivery is {each} bytes");
}
