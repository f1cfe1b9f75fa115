//! Invariants of each change, each response, and the final state. They use the correct time. Effects of a process with
//! a wrong clock are tolerated within [`SKEW`].

mod changes;
mod heard;
mod listeners;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cloakroom_core::transition::{Event, latest_attempt};
use cloakroom_core::{Job, JobKey, LeaseToken, Status, Timestamp};

use heard::Heard;

use crate::names::{short, without_token};
use crate::plan::SKEW;

/// Command whose jobs must start soon, or lapse.
pub const SOON: &str = "soon";

/// Maximum time until such a job starts.
pub const SOON_ENOUGH: Duration = Duration::from_secs(120);

/// Maximum number of attempts of a command.
pub const ATTEMPTS: u32 = 3;

/// Maximum time until a handler stops after its process learned that the lease is lost: the default grace period, and
/// some slack.
const STOPPED_WITHIN: Duration = Duration::from_secs(3);

/// Receipts of a job's message that start no attempt, in a run without faults. A message is delivered once per 15
/// minutes of a later start, and may find an active lease of the job once.
const SPARE_RECEIPTS: u32 = 3;

/// One incarnation of a job's id.
pub(crate) type Life = (JobKey, Timestamp);

/// Observations that the invariants need.
#[derive(Debug, Default)]
pub struct Watch {
    /// First violation of an invariant.
    pub violation: Option<String>,
    /// Process life that claimed each lease.
    owners: BTreeMap<LeaseToken, u64>,
    /// Jobs whose submission got a 202.
    promised: BTreeSet<Life>,
    /// Jobs that ended, and the expiry of their records.
    ended: BTreeMap<Life, Timestamp>,
    /// Jobs that were cancelled while no attempt ran.
    withdrawn: BTreeSet<Life>,
    /// Command that each job was accepted for.
    asked: BTreeMap<Life, u64>,
    /// Attempts whose handlers ran.
    ran: BTreeSet<(Life, u32)>,
    /// Running handlers, by the life of their process.
    running: BTreeMap<u64, BTreeSet<(Life, u32)>>,
    /// Leases that a process knows it has lost, with the time.
    lost: BTreeMap<(u64, JobKey), Timestamp>,
    /// Attempts that shared their process with another handler.
    shared: BTreeSet<(Life, u32)>,
    /// Job of each upload.
    uploads: BTreeMap<String, String>,
    /// State of a job in each client's last poll.
    seen: BTreeMap<(u64, Life), (u64, u32)>,
    /// Events that receivers accepted, by job.
    heard: BTreeMap<Life, Heard>,
    /// Counts for the summary.
    pub counts: Counts,
}

/// Counts of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Recorded jobs.
    pub jobs: u64,
    /// Started attempts.
    pub attempts: u64,
    /// Attempts that were not counted, because a service was unavailable.
    pub deferred: u64,
    /// Started handlers.
    pub effects: u64,
    /// Jobs that their handlers or clients ended.
    pub ended: u64,
    /// Jobs that ended as dead letters or by the sweeper.
    pub abandoned: u64,
    /// Jobs that did not start in time.
    pub lapsed: u64,
    /// Jobs that an operator redrove.
    pub redriven: u64,
    /// Jobs with an uploaded payload.
    pub uploaded: u64,
    /// Events that a receiver accepted.
    pub heard: u64,
}

fn life(job: &Job) -> Life {
    (job.key(), job.created_at)
}

