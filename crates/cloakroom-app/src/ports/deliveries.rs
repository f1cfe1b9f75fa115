//! Port for the records of deliveries.

use async_trait::async_trait;
use cloakroom_core::{DeliveryLog, JobKey, Timestamp};

use super::error::PortError;

/// A record of deliveries, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeliveries {
    /// Content.
    pub log: DeliveryLog,
    /// Number of the record's changes, for the condition of the next one.
    pub revision: u64,
    /// Time from which the record counts as deleted.
    pub expires_at: Timestamp,
}

/// Store of one record of deliveries per incarnation of a job.
#[async_trait]
pub trait DeliveryStore: Send + Sync {
    /// Loads the deliveries of the job that was accepted at `created_at`. One strongly consistent read.
    async fn load_deliveries(
        &self,
        job: &JobKey,
        created_at: Timestamp,
    ) -> Result<Option<StoredDeliveries>, PortError>;

    /// Stores the deliveries, if the record still has the revision `seen`; `None` means that there is no record of this
    /// incarnation. One conditional write. Its revision is then `seen` + 1, or 1. Returns false if the record has changed.
    async fn save_deliveries(
        &self,
        job: &JobKey,
        created_at: Timestamp,
        log: &DeliveryLog,
        seen: Option<u64>,
        expires_at: Timestamp,
    ) -> Result<bool, PortError>;
}
