//! The record of one command, from acceptance to its end.

use std::time::Duration;

use crate::history::Step;
use crate::listeners::EventContext;
use crate::{
    ClientJobId, CommandType, Failure, Fingerprint, JobId, JobKey, LeaseToken, Status, Success,
    Tenant, Timestamp,
};

/// Isolation of an attempt from the other attempts of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Other attempts may run in the same process, and any of them may cause a crash.
    #[default]
    Shared,
    /// No other attempt runs in the process, so a crash is attributed to this one.
    Alone,
}

/// Lease on a job: the attempt that runs it. The attempt is live until the job's [`Job::ready_at`]. After that, another
/// worker may claim the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Token drawn for this claim only.
    pub token: LeaseToken,
    /// Queue's id of the message that delivered the job. A different id reveals a duplicate message.
    pub message_id: String,
    /// Time at which the worker's function times out, if it does.
    pub ends_at: Option<Timestamp>,
    /// Isolation of the attempt from the others in its process.
    pub isolation: Isolation,
}

/// Progress that a handler reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Percentage, 0 to 100.
    pub percent: f64,
    /// Message for users; at most [`Progress::MESSAGE_LIMIT`] bytes.
    pub message: Option<String>,
}

impl Progress {
    /// Maximum length of a message in bytes. The rest is cut off.
    pub const MESSAGE_LIMIT: usize = 256;

    /// Creates a report. Clamps the percentage to its range and cuts the message to its limit.
    pub fn new(percent: f64, message: Option<String>) -> Self {
        let percent = if percent.is_finite() {
            percent.clamp(0.0, 100.0)
        } else {
            0.0
        };
        Self {
            percent,
            message: message.map(|text| crate::outcome::cut(text, Self::MESSAGE_LIMIT)),
        }
    }
}

/// The record of one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Tenant that owns the job.
    pub tenant: Tenant,
    /// Server-side id.
    pub id: JobId,
    /// Client-supplied id, if any.
    pub client_job_id: Option<ClientJobId>,
    /// Type of the command.
    pub command: CommandType,
    /// Fingerprint, which distinguishes this submission from others under the same client job id.
    pub fingerprint: Fingerprint,
    /// Retention of the record after its last change. Whole seconds, longer than any lease or retry delay.
    pub retention: Duration,
    /// Current status.
    pub status: Status,
    /// Number of changes. Part of the `ETag` of polls.
    pub version: u64,
    /// Number of the attempt that runs or ran last, from 1; 0 before the first.
    pub attempt: u32,
    /// Lease of the attempt that runs or ran last.
    pub lease: Option<Lease>,
    /// Time from which the job may be claimed. It is the creation time or the client's `Not-Before`, the end of a retry
    /// delay, or the end of the lease.
    pub ready_at: Timestamp,
    /// Progress of the attempt.
    pub progress: Option<Progress>,
    /// Estimated end, extrapolated from the progress.
    pub estimated_finish_at: Option<Timestamp>,
    /// Time of acceptance. Also distinguishes one incarnation of an id from a later one.
    pub created_at: Timestamp,
    /// Start of the first attempt.
    pub started_at: Option<Timestamp>,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Time of the end.
    pub finished_at: Option<Timestamp>,
    /// Time from which the record counts as deleted, in whole seconds. While the job is open, it is [`OVERTIME`] after
    /// the deadline.
    pub expires_at: Timestamp,
    /// Outcome, if the job succeeded.
    pub success: Option<Success>,
    /// Failure of the job, or of its last failed attempt.
    pub failure: Option<Failure>,
    /// Steps since the acceptance, in order.
    pub history: Vec<Step>,
    /// Listeners, and the ids that events carry. `None` for a job without any.
    pub events: Option<Box<EventContext>>,
}

/// Properties of a job that are known at its acceptance.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Tenant that owns the job.
    pub tenant: Tenant,
    /// Server-side id.
    pub id: JobId,
    /// Client-supplied id, if any.
    pub client_job_id: Option<ClientJobId>,
    /// Type of the command.
    pub command: CommandType,
    /// Fingerprint of the submission.
    pub fingerprint: Fingerprint,
    /// Retention of the record after the end.
    pub retention: Duration,
    /// Earliest start, if the job must not start at once.
    pub not_before: Option<Timestamp>,
    /// Listeners, and the ids that events carry.
    pub events: Option<Box<EventContext>>,
}

impl Job {
    /// Creates the record of a command that is accepted at `now`.
    pub fn accept(new: NewJob, now: Timestamp) -> Self {
        let NewJob {
            tenant,
            id,
            client_job_id,
            command,
            fingerprint,
            retention,
            not_before,
            events,
        } = new;
        let ready_at = not_before.map_or(now, |at| at.max(now));
        Self {
            tenant,
            id,
            client_job_id,
            command,
            fingerprint,
            retention,
            status: Status::Accepted,
            version: 1,
            attempt: 0,
            lease: None,
            ready_at,
            progress: None,
            estimated_finish_at: None,
            created_at: now,
            started_at: None,
            updated_at: now,
            finished_at: None,
            expires_at: expiry(ready_at.after(OVERTIME), retention),
            success: None,
            failure: None,
            history: Vec::new(),
            events,
        }
    }

