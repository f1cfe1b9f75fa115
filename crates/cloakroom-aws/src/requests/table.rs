//! Requests to DynamoDB.

use std::time::Duration;

use cloakroom_app::ports::{
    DeliveryStore as _, JobStore as _, PartsRecord, PortError, UploadTerms,
};
use cloakroom_app::testing::new_job;
use cloakroom_core::transition::Claim;
use cloakroom_core::{
    DeliveryLog, Digest, Isolation, Job, Lease, LeaseToken, Tenant, Timestamp, Transition, UploadId,
};
use serde_json::json;
use uuid::Uuid;

use super::script::{Answer, Script, failed, fails_with_its_service, ok};
use crate::DynamoStore;

const NOW: Timestamp = Timestamp::from_millis(1_795_248_000_120);

fn store(answers: impl IntoIterator<Item = Answer>) -> (Script, DynamoStore) {
    let script = Script::new(answers);
    let store = DynamoStore::new(&script.clients(), "jobs");
    (script, store)
}

fn job() -> Job {
    new_job(NOW, 1)
}

fn claim(job: &Job) -> Transition {
    let token = LeaseToken::from_uuid(Uuid::from_u128(1));
    let lease = Lease {
        token,
        message_id: "m-1".into(),
        ends_at: None,
        isolation: Isolation::Shared,
    };
    let claim = Claim {
        created_at: job.created_at,
        lease,
        lease_time: Duration::from_secs(30),
        max_attempts: 3,
    };
    Transition::claim(&claim, NOW)
}

fn upload() -> UploadId {
    UploadId::from_uuid(Uuid::from_u128(2))
}

const REFUSED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}"#;

