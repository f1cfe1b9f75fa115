//! State transitions of a job, as conditional writes.
//!
//! A [`Transition`] is a value. It consists of the [`Guard`] that the stored record must satisfy, and the [`Patch`]
//! that one atomic write then applies. The same value is applied to a record in memory ([`Transition::apply`]) and
//! translated to one DynamoDB update, so both follow the same rules. Only [`next`] defines which events a status
//! allows, and every guard is derived from it.
//!
//! A rejected write returns the current record. [`Refusal::new`] derives what that means for a claim.

mod abandoned;
mod claim;
mod outage;

use std::time::Duration;

pub use abandoned::{LAST_CALL, OUTAGE, SLACK, Verdict, cause_of_death};
pub use claim::{Claim, Refusal};
pub use outage::{OUTAGE_LIMIT, latest_attempt, was_deferred};

pub use crate::status::{Event, IllegalTransition, next};

use crate::history::{KEPT_OVER_A_REDRIVE, Step};
use crate::job::{OVERTIME, expiry};
use crate::{
    AttemptEnd, Failure, Job, Lease, LeaseToken, Progress, RetryPolicy, Status, Success, Timestamp,
    poll,
};

/// Condition of a write. Every member that is set must hold for the stored record.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// The job has not expired at this time.
    pub alive_at: Timestamp,
    /// The status is one of these.
    pub statuses: Vec<Status>,
    /// The record is this incarnation of its id.
    pub created_at: Option<Timestamp>,
    /// The job's current or last lease has this token.
    pub token: Option<LeaseToken>,
    /// The job is ready by this time.
    pub ready_by: Option<Timestamp>,
    /// Fewer attempts than this have started.
    pub attempts_below: Option<u32>,
    /// The record still has this version.
    pub version: Option<u64>,
}

impl Guard {
    /// Returns true if the record satisfies the guard.
    pub fn holds(&self, job: &Job) -> bool {
        job.is_alive(self.alive_at)
            && self.statuses.contains(&job.status)
            && self.created_at.is_none_or(|at| job.created_at == at)
            && self
                .token
                .is_none_or(|token| job.lease.as_ref().is_some_and(|lease| lease.token == token))
            && self.ready_by.is_none_or(|by| job.ready_at <= by)
            && self.attempts_below.is_none_or(|max| job.attempt < max)
            && self.version.is_none_or(|version| job.version == version)
    }
}

/// Changes of a write. A member that is `None` leaves its attribute unchanged. Every change increments the version and
/// extends the record's life, so a job in progress never expires.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Time of the change.
    pub updated_at: Timestamp,
    /// New status.
    pub status: Option<Status>,
    /// Lease of a new attempt. Counts the attempt, records the start of the first one, and clears the progress of the
    /// previous one.
    pub begin: Option<Lease>,
    /// Number of attempts that began and are not counted.
    pub uncounted: u32,
    /// Time from which the job may be claimed.
    pub ready_at: Option<Timestamp>,
    /// Progress of the attempt, and the estimated end.
    pub progress: Option<(Progress, Option<Timestamp>)>,
    /// Time of the end.
    pub finished_at: Option<Timestamp>,
    /// Outcome, if the job succeeded.
    pub success: Option<Success>,
    /// Failure of the attempt or the job.
    pub failure: Option<Failure>,
    /// Restarts the job with this history: attempts, times and failure are cleared.
    pub anew: Option<Vec<Step>>,
    /// Replacement for the history, if steps are dropped.
    pub kept: Option<Vec<Step>>,
    /// Step that this change adds to the history.
    pub step: Option<Step>,
}

/// One conditional write.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// Condition.
    pub guard: Guard,
    /// Changes.
    pub patch: Patch,
}

impl Transition {
    fn new(event: Event, now: Timestamp) -> Self {
        let statuses: Vec<_> = Status::ALL
            .into_iter()
            .filter(|&from| next(from, event).is_ok())
            .collect();
        // Every event but `Renew` leads to one status, regardless of the previous status. A test verifies this.
        let to = statuses
            .first()
            .and_then(|&from| next(from, event).ok())
            .filter(|_| event != Event::Renew);
        let over = to.is_some_and(Status::is_terminal);
        Self {
            guard: Guard {
                alive_at: now,
                statuses,
                created_at: None,
                token: None,
                ready_by: None,
                attempts_below: None,
                version: None,
            },
            patch: Patch {
                updated_at: now,
                status: to,
                begin: None,
                uncounted: 0,
                ready_at: None,
                progress: None,
                finished_at: over.then_some(now),
                success: None,
                failure: None,
                anew: None,
                kept: None,
                step: (event != Event::Renew).then_some(Step::new(event, now)),
            },
        }
    }