    /// Returns the id that connects this job's events with those of related jobs. The default is the job's own id.
    pub fn correlation_id(&self) -> String {
        let own = self
            .events
            .as_ref()
            .and_then(|events| events.correlation_id.as_ref());
        own.map_or_else(|| self.id.to_string(), ToString::to_string)
    }

    /// Returns the key of the record.
    pub fn key(&self) -> JobKey {
        JobKey {
            tenant: self.tenant.clone(),
            id: self.id,
        }
    }

    /// Returns the time at which the result expires, if that is before the job's record expires.
    pub fn result_expires_at(&self) -> Option<Timestamp> {
        let retention = self.success.as_ref()?.result.as_ref()?.retention()?;
        Some(self.finished_at?.after(retention))
    }

    /// Returns the expiry that clients see. An open job has ended by then, unless the sweeper was not able to work.
    pub fn deadline(&self) -> Timestamp {
        let from = match self.status {
            Status::Accepted => self.ready_at.max(self.updated_at),
            _ if self.status.is_terminal() => return self.expires_at,
            _ => self.updated_at,
        };
        // Records of older versions have no overtime.
        expiry(from, self.retention).min(self.expires_at)
    }

    /// Returns true if the record has not expired. DynamoDB deletes late: an expired record is treated as absent.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.expires_at > now
    }

    /// Returns true if a worker holds an unexpired lease.
    pub fn is_leased(&self, now: Timestamp) -> bool {
        matches!(self.status, Status::Running | Status::Cancelling) && self.ready_at > now
    }
}

/// Time for which the record of an open job outlives its deadline: the retention of the sweeper's queue. The record
/// therefore exists whenever a list of jobs reaches the sweeper, even if the sweeper crashed repeatedly.
pub const OVERTIME: Duration = Duration::from_secs(14 * 86_400);