#[tokio::test]
async fn a_table_is_made_with_its_key_and_deletes_by_expiry() {
    let (script, store) = store([ok("{}"), ok("{}"), ok("{}")]);
    store.create_table().await.expect("made");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_table_that_deletes_by_another_attribute_is_told_ours() {
    let other =
        r#"{"TimeToLiveDescription":{"AttributeName":"other","TimeToLiveStatus":"ENABLED"}}"#;
    let ours =
        r#"{"TimeToLiveDescription":{"AttributeName":"expires_at","TimeToLiveStatus":"ENABLED"}}"#;
    for (described, requests) in [(other, 3), (ours, 2)] {
        let in_use = failed(
            400,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceInUseException"}"#,
        );
        let (script, store) = store(
            [in_use, ok(described)]
                .into_iter()
                .chain((requests == 3).then(|| ok("{}"))),
        );
        store.create_table().await.expect("there");
        assert_eq!(script.count(), requests, "{described}");
    }
}

#[tokio::test]
async fn a_table_that_may_not_be_made_is_an_error() {
    let denied = r#"{"__type":"com.amazon.coral.service#AccessDeniedException"}"#;
    let (script, store) = store([failed(400, denied)]);
    let made = store.create_table().await;
    assert!(
        matches!(made, Err(PortError::Misconfigured { .. })),
        "{made:?}"
    );
    assert_eq!(script.count(), 1);
}

#[tokio::test]
async fn a_job_is_accepted_by_one_conditional_write() {
    let (script, store) = store([ok("{}"), ok("{}")]);
    let mut later = new_job(NOW, 2);
    later.ready_at = NOW.after(Duration::from_secs(86_400));
    for job in [job(), later] {
        store.accept(&job).await.expect("accepted");
    }
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_change_is_one_conditional_update_that_shows_the_job() {
    let (script, store) = store([ok("{}")]);
    let changed = store.change(&job().key(), &claim(&job())).await;
    assert!(
        matches!(changed, Err(PortError::Misconfigured { .. })),
        "it was not shown: {changed:?}"
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_change_unseen_shows_the_job_only_where_it_is_refused() {
    let (script, store) = store([ok("{}")]);
    store
        .change_unseen(&job(), &Transition::withdraw(NOW))
        .await
        .expect("changed");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_job_is_loaded_as_it_is_now() {
    let (script, store) = store([ok("{}")]);
    assert_eq!(store.load(&job().key()).await, Ok(None));
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn an_upload_is_taken_until_its_job_expires() {
    let (script, store) = store([ok("{}"), failed(400, REFUSED)]);
    let until = Timestamp::from_millis(1_795_248_000_001);
    let tenant = Tenant::default();
    assert_eq!(
        store.take_upload(&tenant, upload(), job().id, until).await,
        Ok(true)
    );
    assert_eq!(
        store.take_upload(&tenant, upload(), job().id, until).await,
        Ok(false)
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn an_upload_in_parts_is_kept_and_read_as_it_is_now() {
    let (script, store) = store([ok("{}"), ok("{}"), ok("{}")]);
    let terms = UploadTerms {
        content_type: "image/png".into(),
        length: 7,
        sha256: None,
    };
    let record = PartsRecord {
        tenant: Tenant::default(),
        id: upload(),
        store_id: "s-1".into(),
        terms: terms.clone(),
        part_length: 5,
        digest: None,
        expires_at: Timestamp::from_millis(1_795_248_000_001),
    };
    store.keep_upload(&record).await.expect("kept");
    let terms = UploadTerms {
        sha256: Some(Digest::from_content(b"x")),
        ..terms
    };
    store
        .keep_upload(&PartsRecord {
            terms,
            digest: Some(Digest::from_content(b"y")),
            ..record
        })
        .await
        .expect("kept");
    assert_eq!(store.upload(&Tenant::default(), upload()).await, Ok(None));
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn jobs_that_are_not_over_are_looked_for_page_by_page() {
    let id = "0d5f1c0e-8a51-4f0b-9c6e-2f4f2f7c9a11";
    let item = format!(r#"{{"tenant":{{"S":"default"}},"id":{{"S":"{id}"}}}}"#);
    let first = format!(r#"{{"Items":[{item}],"LastEvaluatedKey":{{"pk":{{"S":"x"}}}}}}"#);
    let (script, store) = store([ok(&first), ok(&format!(r#"{{"Items":[{item}]}}"#))]);
    assert_eq!(store.open_jobs().await.map(|jobs| jobs.len()), Ok(2));
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_refusal_that_does_not_show_the_job_is_an_error_of_a_new_one_and_none_of_a_change() {
    let (_, store) = store([failed(400, REFUSED), failed(400, REFUSED)]);
    let accepted = store.accept(&job()).await;
    assert!(
        matches!(accepted, Err(PortError::Misconfigured { .. })),
        "{accepted:?}"
    );
    let changed = store.change(&job().key(), &claim(&job())).await;
    assert_eq!(changed, Ok(cloakroom_app::ports::Change::Refused(None)));
}

/// Makes one call of the table, whose result does not matter if it is one.
async fn call(store: &DynamoStore, name: &str) -> Result<(), PortError> {
    let (job, tenant) = (job(), Tenant::default());
    match name {
        "accept" => store.accept(&job).await.map(drop),
        "change" => store.change(&job.key(), &claim(&job)).await.map(drop),
        "change_unseen" => store.change_unseen(&job, &claim(&job)).await.map(drop),
        "load" => store.load(&job.key()).await.map(drop),
        "take_upload" => {
            let taken = store.take_upload(&tenant, upload(), job.id, NOW);
            taken.await.map(drop)
        }
        "upload" => store.upload(&tenant, upload()).await.map(drop),
        "load_deliveries" => store.load_deliveries(&job.key(), NOW).await.map(drop),
        "save_deliveries" => {
            let log = DeliveryLog::default();
            let key = job.key();
            let saved = store.save_deliveries(&key, NOW, &log, Some(1), NOW);
            saved.await.map(drop)
        }
        "open_jobs" => store.open_jobs().await.map(drop),
        "listened_jobs" => store.listened_jobs().await.map(drop),
        _ => unreachable!("{name}"),
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_takes_an_error_for_a_refusal_or_for_nothing() {
    let denied = r#"{"__type":"com.amazon.coral.service#AccessDeniedException"}"#;
    let fault = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}"#;
    for name in [
        "accept",
        "change",
        "change_unseen",
        "load",
        "take_upload",
        "upload",
        "load_deliveries",
        "save_deliveries",
        "open_jobs",
        "listened_jobs",
    ] {
        let errors = (failed(400, denied), failed(500, fault));
        fails_with_its_service(name, errors, async |clients| {
            call(&DynamoStore::new(clients, "jobs"), name).await
        })
        .await;
    }
}

#[tokio::test]
async fn a_record_of_a_later_version_is_not_missing_but_unreadable() {
    for name in ["load", "upload", "load_deliveries"] {
        let (_, store) = store([ok(r#"{"Item":{"v":{"N":"9"}}}"#)]);
        let called = call(&store, name).await;
        let unreadable = matches!(called, Err(PortError::Unreadable { .. }));
        assert!(unreadable, "{name}: {called:?}");
    }
}

#[tokio::test]
async fn jobs_with_listeners_are_found_beside_one_that_cant_be_read() {
    let other = new_job(NOW, 2);
    let readable = crate::testing::image_of(&job());
    let mut unreadable = readable.clone();
    unreadable["v"] = json!({ "N": "9" });
    let first = json!({
        "Items": [unreadable, readable],
        "LastEvaluatedKey": { "pk": { "S": "x" } },
    });
    let second = json!({ "Items": [crate::testing::image_of(&other)] });
    let (_, store) = store([first, second].map(|page| ok(&page.to_string())));
    assert_eq!(store.listened_jobs().await, Ok(vec![job(), other]));
}
