//! Start of an attempt: admission by memory, then the claim of the job.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::transition::{Claim, Refusal};
use cloakroom_core::{Isolation, Job, JobKey, Lease, LeaseToken, Timestamp, Transition};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::message::JobMessage;
use super::outcome::count;
use super::refusal;
use crate::admission::{Admission, Permit, TooLarge};
use crate::attempt::ports::AttemptPorts;
use crate::body::BodyHead;
use crate::command::Command;
use crate::delivery::Disposition;
use crate::envelope::PayloadRef;
use crate::meter::Fact;
use crate::ports::{Change, PortError, ReadError};

/// A message that requires an attempt.
pub(super) struct AttemptRequest<'a> {
    pub(super) ports: AttemptPorts<'a>,
    pub(super) admission: &'a Admission,
    pub(super) message: JobMessage<'a>,
    pub(super) key: &'a JobKey,
    pub(super) command: &'a Command,
    /// Time at which the function times out.
    pub(super) ends_at: Timestamp,
}

/// An attempt whose job was claimed.
pub(super) struct ClaimedAttempt {
    pub(super) job: Job,
    pub(super) token: LeaseToken,
    /// Admission of the handler. Without it, the handler must not run.
    pub(super) permit: Result<Permit, TooLarge>,
    /// Latest time at which the attempt is stopped.
    pub(super) deadline: Timestamp,
    /// Latest time for recording the attempt's end.
    pub(super) last_moment: Timestamp,
}