/// Returns the expiry of a record that is retained for `retention` after `from`, rounded up to a whole second.
pub fn expiry(from: Timestamp, retention: Duration) -> Timestamp {
    Timestamp::from_seconds(
        from.as_seconds_ceil()
            .saturating_add(i64::try_from(retention.as_secs()).unwrap_or(i64::MAX)),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Digest;

    pub(crate) fn accepted(now: Timestamp) -> Job {
        let command: CommandType = "diagnostic.run".parse().expect("a type");
        let new = NewJob {
            tenant: Tenant::default(),
            id: JobId::from_uuid(uuid::Uuid::from_u128(1)),
            client_job_id: Some("order-1042".parse().expect("a key")),
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

    #[test]
    fn the_record_of_a_job_that_is_over_says_when_it_expires() {
        let mut job = accepted(Timestamp::from_seconds(0));
        job.expires_at = Timestamp::from_seconds(100_000);
        assert_eq!(job.deadline(), Timestamp::from_seconds(86_400));
        job.status = Status::Failed;
        assert_eq!(job.deadline(), job.expires_at);
    }

    #[test]
    fn a_job_that_begins_later_is_kept_from_then_on() {
        let mut job = accepted(Timestamp::from_seconds(0));
        let new = |not_before| NewJob {
            tenant: job.tenant.clone(),
            id: job.id,
            client_job_id: None,
            command: job.command.clone(),
            fingerprint: job.fingerprint,
            retention: job.retention,
            not_before,
            events: None,
        };
        let (now, later) = (Timestamp::from_seconds(10), Timestamp::from_seconds(3610));
        let (past, future) = (
            Job::accept(new(Some(job.created_at)), now),
            Job::accept(new(Some(later)), now),
        );
        assert_eq!(
            (past.ready_at, future.ready_at),
            (now, later),
            "a time in the past is now"
        );
        assert_eq!(future.deadline(), later.after(job.retention));
        assert_eq!(future.expires_at, future.deadline().after(OVERTIME));
        job = Job::accept(new(None), now);
        assert_eq!(job, past);
    }

    #[test]
    fn a_job_lives_until_exactly_its_expiry() {
        let mut job = accepted(Timestamp::from_millis(1));
        job.expires_at = Timestamp::from_seconds(86_401);
        assert!(job.is_alive(Timestamp::from_millis(86_400_999)));
        assert!(!job.is_alive(Timestamp::from_seconds(86_401)));
    }

    #[test]
    fn the_record_of_an_open_job_outlives_its_deadline() {
        let job = accepted(Timestamp::from_millis(1));
        assert_eq!(job.deadline(), Timestamp::from_seconds(86_401));
        assert_eq!(job.expires_at, job.deadline().after(OVERTIME));
    }

    #[test]
    fn a_record_of_an_older_version_has_its_expiry_as_deadline() {
        let mut job = accepted(Timestamp::from_millis(1));
        job.expires_at = Timestamp::from_seconds(80_000);
        assert_eq!(job.deadline(), job.expires_at);
    }

    #[test]
    fn an_accepted_job_is_what_was_asked_for_and_has_no_past() {
        let command: CommandType = "note.keep".parse().expect("a type");
        let new = NewJob {
            tenant: "warehouse".parse().expect("a tenant"),
            id: JobId::from_uuid(uuid::Uuid::from_u128(5)),
            client_job_id: Some("k".parse().expect("a key")),
            fingerprint: Fingerprint::new(&command, "", "", &Digest::from_content(b"x"), 1),
            command,
            retention: Duration::from_secs(3600),
            not_before: None,
            events: None,
        };
        let now = Timestamp::from_seconds(10);
        let want = Job {
            tenant: new.tenant.clone(),
            id: new.id,
            client_job_id: new.client_job_id.clone(),
            command: new.command.clone(),
            fingerprint: new.fingerprint,
            retention: new.retention,
            status: Status::Accepted,
            version: 1,
            attempt: 0,
            lease: None,
            ready_at: now,
            progress: None,
            estimated_finish_at: None,
            created_at: now,
            started_at: None,
            updated_at: now,
            finished_at: None,
            expires_at: Timestamp::from_seconds(3610).after(OVERTIME),
            success: None,
            failure: None,
            history: vec![],
            events: None,
        };
        assert_eq!(Job::accept(new, now), want);
        assert_eq!(
            want.key(),
            JobKey {
                tenant: want.tenant.clone(),
                id: want.id
            }
        );
    }

    #[test]
    fn progress_is_from_0_to_100_percent_and_its_message_has_256_bytes() {
        for (said, kept) in [
            (0.0, 0.0),
            (42.5, 42.5),
            (100.0, 100.0),
            (-1.0, 0.0),
            (100.1, 100.0),
            (f64::MAX, 100.0),
            (f64::INFINITY, 0.0),
            (f64::NEG_INFINITY, 0.0),
            (f64::NAN, 0.0),
        ] {
            assert_eq!(
                Progress::new(said, None),
                Progress {
                    percent: kept,
                    message: None
                },
                "{said}"
            );
        }
        let message = |text: &str| Progress::new(1.0, Some(text.to_owned())).message;
        let longest = "a".repeat(256);
        assert_eq!(message(&longest), Some(longest.clone()));
        assert_eq!(message(&format!("{longest}b")), Some(longest));
        assert_eq!(
            message(&format!("a{}", "é".repeat(200))),
            Some(format!("a{}", "é".repeat(127)))
        );
    }

    #[test]
    fn a_lease_runs_until_the_job_is_ready_again() {
        let mut job = accepted(Timestamp::from_seconds(0));
        job.ready_at = Timestamp::from_seconds(30);
        for status in Status::ALL {
            job.status = status;
            let leased =
                [29_999, 30_000].map(|millis| job.is_leased(Timestamp::from_millis(millis)));
            let runs = matches!(status, Status::Running | Status::Cancelling);
            assert_eq!(leased, [runs, false], "{status:?}");
        }
    }

    #[test]
    fn three_statuses_are_terminal_and_each_has_its_word() {
        let words = Status::ALL.map(|status| (status.as_str(), status.is_terminal()));
        let open = ["accepted", "running", "retrying", "cancelling"].map(|word| (word, false));
        assert_eq!(words[..4], open);
        assert_eq!(
            words[4..],
            [("succeeded", true), ("failed", true), ("cancelled", true)]
        );
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).expect("JSON"), status.as_str());
        }
    }

    #[test]
    fn a_result_expires_before_its_job_where_it_is_kept_for_less() {
        let mut job = accepted(Timestamp::from_seconds(0));
        assert_eq!(job.result_expires_at(), None);
        job.success = Some(Success::default());
        job.finished_at = Some(Timestamp::from_seconds(7));
        assert_eq!(job.result_expires_at(), None);
        let stored = |retention| crate::ResultRef::Stored {
            content_type: "image/png".into(),
            key: "k".into(),
            length: 1,
            sha256: Digest::from_content(b"x"),
            retention,
        };
        for (retention, expires_at) in [(None, None), (Some(Duration::from_secs(3600)), Some(3607))]
        {
            job.success = Some(Success {
                result: Some(stored(retention)),
                resource: None,
                published: vec![],
            });
            assert_eq!(
                job.result_expires_at(),
                expires_at.map(Timestamp::from_seconds)
            );
        }
        job.finished_at = None;
        assert_eq!(job.result_expires_at(), None);
    }

    #[test]
    fn an_expiry_is_a_whole_second_rounded_up_and_never_wraps() {
        let hour = Duration::from_secs(3600);
        for (millis, seconds) in [
            (0, 3600),
            (1, 3601),
            (999, 3601),
            (1000, 3601),
            (1001, 3602),
        ] {
            assert_eq!(
                expiry(Timestamp::from_millis(millis), hour),
                Timestamp::from_seconds(seconds)
            );
        }
        assert_eq!(
            expiry(Timestamp::from_millis(0), Duration::MAX),
            Timestamp::from_seconds(i64::MAX)
        );
    }
}
