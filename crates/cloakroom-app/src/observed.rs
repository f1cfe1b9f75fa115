//! Table of jobs that reports its changes, for processes that make all of them: there the changes need no stream.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom_core::{Job, JobId, JobKey, Tenant, Timestamp, Transition, UploadId};

use crate::changes::{ChangeWatch, Changes};
use crate::ports::{Acceptance, Change, JobStore, PartsRecord, PortError};

/// Receives the jobs whose listeners must be notified, after each change that concerns them.
pub type ChangeObserver = Arc<dyn Fn(Job) + Send + Sync>;

/// A table that reports its changes.
#[derive(Clone)]
pub struct ObservedStore {
    store: Arc<dyn JobStore>,
    changes: Changes,
    observer: ChangeObserver,
}

impl ObservedStore {
    /// Wraps a table.
    pub fn new(store: Arc<dyn JobStore>, changes: Changes, observer: ChangeObserver) -> Self {
        Self {
            store,
            changes,
            observer,
        }
    }

    fn made(&self, change: &Change, transition: &Transition) {
        if let Change::Made(job) = change {
            self.changed(job, is_reported(transition));
        }
    }

    fn changed(&self, job: &Job, reported: bool) {
        self.changes.notify(&job.key());
        let scope = job.events.as_ref().and_then(|events| events.scope());
        if reported && scope.is_some_and(|scope| scope.includes(job.status)) {
            (self.observer)(job.clone());
        }
    }
}

/// Returns true for a change that concerns listeners: everything but the renewal of a lease without progress.
fn is_reported(transition: &Transition) -> bool {
    transition.patch.step.is_some() || transition.patch.progress.is_some()
}

#[async_trait]
impl JobStore for ObservedStore {
    async fn accept(&self, job: &Job) -> Result<Acceptance, PortError> {
        let acceptance = self.store.accept(job).await?;
        if acceptance == Acceptance::Created {
            self.changed(job, true);
        }
        Ok(acceptance)
    }

    async fn change(&self, key: &JobKey, transition: &Transition) -> Result<Change, PortError> {
        let change = self.store.change(key, transition).await?;
        self.made(&change, transition);
        Ok(change)
    }

    /// The observers need the record after the change, so this asks for it.
    async fn change_unseen(
        &self,
        seen: &Job,
        transition: &Transition,
    ) -> Result<Change, PortError> {
        self.change(&seen.key(), transition).await
    }

    async fn load(&self, key: &JobKey) -> Result<Option<Job>, PortError> {
        self.store.load(key).await
    }

    fn watch(&self, key: &JobKey) -> ChangeWatch {
        self.changes.watch(key)
    }

