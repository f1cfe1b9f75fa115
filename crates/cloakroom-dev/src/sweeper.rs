//! Sweeper of abandoned jobs. It reads open jobs from the table, because there is no stream of the table here.

use std::time::Duration;

use cloakroom_app::Sweeper;
use cloakroom_aws::DynamoStore;

/// Interval between two sweeps.
const PAUSE: Duration = Duration::from_secs(60);

/// Sweeps until the future is dropped.
pub(crate) async fn sweep(store: DynamoStore, sweeper: Sweeper) {
    loop {
        let looked = match store.open_jobs().await {
            Ok(open) => sweeper.sweep(&open).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            tracing::warn!(%error, "failed to check for abandoned jobs");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
