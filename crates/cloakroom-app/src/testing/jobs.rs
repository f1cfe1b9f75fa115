//! Sample jobs and claims.

use std::time::Duration;

use cloakroom_core::transition::Claim;
use cloakroom_core::{
    CommandType, Digest, Fingerprint, Isolation, Job, JobId, Lease, LeaseToken, NewJob, Tenant,
    Timestamp,
};
use uuid::Uuid;

/// Returns the tenant of the jobs that tests submit. It is another one than a deployment without an authorizer has.
///
/// # Panics
/// Never: the name is valid.
pub fn tenant() -> Tenant {
    "acme".parse().expect("a good name")
}

/// Returns a job that was accepted at `now`, with the id `n`.
///
/// # Panics
/// Never: all names are valid.
pub fn new_job(now: Timestamp, n: u128) -> Job {
    let command: CommandType = "diagnostic.run".parse().expect("a good name");
    let new = NewJob {
        tenant: Tenant::default(),
        id: JobId::from_uuid(Uuid::from_u128(n)),
        client_job_id: Some(format!("key-{n}").parse().expect("a good name")),
        fingerprint: Fingerprint::new(
            &command,
            "",
            "application/json",
            &Digest::from_content(b"{}"),
            2,
        ),
        command,
        retention: Duration::from_secs(86_400),
        not_before: None,
        events: None,
    };
    Job::accept(new, now)
}

/// Returns the claim of a worker that received this message, with a lease of five minutes.
pub fn claim_by(message_id: &str, job: &Job) -> Claim {
    let lease = Lease {
        token: LeaseToken::from_uuid(Uuid::from_u128(9)),
        message_id: message_id.to_owned(),
        ends_at: None,
        isolation: Isolation::Alone,
    };
    Claim {
        created_at: job.created_at,
        lease,
        lease_time: Duration::from_secs(300),
        max_attempts: 100,
    }
}
