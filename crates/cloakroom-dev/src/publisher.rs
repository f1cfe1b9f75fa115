//! Publication of changes. In a deployment the table's stream starts it; here each change is passed on in the process,
//! and a scan of the table repeats what a crash lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::core::Job;
use cloakroom_app::core::listeners::EventScope;
use cloakroom_app::{Host, Publisher};
use cloakroom_aws::DynamoStore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

/// Interval between two scans.
const PAUSE: Duration = Duration::from_secs(60);

/// Delays between tries to publish a change. After the last one, the next scan publishes it.
const AGAIN: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Publishes each change until the future is dropped. One at a time, so that the changes of a job stay in order.
pub(crate) async fn publish(mut changes: UnboundedReceiver<Job>, publisher: Publisher) {
    while let Some(job) = changes.recv().await {
        publish_one(&publisher, &job).await;
    }
}

async fn publish_one(publisher: &Publisher, job: &Job) {
    let mut delays = AGAIN.into_iter();
    while let Err(error) = publisher.publish(job).await {
        tracing::warn!(%error, job_id = %job.id, "failed to publish a change");
        match delays.next() {
            Some(delay) => sleep(delay).await,
            None => return,
        }
    }
}

/// Publishes the ends of jobs that were not published, until the future is dropped.
pub(crate) async fn catch_up(store: DynamoStore, publisher: Publisher, host: Arc<dyn Host>) {
    let mut done = HashSet::new();
    loop {
        match store.listened_jobs().await {
            Ok(jobs) => {
                let ended = jobs.into_iter().filter(|job| {
                    EventScope::Terminal.includes(job.status) && job.is_alive(host.now())
                });
                for job in ended {
                    let end = (job.key(), job.version);
                    if !done.contains(&end) && publisher.publish(&job).await.is_ok() {
                        done.insert(end);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "failed to look for unpublished changes"),
        }
        sleep(PAUSE).await;
    }
}
