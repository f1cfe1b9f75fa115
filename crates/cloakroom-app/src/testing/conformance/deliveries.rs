//! Conformance of a store of deliveries.

use std::time::Duration;

use cloakroom_core::{DeliveryKind, DeliveryLog, JobId, JobKey, Tenant, Timestamp};
use uuid::Uuid;

use crate::ports::{DeliveryStore, StoredDeliveries};

/// Checks a store of deliveries.
///
/// # Panics
/// If the store does not conform.
pub async fn deliveries(store: &dyn DeliveryStore, now: Timestamp) {
    let job = JobKey {
        tenant: Tenant::default(),
        id: JobId::from_uuid(Uuid::new_v4()),
    };
    let expires_at =
        Timestamp::from_seconds(now.after(Duration::from_secs(3600)).as_seconds_ceil());
    let load = async |at| store.load_deliveries(&job, at).await.expect("a read");
    let save = async |at, log: &DeliveryLog, seen| {
        let saved = store.save_deliveries(&job, at, log, seen, expires_at).await;
        saved.expect("a write")
    };
    assert_eq!(load(now).await, None, "nothing is recorded yet");

    let mut log = DeliveryLog::default();
    log.add(DeliveryKind::Webhook, "https://a.example", 3, "", now);
    assert!(!save(now, &log, Some(1)).await, "there is no revision yet");
    assert!(save(now, &log, None).await);
    assert!(!save(now, &log, None).await, "there is a record now");
    let first = load(now).await.expect("recorded");
    let want = StoredDeliveries {
        log: log.clone(),
        revision: first.revision,
        expires_at,
    };
    assert_eq!(first, want);

    log.add(DeliveryKind::Reply, "orders", 3, "", now);
    assert!(save(now, &log, Some(first.revision)).await);
    assert!(
        !save(now, &log, Some(first.revision)).await,
        "it has changed"
    );
    let second = load(now).await.expect("recorded");
    assert_eq!(second.log, log);
    assert_ne!(second.revision, first.revision);

    let later = now.after(Duration::from_millis(1));
    assert_eq!(load(later).await, None, "another incarnation has its own");
    let fresh = DeliveryLog::default();
    assert!(save(later, &fresh, None).await);
    assert_eq!(load(later).await.map(|stored| stored.log), Some(fresh));
}
