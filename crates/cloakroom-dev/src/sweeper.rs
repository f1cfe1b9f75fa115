//! Looks for abandoned jobs: what the sweeper's function is told by the table's stream elsewhere, is read from the table here.

use std::time::Duration;

use cloakroom_app::Sweeper;
use cloakroom_aws::DynamoStore;

/// How often.
const PAUSE: Duration = Duration::from_secs(60);

/// Sweeps for ever.
pub(crate) async fn sweep(store: DynamoStore, sweeper: Sweeper) {
    loop {
        let looked = match store.open_jobs().await {
            Ok(open) => sweeper.sweep(&open).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            tracing::warn!(%error, "failed to look for abandoned jobs");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
