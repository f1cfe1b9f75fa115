//! Claims of attempts, and the meaning of a rejected claim.

use std::time::Duration;

use crate::{Isolation, Job, Lease, LeaseToken, Status, Timestamp};

/// Parameters of a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Incarnation that the message was sent for.
    pub created_at: Timestamp,
    /// Lease of the new attempt.
    pub lease: Lease,
    /// Duration of the lease. It expires without a heartbeat.
    pub lease_time: Duration,
    /// Maximum number of attempts of the command.
    pub max_attempts: u32,
}

/// Reason for a rejected claim, which determines what happens to its message.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The claim was not rejected: an earlier call of the same claim succeeded, and its response was lost.
    Mine,
    /// The job does not exist, has expired, has ended, or is another incarnation of its id. The message can be deleted.
    Over,
    /// Another message of the same job is being processed, so this message is redundant.
    Duplicate,
    /// The message is the job's, but the job is not ready: retry at this time.
    Later(Timestamp),
    /// Cancellation was requested, and the worker (the holder of this token) has crashed.
    Cancel(LeaseToken),
    /// The worker of the last attempt crashed, and another attempt may take over.
    TakeOver {
        /// Token of the crashed attempt.
        dead: LeaseToken,
        /// Isolation of the next attempt.
        isolation: Isolation,
    },
    /// The last attempt, the holder of this token, ended or crashed, and no attempt remains.
    Exhausted(LeaseToken),
}

impl Refusal {
    /// Derives the reason from the current record.
    pub fn new(claim: &Claim, job: Option<&Job>, now: Timestamp) -> Self {
        let Some(job) = job.filter(|job| job.is_alive(now) && job.created_at == claim.created_at)
        else {
            return Self::Over;
        };
        let lease = match (job.status, &job.lease) {
            (Status::Succeeded | Status::Failed | Status::Cancelled, _) => return Self::Over,
            (_, None) => return Self::Later(job.ready_at), // by a clock that is behind: not ready yet
            (_, Some(lease)) => lease,
        };
        if lease.token == claim.lease.token {
            return Self::Mine;
        }
        if job.ready_at > now {
            // No worker runs a job in `retrying`: any of its messages may start the next attempt.
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
            // The job became ready after the claim was rejected.
            Status::Accepted
            | Status::Retrying
            | Status::Succeeded
            | Status::Failed
            | Status::Cancelled => Self::Later(job.ready_at),
        }
    }

    /// Decides after a crash. A job is blamed for a crash only if its attempt ran alone. So its last attempt runs
    /// alone. If the last attempt crashed in a shared process, one more follows.
    ///
    /// Earlier attempts share their process as usual, so that jobs still run concurrently after a restart.
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
