//! Table of jobs in memory.

use async_trait::async_trait;
use cloakroom_core::{Job, JobId, JobKey, Tenant, Timestamp, Transition, UploadId};

use super::Memory;
use crate::ports::{Acceptance, Change, JobStore, PartsRecord, PortError};

#[async_trait]
impl JobStore for Memory {
    async fn accept(&self, job: &Job) -> Result<Acceptance, PortError> {
        self.record("accept", |state| match state.jobs.get(&job.key()) {
            Some(existing) if existing.is_alive(job.created_at) => {
                Acceptance::Exists(Box::new(existing.clone()))
            }
            _ => {
                state.jobs.insert(job.key(), job.clone());
                Acceptance::Created
            }
        })
        .await
    }

    async fn change(&self, key: &JobKey, transition: &Transition) -> Result<Change, PortError> {
        self.record("change", |state| {
            state.readable(key)?;
            let found = state.jobs.get(key).cloned();
            Ok(match found.as_ref().and_then(|job| transition.apply(job)) {
                Some(job) => {
                    state.jobs.insert(key.clone(), job.clone());
                    Change::Made(Box::new(job))
                }
                None => Change::Refused(found.map(Box::new)),
            })
        })
        .await?
    }

    /// Returns no more than a table that does not send the record back.
    async fn change_unseen(
        &self,
        seen: &Job,
        transition: &Transition,
    ) -> Result<Change, PortError> {
        Ok(match self.change(&seen.key(), transition).await? {
            Change::Made(_) => Change::Made(Box::new(transition.patch.apply(seen.clone()))),
            refused @ Change::Refused(_) => refused,
        })
    }

    async fn load(&self, key: &JobKey) -> Result<Option<Job>, PortError> {
        self.record("load", |state| {
            state.readable(key)?;
            Ok(state.jobs.get(key).cloned())
        })
        .await?
    }

    async fn take_upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
        job: JobId,
        until: Timestamp,
    ) -> Result<bool, PortError> {
        self.record("take_upload", |state| {
            let key = (tenant.clone(), upload);
            let (owner, _) = state.uploads.entry(key).or_insert((job, until));
            *owner == job
        })
        .await
    }

    async fn keep_upload(&self, upload: &PartsRecord) -> Result<(), PortError> {
        self.record("keep_upload", |state| {
            state
                .records
                .insert((upload.tenant.clone(), upload.id), upload.clone());
        })
        .await
    }

    async fn upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
    ) -> Result<Option<PartsRecord>, PortError> {
        self.record("upload", |state| {
            state.records.get(&(tenant.clone(), upload)).cloned()
        })
        .await
    }
}
