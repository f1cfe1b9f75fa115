//! Effects of a job's new status: a fact is counted, and the payload of a finished job is deleted.

use std::time::Duration;

use cloakroom_core::transition::Event;
use cloakroom_core::{Job, Status};

use crate::attempt::ports::AttemptPorts;
use crate::envelope::Envelope;
use crate::meter::{Fact, Meter};

/// Time before its job expires until which a payload is still deleted: longer than any function runs. After that the job's id
/// may be another job's, with a payload of the same bytes under the same key.
const BEFORE_EXPIRY: Duration = Duration::from_secs(1800);

/// Deletes the payload of a job that succeeded or was cancelled, once that is recorded.
///
/// The bucket's lifecycle deletes a payload that can't be deleted here. It also deletes the payload of a failed job, which may be
/// sent back to work.
pub(super) async fn delete_payload(ports: &AttemptPorts<'_>, envelope: &Envelope, job: &Job) {
    let over = matches!(job.status, Status::Succeeded | Status::Cancelled);
    let its_own = job.created_at == envelope.accepted_at();
    let in_time = job.expires_at.since(ports.shared.host.now()) > BEFORE_EXPIRY;
    if let Some(key) = envelope
        .stored_payload_key()
        .filter(|_| over && its_own && in_time)
        && let Err(error) = ports.objects.delete(key).await
    {
        tracing::warn!(%error, "failed to delete a payload; it goes by the bucket's lifecycle");
    }
}

/// Counts the outcome of an attempt, by the record after it.
pub(super) fn count(meter: &dyn Meter, job: &Job, run_time: Option<Duration>) {
    let code = || {
        job.failure
            .as_ref()
            .map(|failure| failure.code.clone())
            .unwrap_or_default()
    };
    let deferred = job
        .history
        .last()
        .is_some_and(|step| step.event == Event::Defer);
    let fact = match (job.status, run_time) {
        (Status::Retrying, Some(_)) if deferred => Fact::StorageUnavailable,
        (Status::Succeeded, Some(run_time)) => Fact::Succeeded { run_time },
        (Status::Failed, run_time) => Fact::Failed {
            code: code(),
            run_time,
        },
        (Status::Cancelled, run_time) => Fact::Cancelled { run_time },
        (Status::Retrying, Some(run_time)) => Fact::Retried { run_time },
        // None is the end of an attempt, or of a job whose worker is gone.
        (Status::Succeeded | Status::Retrying, None)
        | (Status::Accepted | Status::Running | Status::Cancelling, _) => return,
    };
    meter.count(&job.command, fact);
}