impl Watch {
    /// Records a violation. Only the first one counts.
    pub(crate) fn break_(&mut self, invariant: &str, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(format!("{invariant}: {}", what()));
        }
    }

    /// Checks a change of a job whose handler succeeds in time, in a run without faults other than an outage. The job
    /// must not have failed.
    pub(crate) fn failed_in_an_outage(&mut self, job: &Job, event: Event) {
        if job.status == Status::Failed && self.promised.contains(&life(job)) {
            let code = job
                .failure
                .as_ref()
                .map_or("", |failure| failure.code.as_str());
            self.break_("I9 an outage fails no job", || {
                format!("{}: {}, {code}", short(job.id), event.as_str())
            });
        }
    }

    /// Checks the copy of an upload to a job's payload. An upload may only serve one job id.
    pub(crate) fn copied(&mut self, upload: &str, payload: &str) {
        let job = without_token(payload);
        match self.uploads.get(upload) {
            None => {
                self.counts.uploaded += 1;
                self.uploads.insert(upload.to_owned(), job);
            }
            Some(before) if *before == job => {}
            Some(_) => {
                self.break_("I4 one job an upload", || {
                    format!("{upload} was another job's, and is {job}'s now")
                });
            }
        }
    }

    /// Checks the response to a submission: the job must end, and execute the command `asked`. `asked_at` is the time
    /// of the request, because the job may expire before the response arrives.
    pub(crate) fn answered(&mut self, job: &Job, asked: u64, asked_at: Timestamp) {
        if job.expires_at.after(SKEW) <= asked_at {
            self.break_("I5 no ticket for what is gone", || {
                format!("{} had expired", short(job.id))
            });
        }
        self.promised.insert(life(job));
        if *self.asked.entry(life(job)).or_insert(asked) != asked {
            self.break_("I4 one job a key", || {
                format!("{} is another command's job", short(job.id))
            });
        }
    }

    /// Checks a poll of a job after its submission.
    pub(crate) fn polled(
        &mut self,
        client: u64,
        ticket: &Job,
        found: Option<&Job>,
        now: Timestamp,
    ) {
        let id = short(ticket.id);
        let Some(job) = found else {
            let until = self
                .ended
                .get(&life(ticket))
                .copied()
                .unwrap_or(ticket.expires_at);
            if until > now.after(SKEW) {
                self.break_("I5 a ticket is never unknown", || format!("{id} was 404"));
            }
            return;
        };
        if job.expires_at.after(SKEW) <= now {
            self.break_("I5 what is gone is gone", || {
                format!("{id} had expired, and was shown")
            });
        }
        if job.tenant != ticket.tenant {
            self.break_("I8 tenants are apart", || {
                format!(
                    "{id} is {}'s, and was shown to {}",
                    job.tenant, ticket.tenant
                )
            });
        }
        let (version, attempt) = self
            .seen
            .get(&(client, life(job)))
            .copied()
            .unwrap_or_default();
        let shown = latest_attempt(job);
        if job.version < version || shown < attempt {
            self.break_("I5 no step back", || {
                format!("{id} was seen at version {version}, then {}", job.version)
            });
        }
        self.seen.insert((client, life(job)), (job.version, shown));
    }

    /// Records that a poll of another tenant found the job.
    pub(crate) fn foreign(&mut self, job: &Job) {
        self.break_("I8 tenants are apart", || {
            format!("{} was shown to another tenant", short(job.id))
        });
    }

    /// Checks the start of a handler.
    pub(crate) fn handler(&mut self, life: &Life, attempt: u32, does: u64) {
        self.counts.effects += 1;
        if !self.ran.insert((life.clone(), attempt)) {
            self.break_("I3 an attempt runs once", || {
                format!("{} ran attempt {attempt} twice", short(life.0.id))
            });
        }
        if self.withdrawn.contains(life) {
            self.break_("I6 cancelled is cancelled", || {
                format!("{} ran", short(life.0.id))
            });
        }
        if self.asked.get(life).is_some_and(|asked| *asked != does) {
            self.break_("I4 its own command", || {
                format!("{} ran another command", short(life.0.id))
            });
        }
    }

    /// Checks the handlers that run in this life of a process. `alone` returns the lease token of a job that must run
    /// alone.
    pub(crate) fn runs(
        &mut self,
        process: u64,
        attempt: &(Life, u32),
        alone: impl Fn(&Life) -> Option<LeaseToken>,
    ) {
        let Self {
            running,
            shared,
            owners,
            ..
        } = self;
        let running = running.entry(process).or_default();
        running.insert(attempt.clone());
        if running.len() > 1 {
            shared.extend(running.iter().cloned());
            // Only leases of this process count: a handler that lost its lease may run on for a moment.
            let held = |life| alone(life).is_some_and(|token| owners.get(&token) == Some(&process));
            if let Some((life, _)) = running.iter().find(|(life, _)| held(life)).cloned() {
                self.break_("I10 alone is alone", || {
                    format!("{} shares its process", short(life.0.id))
                });
            }
        }
    }

    /// Records that a renewal was rejected: the process no longer holds the lease.
    pub(crate) fn lease_lost(&mut self, process: u64, job: JobKey, now: Timestamp) {
        self.lost.entry((process, job)).or_insert(now);
    }

    /// Checks the end of a handler.
    pub(crate) fn ran_out(&mut self, process: u64, attempt: &(Life, u32), now: Timestamp) {
        let (job, _) = &attempt.0;
        if self
            .lost
            .get(&(process, job.clone()))
            .is_some_and(|lost| lost.after(STOPPED_WITHIN) < now)
        {
            self.break_("I11 no work without a lease", || {
                format!("{} ran on after its lease was lost", short(job.id))
            });
        }
        if let Some(running) = self.running.get_mut(&process) {
            running.remove(attempt);
        }
    }

    /// Checks the end of a job that does not crash its process, in a run whose only faults are handlers that do.
    pub(crate) fn killed_by_another(&mut self, job: &Job, event: Event) {
        let code = job
            .failure
            .as_ref()
            .map_or("", |failure| failure.code.as_str());
        if job.status == Status::Failed
            && ["worker-crashed", "worker-timed-out", "never-started"].contains(&code)
        {
            self.break_("I10 no blame for another's crash", || {
                format!("{}: {}, {code}", short(job.id), event.as_str())
            });
        }
    }

    /// Checks the number of receipts of a job's message, in a run without faults.
    pub(crate) fn received(&mut self, job: &Job, receipts: u32) {
        if receipts > latest_attempt(job) + SPARE_RECEIPTS {
            self.break_("I12 no receipt in vain", || {
                format!("{}: {receipts} receipts", short(job.id))
            });
        }
    }

    /// Records that a payload or result is missing that a live job needs.
    pub(crate) fn missing(&mut self, job: &Job, what: &str) {
        self.break_("I7 nothing needed is deleted", || {
            format!("{} has no {what}", short(job.id))
        });
    }

    /// Checks that every accepted job has ended, long enough after the last fault.
    pub(crate) fn all_ended(&mut self, within: Duration) {
        if let Some((key, _)) = self
            .promised
            .iter()
            .find(|life| !self.ended.contains_key(life))
            .cloned()
        {
            self.break_("I1 what was answered 202 ends", || {
                format!(
                    "{} has not, {} s after the last trouble",
                    short(key.id),
                    within.as_secs()
                )
            });
        }
    }
}

/// Returns the beginning of a handler's result, which identifies its attempt.
pub(crate) fn result_of(attempt: u32) -> String {
    format!("attempt {attempt};")
}