    fn with_cause(mut self, failure: Failure) -> Self {
        self.patch.step = self.patch.step.map(|step| step.with_cause(&failure));
        self.patch.failure = Some(failure);
        self
    }

    fn fenced(event: Event, token: LeaseToken, now: Timestamp) -> Self {
        let mut transition = Self::new(event, now);
        transition.guard.token = Some(token);
        transition
    }

    /// Starts an attempt of a job that no worker runs.
    pub fn claim(claim: &Claim, now: Timestamp) -> Self {
        let mut transition = Self::begin(Self::new(Event::Claim, now), claim, now);
        transition
            .guard
            .statuses
            .retain(|status| *status != Status::Running);
        transition.guard.attempts_below = Some(claim.max_attempts);
        transition
    }

    /// Starts an attempt that replaces the one with the token `dead`, whose lease expired because its worker crashed.
    ///
    /// [`Refusal::TakeOver`] decides whether this is allowed, based on the record. The token fences the decision.
    pub fn take_over(claim: &Claim, dead: LeaseToken, now: Timestamp) -> Self {
        let mut transition = Self::begin(Self::fenced(Event::Claim, dead, now), claim, now);
        transition.guard.statuses = vec![Status::Running];
        transition
    }

    fn begin(mut self, claim: &Claim, now: Timestamp) -> Self {
        self.guard.created_at = Some(claim.created_at);
        self.guard.ready_by = Some(now);
        self.patch.begin = Some(claim.lease.clone());
        self.patch.ready_at = Some(now.after(claim.lease_time));
        self
    }

    /// Extends the lease, and records progress if there is any.
    pub fn renew(
        token: LeaseToken,
        lease_time: Duration,
        progress: Option<(Progress, Option<Timestamp>)>,
        now: Timestamp,
    ) -> Self {
        let mut transition = Self::fenced(Event::Renew, token, now);
        transition.patch.ready_at = Some(now.after(lease_time));
        transition.patch.progress = progress;
        transition
    }

    /// Ends an attempt. `job` is the record as the worker last saw it. `unit` is the jitter, drawn uniformly from 0 to
    /// 1.
    ///
    /// Fenced by the lease's token only: a late worker still ends its attempt, unless another worker has taken over.
    pub fn settle(
        job: &Job,
        token: LeaseToken,
        end: AttemptEnd,
        policy: &RetryPolicy,
        now: Timestamp,
        unit: f64,
    ) -> Self {
        match end {
            AttemptEnd::Done(success) => {
                let mut transition = Self::fenced(Event::Succeed, token, now);
                let progress = Progress {
                    percent: 100.0,
                    message: None,
                };
                transition.patch.progress = job.progress.as_ref().map(|_| (progress, Some(now)));
                transition.patch.success = Some(success);
                transition
            }
            AttemptEnd::Terminal(failure) => Self::fail(token, failure, now),
            AttemptEnd::Retryable { .. } | AttemptEnd::Unavailable(_) | AttemptEnd::Cancelled
                if job.status == Status::Cancelling =>
            {
                Self::fenced(Event::ConfirmCancel, token, now)
            }
            AttemptEnd::Retryable { failure, after } => {
                Self::retry(job, token, failure, after, policy, now, unit)
            }
            AttemptEnd::Unavailable(failure) => Self::defer(job, token, failure, now, unit),
            // The worker's time ended; the client did not cancel.
            AttemptEnd::Cancelled => Self::retry(
                job,
                token,
                Failure::new("the attempt was stopped before it finished"),
                None,
                policy,
                now,
                unit,
            ),
        }
    }

    fn fail(token: LeaseToken, failure: Failure, now: Timestamp) -> Self {
        Self::fenced(Event::Fail, token, now).with_cause(failure)
    }

    fn retry(
        job: &Job,
        token: LeaseToken,
        mut failure: Failure,
        after: Option<Duration>,
        policy: &RetryPolicy,
        now: Timestamp,
        unit: f64,
    ) -> Self {
        if job.attempt >= policy.max_attempts {
            failure.detail = crate::outcome::cut(
                format!(
                    "gave up after {} of {} attempts; the last one: {}",
                    job.attempt,
                    // After a crash in a shared process, a job may have one attempt more than the policy allows.
                    policy.max_attempts.max(job.attempt),
                    failure.detail
                ),
                Failure::DETAIL_LIMIT,
            );
            return Self::fail(token, failure, now);
        }
        let at = now.after(
            after
                .unwrap_or_else(|| policy.delay(job.attempt, unit))
                .min(policy.cap),
        );
        let mut transition = Self::fenced(Event::Retry, token, now).with_cause(failure);
        transition.patch.ready_at = Some(at);
        transition
    }

