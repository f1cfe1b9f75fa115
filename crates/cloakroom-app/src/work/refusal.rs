//! A refused claim: what the record says decides about the job and its message.

use std::time::Duration;

use cloakroom_core::transition::Refusal;
use cloakroom_core::{Job, Status, Transition};

use super::message::JobMessage;
use super::outcome::{count, delete_payload};
use crate::attempt::ports::AttemptPorts;
use crate::delivery::Disposition;
use crate::ports::Change;

/// Decides about a message whose claim was refused. Ends its job if no worker will.
pub(super) async fn decide(
    ports: &AttemptPorts<'_>,
    message: &JobMessage<'_>,
    refusal: Refusal,
    job: Option<&Job>,
) -> Disposition {
    // The refused write may have taken seconds.
    let now = ports.shared.host.now();
    let transition = match (refusal, job) {
        (Refusal::Over, Some(job)) => {
            delete_payload(ports, message.envelope, job).await;
            return Disposition::Done;
        }
        // Perhaps of a late claim whose answer was lost, and that nobody works on.
        (Refusal::Duplicate, Some(job)) if message.envelope.unrecorded().is_some() => {
            return message.redeliver(job.ready_at.since(now)).await;
        }
        (Refusal::Over | Refusal::Duplicate, _) => return Disposition::Done,
        (Refusal::Later(at), job) => {
            let wait = at.since(now);
            // Of a job that runs, this very message has to come back: another one would be taken for one too many.
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
        // Not found, or taken over elsewhere: the next receipt decides again.
        (Refusal::Exhausted(_) | Refusal::Mine | Refusal::TakeOver { .. }, _) => {
            return message.hide(Duration::ZERO).await;
        }
    };
    end(ports, message, &transition).await
}

/// Ends the job of a message whose worker died.
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
                "ended a job whose worker is gone"
            );
            Disposition::Done
        }
        // Something else happened to it meanwhile: the next receipt sees what.
        Ok(Change::Refused(_)) => message.hide(Duration::ZERO).await,
        Err(error) => message.redeliver_after(&error, "end the job").await,
    }
}
