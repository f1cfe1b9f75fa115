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

#[cfg(test)]
mod tests {
    use cloakroom_app::core::{JobId, Status};
    use cloakroom_app::ports::JobStore as _;
    use cloakroom_app::testing::Listening;
    use cloakroom_embedded::{Services, Storage};

    use super::*;
    use crate::parts::clients;

    #[tokio::test]
    async fn the_ends_of_an_hour_in_which_nothing_was_published_are_published_later() {
        let services = Services::start(Storage::Memory).await.expect("they start");
        let store = DynamoStore::new(&clients(&services), "jobs");
        store.create_table().await.expect("a table");
        let room = Listening::default();
        let mut jobs = vec![];
        for (n, status) in (2..).zip([Status::Succeeded, Status::Failed, Status::Cancelled]) {
            let mut job = room.job(status, 3);
            job.id = JobId::from_uuid(uuid::Uuid::from_u128(n));
            job.updated_at = room.host.now().before(Duration::from_secs(3600));
            store.accept(&job).await.expect("recorded");
            jobs.push(job);
        }
        store
            .accept(&room.job(Status::Running, 2))
            .await
            .expect("recorded");
        let heard = async {
            for job in &jobs {
                let log = async || room.publisher.deliveries(job).await.expect("read");
                while log().await.deliveries.is_empty() {
                    tokio::task::yield_now().await;
                }
            }
        };
        let (publisher, host) = (room.publisher.clone(), room.host.clone());
        tokio::select! {
            () = catch_up(store, publisher, host) => unreachable!("it never ends"),
            () = heard => {}
        }
        room.deliver_all().await;
        assert_eq!(room.memory.posted().len(), jobs.len(), "one job still runs");
    }
}
