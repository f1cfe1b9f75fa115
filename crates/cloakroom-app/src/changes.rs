//! Changes of jobs, for those who wait in the same process.
//!
//! A process that makes all changes, like the dev runner, wakes a waiting request at once. Other processes read the
//! record again after a while.

use std::time::Duration;

use cloakroom_core::JobKey;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{sleep, timeout};

/// Number of changes that a slow waiter may be behind. One that is further behind reads its job again.
const BEHIND: usize = 1024;

/// Longest wait without a look at the record, where changes are known.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// Notifies waiting requests of the changes of jobs. Clones notify the same requests.
#[derive(Debug, Clone)]
pub struct Changes(broadcast::Sender<JobKey>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Changes {
    /// Wakes everyone who waits for this job.
    pub fn notify(&self, key: &JobKey) {
        // Without a receiver, nobody waits.
        let _ = self.0.send(key.clone());
    }

    /// Watches a job. Changes from now on are reported, also those before the first wait.
    pub fn watch(&self, key: &JobKey) -> ChangeWatch {
        ChangeWatch(Some((self.0.subscribe(), key.clone())))
    }
}

/// Watch on the changes of a job.
#[derive(Debug, Default)]
pub struct ChangeWatch(Option<(broadcast::Receiver<JobKey>, JobKey)>);

impl ChangeWatch {
    /// Waits until the job may have changed: for `pause`, or, where changes are known, until there is one. Waits no
    /// longer than `left`.
    pub async fn wait(&mut self, pause: Duration, left: Duration) {
        let Some((receiver, key)) = &mut self.0 else {
            sleep(pause.min(left)).await;
            return;
        };
        let change = async {
            loop {
                match receiver.recv().await {
                    Ok(other) if other != *key => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    // No change comes any more, so this waits for its time.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _ = timeout(left.min(LONGEST_SILENCE), change).await;
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::{JobId, Tenant};
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;

    fn key(id: u128) -> JobKey {
        JobKey {
            tenant: Tenant::default(),
            id: JobId::from_uuid(Uuid::from_u128(id)),
        }
    }

    async fn waited(watch: &mut ChangeWatch) -> Duration {
        let begun = Instant::now();
        watch
            .wait(Duration::from_secs(1), Duration::from_secs(30))
            .await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_between_two_waits_ends_the_next_one_and_other_jobs_do_not() {
        let changes = Changes::default();
        let mut watch = changes.watch(&key(1));
        changes.notify(&key(1));
        assert_eq!(waited(&mut watch).await, Duration::ZERO);
        changes.notify(&key(2));
        assert_eq!(waited(&mut watch).await, LONGEST_SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_missed_changes_looks_again() {
        let changes = Changes::default();
        let mut watch = changes.watch(&key(1));
        for other in 0..2 * BEHIND as u128 {
            changes.notify(&key(other + 2));
        }
        assert_eq!(waited(&mut watch).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn without_notifications_a_watch_waits_for_the_pause() {
        assert_eq!(
            waited(&mut ChangeWatch::default()).await,
            Duration::from_secs(1)
        );
        let mut watch = Changes::default().watch(&key(1));
        assert_eq!(
            waited(&mut watch).await,
            LONGEST_SILENCE,
            "no sender is left"
        );
        let begun = Instant::now();
        watch.wait(Duration::from_secs(1), Duration::ZERO).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