    async fn take_upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
        job: JobId,
        until: Timestamp,
    ) -> Result<bool, PortError> {
        self.store.take_upload(tenant, upload, job, until).await
    }

    async fn keep_upload(&self, upload: &PartsRecord) -> Result<(), PortError> {
        self.store.keep_upload(upload).await
    }

    async fn upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
    ) -> Result<Option<PartsRecord>, PortError> {
        self.store.upload(tenant, upload).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use cloakroom_core::{EventScope, Progress, RetryPolicy, Status, Success};
    use tokio::time::Instant;

    use super::*;
    use crate::host::Host as _;
    use crate::ports::UploadTerms;
    use crate::testing::{Listening, Memory, claim_by};

    /// A table in memory, and the versions of the jobs that it reported.
    struct Observed {
        room: Listening,
        store: ObservedStore,
        reported: Arc<Mutex<Vec<(u64, Status)>>>,
    }

    impl Default for Observed {
        fn default() -> Self {
            let (room, reported) = (Listening::default(), Arc::new(Mutex::default()));
            let observer = {
                let reported: Arc<Mutex<Vec<_>>> = Arc::clone(&reported);
                move |job: Job| {
                    let mut reported = reported.lock().expect("no test panics meanwhile");
                    reported.push((job.version, job.status));
                }
            };
            let memory: Arc<Memory> = Arc::clone(&room.memory);
            let store = ObservedStore::new(memory, Changes::default(), Arc::new(observer));
            Self {
                room,
                store,
                reported,
            }
        }
    }

    impl Observed {
        fn take(&self) -> Vec<(u64, Status)> {
            std::mem::take(&mut self.reported.lock().expect("no test panics meanwhile"))
        }

        async fn change(&self, job: &Job, transition: &Transition) -> Job {
            match self.store.change(&job.key(), transition).await {
                Ok(Change::Made(job)) => *job,
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_change_that_was_made_is_reported_and_none_that_was_refused() {
        let observed = Observed::default();
        let job = observed.room.job(Status::Accepted, 1);
        observed.store.accept(&job).await.expect("accepted");
        assert_eq!(observed.take(), [(1, Status::Accepted)]);
        observed.store.accept(&job).await.expect("answered");
        assert_eq!(observed.take(), [], "it exists");
        let now = observed.room.host.now();
        let claim = claim_by("m", &job);
        let claimed = observed.change(&job, &Transition::claim(&claim, now)).await;
        assert_eq!(observed.take(), [(2, Status::Running)]);
        let again = observed
            .store
            .change(&job.key(), &Transition::withdraw(now))
            .await;
        assert!(matches!(again, Ok(Change::Refused(_))));
        assert_eq!(observed.take(), []);

        let (token, lease) = (claim.lease.token, claim.lease_time);
        let renewal = Transition::renew(token, lease, None, now);
        observed.change(&job, &renewal).await;
        assert_eq!(observed.take(), [], "a renewal alone changes nothing");
        let progress = Some((Progress::new(50.0, None), None));
        let renewal = Transition::renew(token, lease, progress, now);
        let running = observed.change(&job, &renewal).await;
        assert_eq!(observed.take(), [(running.version, Status::Running)]);

        let end = cloakroom_core::AttemptEnd::Done(Success::default());
        let end = Transition::settle(&claimed, token, end, &RetryPolicy::default(), now, 0.0);
        // The worker that claimed the job has not seen its renewals.
        let ended = observed.store.change_unseen(&claimed, &end).await;
        let Ok(Change::Made(ended)) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(observed.take(), [(running.version + 1, Status::Succeeded)]);
        assert_eq!(observed.store.load(&job.key()).await, Ok(Some(*ended)));
    }

    #[tokio::test(start_paused = true)]
    async fn only_changes_in_the_scope_of_a_listener_are_reported() {
        for (scope, reported) in [
            (None, &[][..]),
            (Some(EventScope::Terminal), &[(2, Status::Cancelled)]),
            (
                Some(EventScope::All),
                &[(1, Status::Accepted), (2, Status::Cancelled)],
            ),
        ] {
            let observed = Observed::default();
            let mut job = observed.room.job(Status::Accepted, 1);
            let context = job.events.as_mut().expect("listeners");
            (context.webhook, context.bus) = (None, scope);
            observed.store.accept(&job).await.expect("accepted");
            observed
                .change(&job, &Transition::withdraw(observed.room.host.now()))
                .await;
            assert_eq!(observed.take(), reported, "{scope:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_wakes_those_who_wait_for_the_job_whether_or_not_it_has_listeners() {
        let observed = Observed::default();
        let mut job = observed.room.job(Status::Accepted, 1);
        job.events = None;
        let begun = Instant::now();
        let time = Duration::from_secs(1);
        let mut watch = observed.store.watch(&job.key());
        observed.store.accept(&job).await.expect("accepted");
        watch.wait(time, time).await;
        let withdraw = Transition::withdraw(observed.room.host.now());
        observed.change(&job, &withdraw).await;
        watch.wait(time, time).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        watch.wait(time, time).await;
        assert_eq!(begun.elapsed(), time, "no change since");
    }

    #[tokio::test(start_paused = true)]
    async fn uploads_are_those_of_the_table() {
        let observed = Observed::default();
        let (tenant, now) = (Tenant::default(), Timestamp::from_seconds(1));
        let upload = UploadId::from_uuid(uuid::Uuid::from_u128(2));
        let job = |n| JobId::from_uuid(uuid::Uuid::from_u128(n));
        for (n, taken) in [(1, true), (2, false)] {
            let take = observed.store.take_upload(&tenant, upload, job(n), now);
            assert_eq!(take.await, Ok(taken));
        }
        assert_eq!(observed.store.upload(&tenant, upload).await, Ok(None));
        let record = PartsRecord {
            tenant: tenant.clone(),
            id: upload,
            store_id: "u-1".to_owned(),
            terms: UploadTerms {
                content_type: "text/plain".to_owned(),
                length: 7,
                sha256: None,
            },
            part_length: 7,
            digest: None,
            expires_at: now,
        };
        observed.store.keep_upload(&record).await.expect("stored");
        let found = observed.store.upload(&tenant, upload).await;
        assert_eq!(found, Ok(Some(record)));
    }
}
