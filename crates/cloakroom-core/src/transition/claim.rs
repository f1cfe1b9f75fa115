//! Claiming an attempt, and what a refused claim means.

use std::time::Duration;

use crate::{Isolation, Job, Lease, LeaseToken, Status, Timestamp};

/// What a worker asks for when it claims an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The incarnation that the message was sent for.
    pub created_at: Timestamp,
    /// Who the attempt will belong to.
    pub lease: Lease,
    /// How long without a sign of life.
    pub lease_time: Duration,
    /// How many attempts the command has.
    pub max_attempts: u32,
}

/// Why a claim was refused, and so what is to be done with its message.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// It was not: an earlier try of this very claim went through, and its answer was lost.
    Mine,
    /// There is no such job, or only another incarnation of its id, or it is over: the message has done its work.
    Over,
    /// Another message of the same job is at work on it, or waits to be: this one is one too many.
    Duplicate,
    /// It is this message's job, but not yet free: come back at this time.
    Later(Timestamp),
    /// Its cancelling was asked for and its worker, the holder of this token, is gone.
    Cancel(LeaseToken),
    /// The worker of its last attempt died in the middle, and another attempt may take over.
    TakeOver {
        /// Token of the attempt that died.
        dead: LeaseToken,
        /// Isolation that the next attempt needs.
        isolation: Isolation,
    },
    /// Its last attempt, that of this token, is over or dead, and none is left.
    Exhausted(LeaseToken),
}

impl Refusal {
    /// What the record says of a refused claim.
    pub fn new(claim: &Claim, job: Option<&Job>, now: Timestamp) -> Self {
        let Some(job) = job.filter(|job| job.is_alive(now) && job.created_at == claim.created_at)
        else {
            return Self::Over;
        };
        let lease = match (job.status, &job.lease) {
            (Status::Succeeded | Status::Failed | Status::Cancelled, _) => return Self::Over,
            (_, None) => return Self::Later(job.ready_at), // by a clock that is behind: accepted, and not yet ready
            (_, Some(lease)) => lease,
        };
        if lease.token == claim.lease.token {
            return Self::Mine;
        }
        if job.ready_at > now {
            // Nobody works on a job that waits for its next attempt: any of its messages may bring it.
            let waits = job.status == Status::Retrying;
            return if waits || lease.message_id == claim.lease.message_id {
                Self::Later(job.ready_at)
            } else {
                Self::Duplicate
            };
        }
        match job.status {
            Status::Cancelling => Self::Cancel(lease.token),
            Status::Running => Self::after_a_death(job.attempt, claim.max_attempts, lease),
            Status::Retrying if job.attempt >= claim.max_attempts => Self::Exhausted(lease.token),
            // It came free since the claim was refused.
            Status::Accepted
            | Status::Retrying
            | Status::Succeeded
            | Status::Failed
            | Status::Cancelled => Self::Later(job.ready_at),
        }
    }

    /// A job is blamed for a crash only if its attempt ran alone. So its last attempt runs alone; and if that attempt
    /// already died in a shared process, one more follows.
    ///
    /// Earlier attempts share their process as usual: after a restart, jobs go on side by side.
    fn after_a_death(attempt: u32, max_attempts: u32, lease: &Lease) -> Self {
        if lease.isolation == Isolation::Alone && attempt >= max_attempts {
            return Self::Exhausted(lease.token);
        }
        let last = attempt.saturating_add(1) >= max_attempts;
        Self::TakeOver {
            dead: lease.token,
            isolation: if last {
                Isolation::Alone
            } else {
                Isolation::Shared
            },
        }
    }
}