    /// Cancels a job that no attempt runs.
    pub fn withdraw(now: Timestamp) -> Self {
        Self::new(Event::Withdraw, now)
    }

    /// Requests cancellation of a job that an attempt runs.
    pub fn ask_to_cancel(now: Timestamp) -> Self {
        Self::new(Event::AskToCancel, now)
    }

    /// Ends a job whose cancellation was requested, and whose worker (the holder of `token`) has crashed.
    pub fn confirm_cancel(token: LeaseToken, now: Timestamp) -> Self {
        let mut transition = Self::fenced(Event::ConfirmCancel, token, now);
        transition.guard.ready_by = Some(now);
        transition
    }

    /// Ends a job that has no attempt left. Its last attempt, the holder of `token`, crashed, or waits for another one
    /// although the command's limit was lowered.
    pub fn give_up(job: &Job, token: LeaseToken, now: Timestamp) -> Self {
        let mut transition =
            Self::fenced(Event::GiveUp, token, now).with_cause(match (&job.failure, job.status) {
                (Some(last), Status::Retrying) => last.clone(),
                _ => cause_of_death(job),
            });
        transition.guard.ready_by = Some(now);
        transition
    }

    /// Ends a job that has been ready for longer than `start_within` without a first attempt.
    pub fn lapse(created_at: Timestamp, start_within: Duration, now: Timestamp) -> Self {
        let failure = Failure::new(format!(
            "the job did not start within {} s; if it is still needed, submit the command again under a new key",
            start_within.as_secs()
        ));
        let mut transition = Self::new(Event::Lapse, now).with_cause(failure.with_code("expired"));
        transition.guard.created_at = Some(created_at);
        transition.guard.ready_by = Some(now.before(start_within));
        transition
    }

    /// Restarts a failed job at an operator's request. It is ready at once and has all its attempts again.
    pub fn redrive(job: &Job, now: Timestamp) -> Self {
        let mut transition = Self::new(Event::Redrive, now);
        transition.guard.version = Some(job.version);
        transition.patch.ready_at = Some(now);
        let forgotten = job.history.len().saturating_sub(KEPT_OVER_A_REDRIVE);
        transition.patch.anew = Some(job.history[forgotten..].to_vec());
        transition
    }

    /// Applies the write to a record in memory. Returns `None` if the guard does not hold.
    pub fn apply(&self, job: &Job) -> Option<Job> {
        self.guard.holds(job).then(|| self.patch.apply(job.clone()))
    }
}

impl Patch {
    /// Returns the time at which the job's retention starts.
    pub fn kept_from(&self) -> Timestamp {
        match self.status {
            Some(status) if status.is_terminal() => self.updated_at,
            _ => self.updated_at.after(OVERTIME),
        }
    }

    /// Applies the changes to a record in memory.
    pub fn apply(&self, mut job: Job) -> Job {
        // Saturates, because a damaged record may contain the maximum.
        job.version = job.version.saturating_add(1);
        job.updated_at = self.updated_at;
        job.expires_at = expiry(self.kept_from(), job.retention);
        job.status = self.status.unwrap_or(job.status);
        if let Some(steps) = &self.anew {
            job.history.clone_from(steps);
            job.attempt = 0;
            (job.lease, job.progress, job.estimated_finish_at) = (None, None, None);
            (job.started_at, job.finished_at, job.failure) = (None, None, None);
        }
        if let Some(lease) = &self.begin {
            job.lease = Some(lease.clone());
            job.attempt = job.attempt.saturating_add(1);
            job.started_at.get_or_insert(self.updated_at);
            job.progress = None;
            job.estimated_finish_at = None;
        }
        job.attempt = job.attempt.saturating_sub(self.uncounted);
        job.ready_at = self.ready_at.unwrap_or(job.ready_at);
        if let Some((progress, estimate)) = &self.progress {
            job.progress = Some(progress.clone());
            job.estimated_finish_at = *estimate;
        }
        job.finished_at = self.finished_at.or(job.finished_at);
        if let Some(success) = &self.success {
            job.success = Some(success.clone());
        }
        if let Some(failure) = &self.failure {
            job.failure = Some(failure.clone());
        }
        if let Some(steps) = &self.kept {
            job.history.clone_from(steps);
        }
        job.history.extend(self.step.clone());
        job
    }
}

/// Returns a progress report with the estimated end.
pub fn progress_report(
    progress: Progress,
    attempt_started_at: Timestamp,
    now: Timestamp,
) -> (Progress, Option<Timestamp>) {
    let estimate = poll::estimate(attempt_started_at, now, progress.percent);
    (progress, estimate)
}

#[cfg(test)]
mod tests;
