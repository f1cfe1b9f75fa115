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
