//! The table of jobs.

use async_trait::async_trait;
use cloakroom_core::{Job, JobId, JobKey, Tenant, Timestamp, Transition, UploadId};

use super::error::PortError;
use super::uploads::PartsRecord;

/// Outcome of recording a new job.
#[derive(Debug, Clone, PartialEq)]
pub enum Acceptance {
    /// The job is recorded.
    Created,
    /// A live job has this id already, and stays as it is.
    Exists(Box<Job>),
}

/// Outcome of a conditional write.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The guard held. Contains the record as it is now.
    Made(Box<Job>),
    /// The guard did not hold. Contains the record as it is, if one exists; it may be expired.
    Refused(Option<Box<Job>>),
}

/// The table of jobs.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Records a job unless a live one (at `job.created_at`) has its id: one conditional write.
    async fn accept(&self, job: &Job) -> Result<Acceptance, PortError>;

    /// Makes a change if its guard holds: one conditional write.
    async fn change(&self, key: &JobKey, transition: &Transition) -> Result<Change, PortError>;

    /// Makes a change as [`change`](Self::change) does, for callers that do not need the record after it.
    ///
    /// The job returned with [`Change::Made`] is the change applied to `seen`. It lacks changes by others in the meantime that
    /// the guard allows.
    async fn change_unseen(
        &self,
        seen: &Job,
        transition: &Transition,
    ) -> Result<Change, PortError> {
        self.change(&seen.key(), transition).await
    }

    /// Loads the record, expired or not: one strongly consistent read.
    async fn load(&self, key: &JobKey) -> Result<Option<Job>, PortError>;

    /// Gives an upload to a job, unless another job has it: one conditional write. Returns true if this job has it now.
    async fn take_upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
        job: JobId,
        until: Timestamp,
    ) -> Result<bool, PortError>;

    /// Stores the record of an upload in parts until a command names it: one write.
    async fn keep_upload(&self, upload: &PartsRecord) -> Result<(), PortError>;

    /// Loads the record of an upload in parts, expired or not: one strongly consistent read.
    async fn upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
    ) -> Result<Option<PartsRecord>, PortError>;
}
