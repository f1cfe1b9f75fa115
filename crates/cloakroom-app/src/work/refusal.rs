//! Rejected claims: the record determines what happens to the job and its message.

use std::time::Duration;

use cloakroom_core::transition::Refusal;
use cloakroom_core::{Job, Status, Transition};

use super::message::JobMessage;
use super::outcome::{count, delete_payload};
use crate::attempt::ports::AttemptPorts;
use crate::delivery::Disposition;
use crate::ports::Change;

/// Decides about a message whose claim was rejected. Ends the job if no worker will.
pub(super) async fn decide(
    ports: &AttemptPorts<'_>,
    message: &JobMessage<'_>,
    refusal: Refusal,
    job: Option<&Job>,
) -> Disposition {
    // The rejected write may have taken seconds.
    let now = ports.shared.host.now();
    let transition = match (refusal, job) {
        (Refusal::Over, Some(job)) => {
            delete_payload(ports, message.envelope, job).await;
            return Disposition::Done;
        }
        // The lease may come from a late claim whose response was lost, and which no worker runs.
        (Refusal::Duplicate, Some(job)) if message.envelope.unrecorded().is_some() => {
            return message.redeliver(job.ready_at.since(now)).await;
        }
        (Refusal::Over | Refusal::Duplicate, _) => return Disposition::Done,
        (Refusal::Later(at), job) => {
            let wait = at.since(now);
            // A running job needs this very message again: another one would be treated as a duplicate.
            let runs =
                job.is_some_and(|job| !matches!(job.status, Status::Accepted | Status::Retrying));
            return if runs {
                message.hide(wait).await
            } else {
                message.redeliver(wait).await
            };
        }
        (Refusal::Cancel(token), _) => Transition::confirm_cancel(token, now),
        (Refusal::Exhausted(token), Some(job)) => Transition::give_up(job, token, now),
        // The record was not found, or another worker took over: the next receipt decides again.
        (Refusal::Exhausted(_) | Refusal::Mine | Refusal::TakeOver { .. }, _) => {
            return message.hide(Duration::ZERO).await;
        }
    };
    end(ports, message, &transition).await
}

/// Ends the job of a message whose worker crashed.
async fn end(
    ports: &AttemptPorts<'_>,
    message: &JobMessage<'_>,
    transition: &Transition,
) -> Disposition {
    match ports
        .shared
        .store
        .change(&message.envelope.key(), transition)
        .await
    {
        Ok(Change::Made(job)) => {
            count(&*ports.shared.meter, &job, None);
            delete_payload(ports, message.envelope, &job).await;
            tracing::warn!(
                status = job.status.as_str(),
                attempts = job.attempt,
                "ended a job whose worker crashed"
            );
            Disposition::Done
        }
        // The record changed concurrently: the next receipt decides again.
        Ok(Change::Refused(_)) => message.hide(Duration::ZERO).await,
        Err(error) => message.redeliver_after(&error, "end the job").await,
    }
}
