//! Deletes expired data, as a replacement for DynamoDB's time to live and the bucket's lifecycle rules.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::command::RESULT_DAYS;
use cloakroom_app::core::Timestamp;
use cloakroom_app::ports::keys;
use cloakroom_app::upload::UPLOAD_LIFE;
use cloakroom_app::{Host as _, Registry, SystemHost};
use cloakroom_aws::S3Objects;
use cloakroom_embedded::Services;

/// Interval of the deletions. On AWS, they take hours or days.
const PAUSE: Duration = Duration::from_secs(300);

/// Deletes expired data until the future is dropped.
pub(crate) async fn delete(services: Arc<Services>, objects: S3Objects, commands: Registry) {
    let life = commands.objects_life();
    loop {
        services.sweep_expired().await;
        services.abort_unfinished(UPLOAD_LIFE).await;
        let results = RESULT_DAYS.map(|days| {
            (
                keys::results_prefix(days),
                Duration::from_secs(u64::from(days) * 24 * 3600),
            )
        });
        let others = [
            ("uploads/".to_owned(), UPLOAD_LIFE),
            ("payloads/".to_owned(), life),
        ];
        for (prefix, life) in others.into_iter().chain(results) {
            let millis = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
            let before =
                Timestamp::from_millis(SystemHost.now().as_millis().saturating_sub(millis));
            match objects.sweep(&prefix, before).await {
                Ok(0) => {}
                Ok(swept) => tracing::info!(prefix, swept, "deleted expired objects"),
                Err(error) => tracing::warn!(prefix, %error, "failed to delete expired objects"),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
