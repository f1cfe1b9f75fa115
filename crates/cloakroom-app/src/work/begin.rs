//! The beginning of an attempt: admission by its memory, then the claim of its job.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::transition::{Claim, Refusal};
use cloakroom_core::{Isolation, Job, JobKey, Lease, LeaseToken, Timestamp, Transition};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Delivery, Disposition, Worker};
use crate::admission::{Permit, TooLarge};
use crate::body::BodyHead;
use crate::command::Command;
use crate::envelope::{Envelope, PayloadRef};
use crate::meter::Fact;
use crate::ports::{Change, PortError, ReadError};

/// A message that asks for an attempt.
pub(super) struct AttemptRequest<'a> {
    pub(super) delivery: &'a Delivery,
    pub(super) envelope: &'a Envelope,
    pub(super) key: &'a JobKey,
    pub(super) command: &'a Command,
    /// When the function itself is ended.
    pub(super) ends_at: Timestamp,
}

/// An attempt that was claimed.
pub(super) struct Begun {
    pub(super) job: Job,
    pub(super) token: LeaseToken,
    /// The admission of the handler; it must not run without.
    pub(super) permit: Result<Permit, TooLarge>,
    /// When the attempt is stopped at the latest.
    pub(super) deadline: Timestamp,
    /// When its end must be written at the latest.
    pub(super) last_moment: Timestamp,
}

impl Worker {
    /// Begins an attempt. If it can't, decides about the message.
    pub(super) async fn begin(&self, request: &AttemptRequest<'_>) -> Result<Begun, Disposition> {
        self.in_time(request).await?;
        let need = self.memory_of(request).await;
        let permit = self.wait(request, self.admission.admit(need)).await?;
        self.in_time(request).await?;
        if let Err(error) = self.give_back(request.envelope, request.key).await {
            return Err(self
                .fault(
                    request.delivery,
                    request.envelope,
                    &error,
                    "give an attempt back",
                )
                .await);
        }
        self.unless_lapsed(request).await?;
        let claim = self.claim_of(request);
        // Not earlier: each write before it may have taken seconds, and a lease must not begin in the past.
        let now = self.in_time(request).await?;
        match self
            .store
            .change(request.key, &Transition::claim(&claim, now))
            .await
        {
            Ok(Change::Made(job)) => Ok(self.begun(request, &claim, *job, permit, now)),
            Ok(Change::Refused(found)) => match (Refusal::of(&claim, found.as_deref(), now), found)
            {
                (Refusal::Mine, Some(job)) => Ok(self.begun(request, &claim, *job, permit, now)),
                (Refusal::TakeOver { dead, isolation }, _) => {
                    self.take_over(request, claim, dead, isolation, permit)
                        .await
                }
                (refusal, found) => Err(self
                    .refused(
                        request.delivery,
                        request.envelope,
                        refusal,
                        found.as_deref(),
                    )
                    .await),
            },
            Err(error) => Err(self
                .unrecorded_claim(request, &claim, &error, "claim the attempt")
                .await),
        }
    }

    /// Begins an attempt in place of one whose worker died.
    async fn take_over(
        &self,
        request: &AttemptRequest<'_>,
        mut claim: Claim,
        dead: LeaseToken,
        isolation: Isolation,
        mut permit: Result<Permit, TooLarge>,
    ) -> Result<Begun, Disposition> {
        tracing::warn!(
            ?isolation,
            "the worker of the last attempt died; taking over"
        );
        if isolation == Isolation::Alone && permit.is_ok() {
            drop(permit);
            permit = Ok(self.wait(request, self.admission.admit_alone()).await?);
        }
        claim.lease.isolation = isolation;
        let now = self.in_time(request).await?;
        match self
            .store
            .change(request.key, &Transition::take_over(&claim, dead, now))
            .await
        {
            Ok(Change::Made(job)) => Ok(self.begun(request, &claim, *job, permit, now)),
            Ok(Change::Refused(found)) => match (Refusal::of(&claim, found.as_deref(), now), found)
            {
                (Refusal::Mine, Some(job)) => Ok(self.begun(request, &claim, *job, permit, now)),
                (refusal, found) => Err(self
                    .refused(
                        request.delivery,
                        request.envelope,
                        refusal,
                        found.as_deref(),
                    )
                    .await),
            },
            Err(error) => Err(self
                .unrecorded_claim(request, &claim, &error, "take over the attempt")
                .await),
        }
    }

    async fn unrecorded_claim(
        &self,
        request: &AttemptRequest<'_>,
        claim: &Claim,
        error: &PortError,
        doing: &str,
    ) -> Disposition {
        self.unrecorded(
            request.delivery,
            request.envelope,
            claim.lease.token,
            error,
            doing,
        )
        .await
    }

