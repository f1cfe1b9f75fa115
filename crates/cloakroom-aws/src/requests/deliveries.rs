//! Requests to DynamoDB for the records of deliveries.

use cloakroom_app::ports::{DeliveryStore as _, PortError};
use cloakroom_app::testing::new_job;
use cloakroom_core::{DeliveryKind, DeliveryLog, JobKey, Timestamp};

use super::script::{Answer, Script, failed, ok};
use crate::DynamoStore;

const CREATED_AT: Timestamp = Timestamp::from_millis(1_795_248_000_120);
const EXPIRES_AT: Timestamp = Timestamp::from_millis(1_795_334_400_001);

fn store(answers: impl IntoIterator<Item = Answer>) -> (Script, DynamoStore) {
    let script = Script::new(answers);
    let store = DynamoStore::new(&script.clients(), "jobs");
    (script, store)
}

fn key() -> JobKey {
    let mut job = new_job(CREATED_AT, 1);
    job.tenant = "shop-1".parse().expect("a tenant");
    job.key()
}

fn log() -> DeliveryLog {
    let mut log = DeliveryLog::default();
    let url = "https://a.example";
    log.add(DeliveryKind::Webhook, url, 3, "", CREATED_AT);
    log
}

#[tokio::test]
async fn deliveries_are_loaded_as_they_are_now() {
    let (script, store) = store([ok("{}")]);
    let loaded = store.load_deliveries(&key(), CREATED_AT).await;
    assert_eq!(loaded, Ok(None));
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn deliveries_are_saved_if_their_record_has_not_changed() {
    let (script, store) = store([ok("{}"), ok("{}")]);
    let (key, log) = (key(), log());
    for seen in [None, Some(2)] {
        let saved = store.save_deliveries(&key, CREATED_AT, &log, seen, EXPIRES_AT);
        assert_eq!(saved.await, Ok(true));
    }
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_record_that_has_changed_is_no_error_and_all_else_is() {
    let refused = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}"#;
    let denied = r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException"}"#;
    let (_, store) = store([
        failed(400, refused),
        failed(400, denied),
        failed(400, denied),
    ]);
    let (key, log) = (key(), log());
    let save = async || {
        store
            .save_deliveries(&key, CREATED_AT, &log, Some(2), EXPIRES_AT)
            .await
    };
    assert_eq!(save().await, Ok(false));
    let saved = save().await;
    assert!(matches!(saved, Err(PortError::Misconfigured { .. })));
    let loaded = store.load_deliveries(&key, CREATED_AT).await;
    assert!(matches!(loaded, Err(PortError::Misconfigured { .. })));
}

#[tokio::test]
async fn a_record_that_is_damaged_is_reported_as_unreadable() {
    let (_, store) = store([ok(r#"{"Item":{"v":{"N":"1"}}}"#)]);
    let loaded = store.load_deliveries(&key(), CREATED_AT).await;
    assert!(
        matches!(loaded, Err(PortError::Unreadable { .. })),
        "{loaded:?}"
    );
}
