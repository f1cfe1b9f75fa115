//! Port for the table of jobs.

use async_trait::async_trait;
use cloakroom_core::{Job, JobId, JobKey, Tenant, Timestamp, Transition, UploadId};

use super::error::PortError;
use super::uploads::PartsRecord;
use crate::changes::ChangeWatch;

/// Outcome of recording a new job.
#[derive(Debug, Clone, PartialEq)]
pub enum Acceptance {
    /// The job is recorded.
    Created,
    /// An unexpired job with this id exists, and remains unchanged.
    Exists(Box<Job>),
}

/// Outcome of a conditional write.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The guard held. Contains the new record.
    Made(Box<Job>),
    /// The guard did not hold. Contains the current record, if one exists. It may have expired.
    Refused(Option<Box<Job>>),
}

/// The table of jobs.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Records a job, unless an unexpired one (at `job.created_at`) has its id. One conditional write.
    async fn accept(&self, job: &Job) -> Result<Acceptance, PortError>;

    /// Applies a transition if its guard holds. One conditional write.
    async fn change(&self, key: &JobKey, transition: &Transition) -> Result<Change, PortError>;

    /// Applies a transition like [`change`](Self::change), for callers that do not need the record after it.
    ///
    /// The job returned with [`Change::Made`] is the transition applied to `seen`. It lacks concurrent changes that the
    /// guard allows.
    async fn change_unseen(
        &self,
        seen: &Job,
        transition: &Transition,
    ) -> Result<Change, PortError> {
        self.change(&seen.key(), transition).await
    }

    /// Loads the record, even if it has expired. One strongly consistent read.
    async fn load(&self, key: &JobKey) -> Result<Option<Job>, PortError>;

    /// Watches the changes of a job. A store that does not know them returns a watch that waits for a while instead.
    fn watch(&self, _key: &JobKey) -> ChangeWatch {
        ChangeWatch::default()
    }

    /// Assigns an upload to a job, unless another job has it. One conditional write. Returns true if this job has it
    /// now.
    async fn take_upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
        job: JobId,
        until: Timestamp,
    ) -> Result<bool, PortError>;

    /// Stores the record of a multipart upload until a command uses it. One write.
    async fn keep_upload(&self, upload: &PartsRecord) -> Result<(), PortError>;

    /// Loads the record of a multipart upload, even if it has expired. One strongly consistent read.
    async fn upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
    ) -> Result<Option<PartsRecord>, PortError>;
}