impl AttemptRequest<'_> {
    /// Starts an attempt. If that fails, returns the disposition of the message.
    pub(super) async fn begin(&self) -> Result<ClaimedAttempt, Disposition> {
        self.in_time().await?;
        let need = self.memory().await;
        let permit = self.wait(self.admission.admit(need)).await?;
        self.in_time().await?;
        if let Err(error) = self.give_back().await {
            return Err(self
                .message
                .redeliver_after(&error, "give an attempt back")
                .await);
        }
        self.unless_lapsed().await?;
        let claim = self.claim();
        // Determined late: each previous write may have taken seconds, and a lease must not start in the past.
        let now = self.in_time().await?;
        let written = self.change(&Transition::claim(&claim, now)).await;
        match written {
            Ok(Change::Made(job)) => Ok(self.begun(&claim, *job, permit, now)),
            Ok(Change::Refused(found)) => {
                match (Refusal::new(&claim, found.as_deref(), now), found) {
                    (Refusal::Mine, Some(job)) => Ok(self.begun(&claim, *job, permit, now)),
                    (Refusal::TakeOver { dead, isolation }, _) => {
                        self.take_over(claim, dead, isolation, permit).await
                    }
                    (refusal, found) => Err(self.refused(refusal, found.as_deref()).await),
                }
            }
            Err(error) => Err(self.unrecorded(&claim, &error, "claim the attempt").await),
        }
    }

    /// Starts an attempt that replaces one whose worker crashed.
    async fn take_over(
        &self,
        mut claim: Claim,
        dead: LeaseToken,
        isolation: Isolation,
        mut permit: Result<Permit, TooLarge>,
    ) -> Result<ClaimedAttempt, Disposition> {
        tracing::warn!(
            ?isolation,
            "the worker of the last attempt crashed; taking over"
        );
        if isolation == Isolation::Alone && permit.is_ok() {
            drop(permit);
            permit = Ok(self.wait(self.admission.admit_alone()).await?);
        }
        claim.lease.isolation = isolation;
        let now = self.in_time().await?;
        let written = self.change(&Transition::take_over(&claim, dead, now)).await;
        match written {
            Ok(Change::Made(job)) => Ok(self.begun(&claim, *job, permit, now)),
            Ok(Change::Refused(found)) => {
                match (Refusal::new(&claim, found.as_deref(), now), found) {
                    (Refusal::Mine, Some(job)) => Ok(self.begun(&claim, *job, permit, now)),
                    (refusal, found) => Err(self.refused(refusal, found.as_deref()).await),
                }
            }
            Err(error) => Err(self
                .unrecorded(&claim, &error, "take over the attempt")
                .await),
        }
    }

    async fn change(&self, transition: &Transition) -> Result<Change, PortError> {
        self.ports.shared.store.change(self.key, transition).await
    }

    async fn refused(&self, refusal: Refusal, job: Option<&Job>) -> Disposition {
        refusal::decide(&self.ports, &self.message, refusal, job).await
    }

    async fn unrecorded(&self, claim: &Claim, error: &PortError, doing: &str) -> Disposition {
        self.message
            .resend_unrecorded(claim.lease.token, error, doing)
            .await
    }

    /// Stops counting the attempt in the message whose start or end could not be recorded.
    async fn give_back(&self) -> Result<(), PortError> {
        let Some(token) = self.message.envelope.unrecorded() else {
            return Ok(());
        };
        let transition = Transition::give_back(token, self.ports.shared.host.now());
        if let Change::Made(job) = self.change(&transition).await? {
            tracing::warn!("an attempt is not counted: the table was unavailable");
            self.ports
                .shared
                .meter
                .count(&job.command, Fact::StorageUnavailable);
        }
        Ok(())
    }

    fn begun(
        &self,
        claim: &Claim,
        job: Job,
        permit: Result<Permit, TooLarge>,
        now: Timestamp,
    ) -> ClaimedAttempt {
        tracing::Span::current().record("attempt", job.attempt);
        if job.started_at == Some(now) {
            self.ports.shared.meter.count(
                &job.command,
                Fact::Started {
                    queue_delay: now.since(self.message.envelope.ready_at()),
                },
            );
        }
        if let Err(error) = &permit {
            tracing::error!(%error, "ended a job that needs more memory than the worker has; increase the worker's memory");
        }
        let last_moment = self.last_moment();
        let deadline = now.after(self.command.limits().timeout).min(last_moment);
        ClaimedAttempt {
            job,
            token: claim.lease.token,
            permit,
            deadline,
            last_moment,
        }
    }

    fn claim(&self) -> Claim {
        Claim {
            created_at: self.message.envelope.accepted_at(),
            lease: Lease {
                token: LeaseToken::from_uuid(self.ports.shared.host.uuid()),
                message_id: self.message.delivery.message_id.clone(),
                ends_at: Some(self.ends_at),
                isolation: Isolation::Shared,
            },
            lease_time: self.ports.settings.lease,
            max_attempts: self.command.limits().retry.max_attempts,
        }
    }

    /// Returns the latest time for recording the end of the attempt.
    fn last_moment(&self) -> Timestamp {
        self.ends_at.before(self.ports.settings.margin)
    }

    /// Returns the current time, if enough of it remains for a short attempt. A shorter one would be counted without
    /// effect.
    async fn in_time(&self) -> Result<Timestamp, Disposition> {
        let now = self.ports.shared.host.now();
        if now < self.last_moment() {
            Ok(now)
        } else {
            Err(self.message.redeliver(Duration::ZERO).await)
        }
    }

    /// Ends a job that did not start in time.
    async fn unless_lapsed(&self) -> Result<(), Disposition> {
        let now = self.ports.shared.host.now();
        let accepted_at = self.message.envelope.accepted_at();
        let limit = self
            .command
            .limits()
            .start_within
            .filter(|limit| accepted_at.after(*limit) <= now);
        let Some(limit) = limit else { return Ok(()) };
        // The job may have lapsed. The record shows whether it has, and whether it started before.
        match self
            .change(&Transition::lapse(accepted_at, limit, now))
            .await
        {
            Ok(Change::Made(job)) => {
                count(&*self.ports.shared.meter, &job, None);
                tracing::warn!(
                    start_within_s = limit.as_secs(),
                    "ended a job that did not start in time"
                );
                Err(Disposition::Done)
            }
            Ok(Change::Refused(_)) => Ok(()),
            Err(error) => Err(self
                .message
                .redeliver_after(&error, "end a job that did not start in time")
                .await),
        }
    }

    /// Waits for admission. The message stays hidden meanwhile. At the function's last moment, it returns to the queue.
    async fn wait<T>(&self, admitted: impl Future<Output = T>) -> Result<T, Disposition> {
        let mut admitted = pin!(admitted);
        let asked = Instant::now();
        let end = asked + self.last_moment().since(self.ports.shared.host.now());
        let mut next_beat = asked + self.ports.settings.lease / 3;
        loop {
            tokio::select! {
                biased;
                permit = &mut admitted => {
                    return Ok(permit);
                }
                () = sleep_until(end) => {
                    tracing::info!("no memory became free in time; the message will be received again");
                    return Err(self.message.redeliver(Duration::ZERO).await);
                }
                () = sleep_until(next_beat) => {
                    next_beat += self.ports.settings.lease / 3;
                    let hidden = self.message.queue.hide(&self.message.delivery.receipt, self.ports.settings.lease);
                    if let Ok(Err(error)) = timeout_at(next_beat.min(end), hidden).await {
                        // In the worst case, the message becomes visible early and is handled twice. Only one of the
                        // claims succeeds.
                        tracing::warn!(%error, "failed to hide a message that waits for memory");
                    }
                }
            }
        }
    }

    /// Returns the memory that an attempt may need, in bytes.
    async fn memory(&self) -> u64 {
        let (command, envelope) = (self.command, self.message.envelope);
        let estimated = match &command.estimate {
            Some(estimate) => match self.head().await {
                Ok(head) => estimate(&envelope.query, &head),
                Err(error) => {
                    // The attempt reads the payload again, and records the error.
                    tracing::warn!(%error, "failed to read the beginning of the payload; its memory can't be estimated");
                    None
                }
            },
            None => None,
        };
        let held = if command.holds_body {
            envelope.payload_bytes()
        } else {
            0
        };
        estimated.or(command.limits().memory).unwrap_or(held)
    }

    /// Reads the beginning of the payload. Returns an empty one if the payload is missing or damaged: the attempt
    /// reports that.
    async fn head(&self) -> Result<BodyHead, ReadError> {
        match &self.message.envelope.payload {
            PayloadRef::Stored(key) => Ok(self.ports.objects.head(key).await?.unwrap_or_default()),
            payload => {
                let whole: Option<Bytes> = payload.bytes().and_then(Result::ok);
                Ok(whole
                    .map(|body| BodyHead::from_whole(&body))
                    .unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests;
