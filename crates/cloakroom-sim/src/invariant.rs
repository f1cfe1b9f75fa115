//! What must hold: of every change as it is made, of every answer, and in the end. Time is the right time here; what a process
//! does by a clock that is wrong is let pass within [`SKEW`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cloakroom_core::transition::{Event, LAST_CALL, latest_attempt};
use cloakroom_core::{Job, JobKey, LeaseToken, ResultRef, Status, Timestamp};

use crate::port::short;
use crate::world::SKEW;

/// The command whose jobs are to begin soon, or not at all.
pub const SOON: &str = "soon";

/// How soon.
pub const SOON_ENOUGH: Duration = Duration::from_secs(120);

/// Attempts that a command has here.
pub const ATTEMPTS: u32 = 3;

/// The most that a change is made later than it was asked for: its times are of then.
const LATE: Duration = Duration::from_secs(30);

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

    /// A record is made, perhaps in place of another.
    pub(crate) fn accepted(&mut self, before: Option<&Job>, after: &Job, now: Timestamp) {
        self.counts.jobs += 1;
        if before.is_some_and(|before| before.expires_at > now.after(SKEW)) {
            self.break_("I4 one job a key", || {
                format!("{} was recorded over a live job", short(after.id))
            });
        }
    }

    /// An attempt of a job is claimed, perhaps while another process `held` its lease.
    fn claimed(&mut self, before: &Job, after: &Job, by: u64, held: bool, now: Timestamp) {
        let id = short(after.id);
        if let Some(lease) = &after.lease {
            self.owners.insert(lease.token, by);
        }
        self.lost.remove(&(by, after.key()));
        self.counts.attempts += 1;
        if held {
            self.break_("I3 one attempt at a time", || {
                format!("{id} was claimed under a live lease")
            });
        }
        if after.command.as_str() == SOON
            && before.status == Status::Accepted
            && before.ready_at.after(SOON_ENOUGH + 2 * SKEW + LATE) < now
        {
            self.break_("I6 late is not begun", || {
                format!("{id} was claimed long after it was ready")
            });
        }
        // One more follows where the last one died in a shared process.
        if after.attempt > ATTEMPTS + 1 {
            self.break_("I3 bounded attempts", || {
                format!("{id} has attempt {}", after.attempt)
            });
        }
        if self.withdrawn.contains(&life(before)) {
            self.break_("I6 cancelled is cancelled", || format!("{id} was claimed"));
        }
    }

    /// A record is changed.
    pub(crate) fn changed(
        &mut self,
        before: &Job,
        after: &Job,
        event: Event,
        by: u64,
        waits: bool,
        now: Timestamp,
    ) {
        let id = short(after.id);
        if before.status.is_terminal() && event != Event::Redrive {
            self.break_("I2 an end is an end", || {
                format!(
                    "{id} was {}, then {}",
                    before.status.as_str(),
                    event.as_str()
                )
            });
        }
        // A write that was sent in time may be made late. It finds no other job there, as it names the one that it is of.
        if before.expires_at.after(SKEW + LATE) <= now {
            self.break_("I2 an end is an end", || {
                format!("{id} had expired, then {}", event.as_str())
            });
        }
        let kept = after.deadline().after(2 * SKEW + LATE) >= now.after(after.retention);
        if after.version != before.version + 1 || !kept {
            self.break_("I5 no step back", || format!("{id}: {}", event.as_str()));
        }
        let leased = before.is_leased(now.after(SKEW));
        let owner = before
            .lease
            .as_ref()
            .and_then(|lease| self.owners.get(&lease.token))
            .copied();
        match event {
            Event::Claim => {
                let held = leased
                    && before.status == Status::Running
                    && owner != Some(by)
                    && before.ready_at > now.after(2 * SKEW);
                self.claimed(before, after, by, held, now);
            }
            Event::Renew | Event::Succeed | Event::Fail | Event::Retry if owner != Some(by) => {
                self.break_("I3 by the lease's holder", || {
                    format!("{id}: {} by another process", event.as_str())
                });
            }
            Event::Withdraw => {
                if before.status == Status::Running {
                    self.break_("I6 cancelled is cancelled", || {
                        format!("{id} ran, and was said not to")
                    });
                }
                self.withdrawn.insert(life(before));
            }
            Event::Defer => {
                self.counts.deferred += 1;
                // The next attempt has its number.
                self.ran.remove(&(life(before), before.attempt));
                self.shared.remove(&(life(before), before.attempt));
            }
            Event::Redrive => self.redriven(&life(before)),
            Event::Lapse => self.counts.lapsed += 1,
            Event::Bury | Event::Sweep | Event::GiveUp => {
                self.counts.abandoned += 1;
                let blamed = event == Event::GiveUp && before.status == Status::Running;
                if blamed && self.shared.contains(&(life(before), before.attempt)) {
                    self.break_("I10 no blame for another's crash", || {
                        format!("{id} ended with a process that it shared")
                    });
                }
                if before.is_leased(now) && before.ready_at > now.after(2 * SKEW) {
                    self.break_("I3 not under a live lease", || {
                        format!("{id}: {}", event.as_str())
                    });
                }
                let last_call = before.deadline().before(LAST_CALL).before(2 * SKEW) <= now;
                if event == Event::Sweep && waits && !last_call {
                    self.break_("I1 swept too early", || {
                        format!("{id} had a message on its way")
                    });
                }
            }
            _ => {}
        }
        if event == Event::Succeed && !tells_of(after) {
            self.break_("I3 one outcome", || {
                format!("{id} has the result of another attempt")
            });
        }
        if after.status.is_terminal() {
            self.ended.insert(life(after), after.expires_at);
            self.counts.ended +=
                u64::from(!matches!(event, Event::Bury | Event::Sweep | Event::GiveUp));
            let kept = after.finished_at.map(|at| at.after(after.retention));
            if kept.is_none_or(|until| after.expires_at < until) {
                self.break_("I5 kept for its retention", || {
                    format!("{id} expires at {}", after.expires_at)
                });
            }
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

    /// An operator sent a job back to work: it may end once more, and its attempts begin anew.
    fn redriven(&mut self, life: &Life) {
        self.counts.redriven += 1;
        self.ended.remove(life);
        self.ran.retain(|(of, _)| of != life);
        self.shared.retain(|(of, _)| of != life);
        for ((_, of), (_, attempt)) in &mut self.seen {
            if of == life {
                *attempt = 0;
            }
        }
    }

    /// An upload was copied to be a job's payload: it serves that job's id alone.
    pub(crate) fn copied(&mut self, upload: &str, payload: &str) {
        let job = crate::port::without_token(payload);
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

/// Whether a result in the record is that of the record's attempt.
fn tells_of(job: &Job) -> bool {
    match job
        .success
        .as_ref()
        .and_then(|success| success.result.as_ref())
    {
        Some(ResultRef::Inline { bytes, .. }) => {
            bytes.starts_with(result_of(job.attempt).as_bytes())
        }
        Some(ResultRef::Stored { .. }) | None => true,
    }
}
