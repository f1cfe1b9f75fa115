use std::time::Duration;

use cloakroom_app::testing::new_job;
use cloakroom_core::transition::Claim;
use cloakroom_core::{EventContext, EventScope, Isolation, Lease, LeaseToken, Progress};
use uuid::Uuid;

use super::*;
use crate::services::Fixture;

const NOW: Timestamp = Timestamp::from_millis(1_795_248_000_120);

async fn table(fixture: &Fixture) -> DynamoStore {
    let store = DynamoStore::new(&fixture.clients, "jobs");
    store.create_table().await.expect("make the table");
    fixture.calls.take();
    store
}

fn claim(worker: u128, job: &Job) -> Claim {
    let lease = Lease {
        token: LeaseToken::from_uuid(Uuid::from_u128(worker)),
        message_id: "m-1".into(),
        ends_at: None,
        isolation: Isolation::Shared,
    };
    Claim {
        created_at: job.created_at,
        lease,
        lease_time: Duration::from_secs(30),
        max_attempts: 3,
    }
}

/// Records a job that worker 1 claims. Returns it as it was before the claim, and the token of its lease.
async fn claimed(store: &DynamoStore) -> (Job, LeaseToken) {
    let job = new_job(NOW, 1);
    store.accept(&job).await.expect("accept");
    let claim = claim(1, &job);
    changed(store, &job, &Transition::claim(&claim, NOW)).await;
    (job, claim.lease.token)
}

/// Makes a change that is not refused. Returns the job after it.
async fn changed(store: &DynamoStore, job: &Job, transition: &Transition) -> Job {
    match store.change(&job.key(), transition).await {
        Ok(Change::Made(job)) => *job,
        refused => panic!("{refused:?}"),
    }
}

#[tokio::test]
async fn the_table_is_made_once() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let job = new_job(NOW, 1);
    store.accept(&job).await.expect("accept");
    store.create_table().await.expect("find the table");
    assert_eq!(store.load(&job.key()).await, Ok(Some(job)));
    let ttl = store
        .client
        .describe_time_to_live()
        .table_name("jobs")
        .send()
        .await
        .expect("describe");
    let attribute = ttl
        .time_to_live_description
        .and_then(|ttl| ttl.attribute_name);
    assert_eq!(attribute.as_deref(), Some("expires_at"));
}

#[tokio::test]
async fn each_call_of_the_port_is_one_call_to_dynamodb() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let job = new_job(NOW, 1);
    store.accept(&job).await.expect("accept");
    store.accept(&job).await.expect("find it");
    assert_eq!(
        fixture.calls.take(),
        ["DynamoDB.PutItem", "DynamoDB.PutItem"]
    );
    let claim = Transition::claim(&claim(1, &job), NOW);
    store.change(&job.key(), &claim).await.expect("claim");
    store.change(&job.key(), &claim).await.expect("be refused");
    assert_eq!(
        fixture.calls.take(),
        ["DynamoDB.UpdateItem", "DynamoDB.UpdateItem"]
    );
    store.load(&job.key()).await.expect("load");
    assert_eq!(fixture.calls.take(), ["DynamoDB.GetItem"]);
    let upload = UploadId::from_uuid(Uuid::from_u128(2));
    store
        .take_upload(&job.tenant, upload, job.id, job.expires_at)
        .await
        .expect("take");
    assert_eq!(fixture.calls.take(), ["DynamoDB.PutItem"]);
}

#[tokio::test]
async fn an_acceptance_whose_answer_was_lost_finds_its_own_job() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let job = new_job(NOW, 1);
    assert_eq!(store.accept(&job).await, Ok(Acceptance::Created));
    assert_eq!(
        store.accept(&job).await,
        Ok(Acceptance::Exists(Box::new(job)))
    );
}

#[tokio::test]
async fn a_job_expires_to_the_millisecond() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let job = new_job(NOW, 1);
    store.accept(&job).await.expect("accept");
    let last = Timestamp::from_millis(job.expires_at.as_millis() - 1);
    assert!(
        matches!(
            store.accept(&new_job(last, 1)).await,
            Ok(Acceptance::Exists(_))
        ),
        "alive in its last millisecond"
    );
    let refused = store
        .change(&job.key(), &Transition::withdraw(job.expires_at))
        .await;
    assert_eq!(
        refused,
        Ok(Change::Refused(Some(Box::new(job.clone())))),
        "an expired job is not changed, but shown"
    );
    assert!(matches!(
        store.change(&job.key(), &Transition::withdraw(last)).await,
        Ok(Change::Made(_))
    ));
}

