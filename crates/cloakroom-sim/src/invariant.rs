//! What must hold: of every change as it is made, of every answer, and in the end. Time is the right time here; what a process
//! does by a clock that is wrong is let pass within [`SKEW`].

mod changes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cloakroom_core::transition::{Event, latest_attempt};
use cloakroom_core::{Job, JobKey, LeaseToken, Status, Timestamp};

use crate::names::{short, without_token};
use crate::plan::SKEW;

/// The command whose jobs are to begin soon, or not at all.
pub const SOON: &str = "soon";

/// How soon.
pub const SOON_ENOUGH: Duration = Duration::from_secs(120);

/// Attempts that a command has here.
pub const ATTEMPTS: u32 = 3;

/// Time within which a handler has stopped after its process learned that the lease is lost: the default grace, and some slack.
const STOPPED_WITHIN: Duration = Duration::from_secs(3);

/// Receipts of a job's message that are not the begin of an attempt, in a run without trouble: a message is delivered once
/// for each 15 minutes of a later start, and may meet a lease of the job once.
const SPARE_RECEIPTS: u32 = 3;

/// One life of a job's id.
pub(crate) type Life = (JobKey, Timestamp);

/// Watches.
#[derive(Debug, Default)]
pub struct Watch {
    /// The first thing that was not as it must be.
    pub violation: Option<String>,
    /// Whose lease it is: the life of the process that claimed.
    owners: BTreeMap<LeaseToken, u64>,
    /// Jobs that were answered 202.
    promised: BTreeSet<Life>,
    /// Jobs that ended, and until when their records are kept.
    ended: BTreeMap<Life, Timestamp>,
    /// Jobs that were cancelled before they ran.
    withdrawn: BTreeSet<Life>,
    /// What each was accepted to do.
    asked: BTreeMap<Life, u64>,
    /// Attempts whose handlers ran.
    ran: BTreeSet<(Life, u32)>,
    /// Handlers that run, by the life of their process.
    running: BTreeMap<u64, BTreeSet<(Life, u32)>>,
    /// Leases that a process knows it lost, and since when.
    lost: BTreeMap<(u64, JobKey), Timestamp>,
    /// Attempts that shared their process with another handler.
    shared: BTreeSet<(Life, u32)>,
    /// Which job each upload went to.
    uploads: BTreeMap<String, String>,
    /// What each client's last poll saw of a job.
    seen: BTreeMap<(u64, Life), (u64, u32)>,
    /// What happened, for the summary.
    pub counts: Counts,
}

/// How much happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs that were recorded.
    pub jobs: u64,
    /// Attempts that began.
    pub attempts: u64,
    /// Attempts that were not counted, as a service was unavailable.
    pub deferred: u64,
    /// Handlers that began.
    pub effects: u64,
    /// Jobs that ended by their handlers, or by their clients' wish.
    pub ended: u64,
    /// Jobs that dead letters or the sweeper ended.
    pub abandoned: u64,
    /// Jobs that were not begun in time.
    pub lapsed: u64,
    /// Jobs that an operator sent back to work.
    pub redriven: u64,
    /// Jobs whose payload was uploaded.
    pub uploaded: u64,
}

fn life(job: &Job) -> Life {
    (job.key(), job.created_at)
}

impl Watch {
    /// Notes what is not as it must be; the first time counts.
    pub(crate) fn break_(&mut self, invariant: &str, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(format!("{invariant}: {}", what()));
        }
    }

    /// A job changed whose handler succeeds in time, in a run whose only trouble is an outage: it must not have failed.
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

    /// An upload was copied to be a job's payload: it serves that job's id alone.
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

    /// A submission was answered: with a job that is to end, and to do this. `asked_at` is when it was sent: the job may expire
    /// while the answer is on its way.
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

    /// A job was polled after its ticket was given.
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

    /// Another tenant's poll found something.
    pub(crate) fn foreign(&mut self, job: &Job) {
        self.break_("I8 tenants are apart", || {
            format!("{} was shown to another tenant", short(job.id))
        });
    }

    /// A handler begins.
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

    /// A handler runs in this life of a process. `alone` returns the token of a job whose lease says that it runs alone.
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
            // By a lease of this process: a handler that lost its own may run on for a moment.
            let held = |life| alone(life).is_some_and(|token| owners.get(&token) == Some(&process));
            if let Some((life, _)) = running.iter().find(|(life, _)| held(life)).cloned() {
                self.break_("I10 alone is alone", || {
                    format!("{} shares its process", short(life.0.id))
                });
            }
        }
    }

    /// A renewal of a process was refused: it holds the lease no longer.
    pub(crate) fn lease_lost(&mut self, process: u64, job: JobKey, now: Timestamp) {
        self.lost.entry((process, job)).or_insert(now);
    }

    /// A handler runs no longer.
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

    /// A job ended in a run whose only trouble are handlers that kill their process, and its own does not.
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

    /// A job ended in a run without trouble, after its message was received so often.
    pub(crate) fn received(&mut self, job: &Job, receipts: u32) {
        if receipts > latest_attempt(job) + SPARE_RECEIPTS {
            self.break_("I12 no receipt in vain", || {
                format!("{}: {receipts} receipts", short(job.id))
            });
        }
    }

    /// A payload or result that a live job needs is not there.
    pub(crate) fn missing(&mut self, job: &Job, what: &str) {
        self.break_("I7 nothing needed is deleted", || {
            format!("{} has no {what}", short(job.id))
        });
    }

    /// In the end, long enough after the last trouble: every promised job has ended.
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

/// What a handler's result begins with: which attempt it is of.
pub(crate) fn result_of(attempt: u32) -> String {
    format!("attempt {attempt};")
}
