//! Effects of a job's new status: counts a fact, and deletes the payload of a finished job.

use std::time::Duration;

use cloakroom_core::transition::Event;
use cloakroom_core::{Job, Status};

use crate::attempt::ports::AttemptPorts;
use crate::envelope::Envelope;
use crate::meter::{Fact, Meter};

/// Time before a job's expiry from which its payload is no longer deleted: longer than the maximum lifetime of a
/// function. After the expiry, the id may belong to another job, with the same payload under the same key.
const BEFORE_EXPIRY: Duration = Duration::from_secs(1800);

/// Deletes the payload of a job that has succeeded or was cancelled, after that is recorded.
///
/// If this fails, the bucket's lifecycle rule deletes the payload. The rule also deletes the payloads of failed jobs,
/// which an operator may redrive until then.
pub(super) async fn delete_payload(ports: &AttemptPorts<'_>, envelope: &Envelope, job: &Job) {
    let over = matches!(job.status, Status::Succeeded | Status::Cancelled);
    let its_own = job.created_at == envelope.accepted_at();
    let in_time = job.expires_at.since(ports.shared.host.now()) > BEFORE_EXPIRY;
    if let Some(key) = envelope
        .stored_payload_key()
        .filter(|_| over && its_own && in_time)
        && let Err(error) = ports.objects.delete(key).await
    {
        tracing::warn!(%error, "failed to delete a payload; the bucket's lifecycle will delete it");
    }
}

/// Counts the outcome of an attempt, from the record after it.
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
        // Not the end of an attempt, or of a job whose worker crashed.
        (Status::Succeeded | Status::Retrying, None)
        | (Status::Accepted | Status::Running | Status::Cancelling, _) => return,
    };
    meter.count(&job.command, fact);
}