    fn begun(
        &self,
        request: &AttemptRequest<'_>,
        claim: &Claim,
        job: Job,
        permit: Result<Permit, TooLarge>,
        now: Timestamp,
    ) -> Begun {
        tracing::Span::current().record("attempt", job.attempt);
        if job.started_at == Some(now) {
            self.meter.count(
                &job.command,
                Fact::Started {
                    queue_delay: now.since(request.envelope.ready_at()),
                },
            );
        }
        if let Err(error) = &permit {
            tracing::error!(%error, "ended a job that no worker of this size can run; give the worker more memory");
        }
        let last_moment = self.last_moment(request);
        let deadline = now.after(request.command.limits().timeout).min(last_moment);
        Begun {
            job,
            token: claim.lease.token,
            permit,
            deadline,
            last_moment,
        }
    }

    fn claim_of(&self, request: &AttemptRequest<'_>) -> Claim {
        Claim {
            created_at: request.envelope.accepted_at(),
            lease: Lease {
                token: LeaseToken::from_uuid(self.host.uuid()),
                message_id: request.delivery.message_id.clone(),
                ends_at: Some(request.ends_at),
                isolation: Isolation::Shared,
            },
            lease_time: self.settings.lease,
            max_attempts: request.command.limits().retry.max_attempts,
        }
    }

    /// Latest time for writing the end of the attempt.
    fn last_moment(&self, request: &AttemptRequest<'_>) -> Timestamp {
        request.ends_at.before(self.settings.margin)
    }

    /// Returns the time, while there is enough for a short attempt: a shorter one would count, and do nothing.
    async fn in_time(&self, request: &AttemptRequest<'_>) -> Result<Timestamp, Disposition> {
        let now = self.host.now();
        if now < self.last_moment(request) {
            Ok(now)
        } else {
            Err(self
                .bring_back(request.delivery, request.envelope, Duration::ZERO)
                .await)
        }
    }

    /// Ends a job that was not begun in time.
    async fn unless_lapsed(&self, request: &AttemptRequest<'_>) -> Result<(), Disposition> {
        let now = self.host.now();
        let accepted_at = request.envelope.accepted_at();
        let limit = request
            .command
            .limits()
            .start_within
            .filter(|limit| accepted_at.after(*limit) <= now);
        let Some(limit) = limit else { return Ok(()) };
        // Perhaps too late. Whether it is, and was not begun before, the record says.
        match self
            .store
            .change(request.key, &Transition::lapse(accepted_at, limit, now))
            .await
        {
            Ok(Change::Made(job)) => {
                self.count(&job, None);
                tracing::warn!(
                    start_within_s = limit.as_secs(),
                    "ended a job that was not begun in time"
                );
                Err(Disposition::Done)
            }
            Ok(Change::Refused(_)) => Ok(()),
            Err(error) => Err(self
                .fault(
                    request.delivery,
                    request.envelope,
                    &error,
                    "end a job that was not begun in time",
                )
                .await),
        }
    }

    /// Waits for admission. The message stays hidden meanwhile; at the function's last moment it goes back to the queue.
    async fn wait<T>(
        &self,
        request: &AttemptRequest<'_>,
        admitted: impl Future<Output = T>,
    ) -> Result<T, Disposition> {
        let mut admitted = pin!(admitted);
        let asked = Instant::now();
        let end = asked + self.last_moment(request).since(self.host.now());
        let mut next_beat = asked + self.settings.lease / 3;
        loop {
            tokio::select! {
                biased;
                permit = &mut admitted => {
                    return Ok(permit);
                }
                () = sleep_until(end) => {
                    tracing::info!("no memory became free in time; the message comes back");
                    return Err(self.bring_back(request.delivery, request.envelope, Duration::ZERO).await);
                }
                () = sleep_until(next_beat) => {
                    next_beat += self.settings.lease / 3;
                    let hidden = self.queue.hide(&request.delivery.receipt, self.settings.lease);
                    if let Ok(Err(error)) = timeout_at(next_beat, hidden).await {
                        // At worst the message comes back early, and is handled twice: only one claim is made.
                        tracing::warn!(%error, "failed to hide a message that waits for memory");
                    }
                }
            }
        }
    }

    /// Returns the memory that an attempt may need, in bytes.
    async fn memory_of(&self, request: &AttemptRequest<'_>) -> u64 {
        let AttemptRequest {
            command, envelope, ..
        } = request;
        let estimated = match &command.estimate {
            Some(estimate) => match self.head_of(envelope).await {
                Ok(head) => estimate(&envelope.query, &head),
                Err(error) => {
                    // The attempt reads the payload again, and its record says what comes of that.
                    tracing::warn!(%error, "failed to read the beginning of the payload; its memory is not known");
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

    /// The beginning of the payload. One that is lost or damaged has none: the attempt finds out.
    async fn head_of(&self, envelope: &Envelope) -> Result<BodyHead, ReadError> {
        match &envelope.payload {
            PayloadRef::Stored(key) => Ok(self.objects.head(key).await?.unwrap_or_default()),
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