#[tokio::test]
async fn an_attempt_that_is_given_back_is_not_counted() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let (job, token) = claimed(&store).await;
    let job = changed(&store, &job, &Transition::give_back(token, NOW)).await;
    assert_eq!((job.attempt, job.status), (0, Status::Retrying));
}

#[tokio::test]
async fn a_new_attempt_forgets_the_progress_of_the_last_whatever_it_was() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let (job, token) = claimed(&store).await;
    for percent in [f64::MIN_POSITIVE, 1e-90, 1.0 / 3.0, 100.0] {
        let report = (Progress::new(percent, Some("x".into())), Some(NOW));
        let renewal = Transition::renew(token, Duration::ZERO, Some(report), NOW);
        let renewed = changed(&store, &job, &renewal).await;
        let read = renewed.progress.expect("progress").percent;
        assert!((read - percent).abs() < 1e-100, "{percent} became {read}");
    }
    let take_over = Transition::take_over(&claim(2, &job), token, NOW);
    let again = changed(&store, &job, &take_over).await;
    assert_eq!(
        (again.attempt, again.progress, again.estimated_finish_at),
        (2, None, None)
    );
    assert_eq!(again.started_at, Some(NOW));
}

#[tokio::test]
async fn the_record_of_a_later_program_is_left_as_it_is() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let job = new_job(NOW, 1);
    let mut item = record::write(&job);
    item.insert("v".into(), number(2));
    store
        .client
        .put_item()
        .table_name("jobs")
        .set_item(Some(item.clone()))
        .send()
        .await
        .expect("put");
    for refused in [
        store
            .change(&job.key(), &Transition::withdraw(NOW))
            .await
            .map(|_| ()),
        store.accept(&job).await.map(|_| ()),
        store.load(&job.key()).await.map(|_| ()),
    ] {
        let Err(PortError::Unreadable { reason, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(reason.contains("version 2"), "{reason}");
    }
    let left = store
        .client
        .get_item()
        .table_name("jobs")
        .key("pk", job_pk(&job.key()))
        .send()
        .await
        .expect("get");
    assert_eq!(left.item, Some(item));
}

#[tokio::test]
async fn a_table_that_is_not_there_is_an_operators_to_mend() {
    let fixture = Fixture::start().await;
    let store = DynamoStore::new(&fixture.clients, "no-such-table");
    let job = new_job(NOW, 1);
    let failed = store.accept(&job).await;
    assert!(
        matches!(&failed, Err(PortError::Misconfigured { service: TABLE, reason }) if reason.contains("ResourceNotFound")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_table_that_is_away_is_to_be_asked_again() {
    let away = crate::Local {
        dynamodb_url: "http://127.0.0.1:9", // nothing listens there
        sqs_url: "",
        s3_url: "",
        region: "us-east-1",
        access_key: "a",
        secret_key: "s",
    };
    tokio::time::pause(); // delays of the SDK between its attempts
    let store = DynamoStore::new(&Clients::local(&away), "jobs");
    let failed = store.load(&new_job(NOW, 1).key()).await;
    assert!(
        matches!(failed, Err(PortError::Unavailable { service: TABLE, .. })),
        "{failed:?}"
    );
}

#[tokio::test]
async fn the_jobs_that_are_not_over_are_found_by_a_scan() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let (open, over) = (new_job(NOW, 1), new_job(NOW, 2));
    for job in [&open, &over] {
        store.accept(job).await.expect("accepted");
    }
    changed(&store, &over, &Transition::withdraw(NOW)).await;
    let upload = UploadId::from_uuid(Uuid::from_u128(9));
    store
        .take_upload(&open.tenant, upload, open.id, NOW)
        .await
        .expect("taken");
    assert_eq!(store.open_jobs().await, Ok(vec![open.key()]));
}

#[tokio::test]
async fn the_jobs_with_listeners_are_found_by_a_scan() {
    let fixture = Fixture::start().await;
    let store = table(&fixture).await;
    let (silent, mut listened) = (new_job(NOW, 1), new_job(NOW, 2));
    listened.events = Some(Box::new(EventContext {
        bus: Some(EventScope::Terminal),
        ..EventContext::default()
    }));
    for job in [&silent, &listened] {
        store.accept(job).await.expect("accepted");
    }
    assert_eq!(store.listened_jobs().await, Ok(vec![listened]));
}
