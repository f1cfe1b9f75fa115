//! Sizes of messages and records.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::ports::{Change, JobStore as _};
use cloakroom_aws::DynamoStore;
use cloakroom_core::transition::Claim;
use cloakroom_core::{
    AttemptEnd, Digest, Fingerprint, Isolation, Job, JobId, Lease, LeaseToken, NewJob, ResultRef,
    RetryPolicy, Success, Tenant, Timestamp, Transition,
};
use cloakroom_cost::sizes::{ENVELOPE_BYTES, RECORD_BYTES};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_record_weighs_its_result_and_the_rest() {
    let services = Services::start(Storage::Memory)
        .await
        .expect("start the services");
    let clients = embedded::clients(&services);
    let (store, job) = (DynamoStore::new(&clients, "jobs"), job());
    store.create_table().await.expect("a table");
    store.accept(&job).await.expect("accepted");
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
    let claimed = store
        .change(&job.key(), &Transition::claim(&claim, job.created_at))
        .await
        .expect("written");
    let Change::Made(running) = claimed else {
        panic!("{claimed:?}")
    };
    let result = Some(ResultRef::Inline {
        content_type: TYPE.to_owned(),
        bytes: vec![b'x'; 3000],
    });
    let end = AttemptEnd::Done(Success {
        result,
        resource: None,
        published: vec![],
    });
    let settle = Transition::settle(
        &running,
        token,
        end,
        &RetryPolicy::default(),
        job.created_at,
        0.5,
    );
    assert!(matches!(
        store.change(&job.key(), &settle).await,
        Ok(Change::Made(_))
    ));

    let sdk = embedded::sdk_at(services.dynamodb_url()).await;
    let items = aws_sdk_dynamodb::Client::new(&sdk)
        .scan()
        .table_name("jobs")
        .send()
        .await
        .expect("a scan");
    let [item] = items.items() else {
        panic!("one item: {items:?}")
    };
    let bytes = item
        .iter()
        .map(|(name, value)| name.len() + bytes(value))
        .sum::<usize>()
        - 3000;
    assert!(about(bytes, RECORD_BYTES), "the rest is {bytes} bytes");
}
