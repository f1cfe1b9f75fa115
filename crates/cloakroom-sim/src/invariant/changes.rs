//! Invariants of each change of a record.

use std::time::Duration;

use cloakroom_core::transition::{Event, LAST_CALL};
use cloakroom_core::{Job, ResultRef, Status, Timestamp};

use super::{ATTEMPTS, Life, SOON, SOON_ENOUGH, Watch, life, result_of};
use crate::names::short;
use crate::plan::SKEW;

/// Maximum delay between the request of a change and its effect. Its times are those of the request.
const LATE: Duration = Duration::from_secs(30);

impl Watch {
    /// Checks a new record, which may replace another one.
    pub(crate) fn accepted(&mut self, before: Option<&Job>, after: &Job, now: Timestamp) {
        self.counts.jobs += 1;
        if before.is_some_and(|before| before.expires_at > now.after(SKEW)) {
            self.break_("I4 one job a key", || {
                format!("{} was recorded over a live job", short(after.id))
            });
        }
    }

    /// Checks a change of a record.
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
        self.goes_forward(before, after, event, now);
        let owner = before
            .lease
            .as_ref()
            .and_then(|lease| self.owners.get(&lease.token))
            .copied();
        match event {
            Event::Claim => self.claimed(before, after, by, owner, now),
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
                // The next attempt has the same number.
                self.ran.remove(&(life(before), before.attempt));
                self.shared.remove(&(life(before), before.attempt));
            }
            Event::Redrive => self.redriven(&life(before)),
            Event::Lapse => self.counts.lapsed += 1,
            Event::Bury | Event::Sweep | Event::GiveUp => {
                self.abandoned(before, event, waits, now);
            }
            _ => {}
        }
        if event == Event::Succeed && !tells_of(after) {
            self.break_("I3 one outcome", || {
                format!("{id} has the result of another attempt")
            });
        }
        if after.status.is_terminal() {
            self.ended(after, event);
        }
    }

    /// Checks any change: a job does not leave its terminal status, and its version and times don't decrease.
    fn goes_forward(&mut self, before: &Job, after: &Job, event: Event, now: Timestamp) {
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
        // A write that was sent in time may take effect late. It finds no other job there, because it requires its
        // incarnation.
        if before.expires_at.after(SKEW + LATE) <= now {
            self.break_("I2 an end is an end", || {
                format!("{id} had expired, then {}", event.as_str())
            });
        }
        let kept = after.deadline().after(2 * SKEW + LATE) >= now.after(after.retention);
        if after.version != before.version + 1 || !kept {
            self.break_("I5 no step back", || format!("{id}: {}", event.as_str()));
        }
    }

    /// Checks a claim. `owner` is the process that held the previous lease.
    fn claimed(&mut self, before: &Job, after: &Job, by: u64, owner: Option<u64>, now: Timestamp) {
        let id = short(after.id);
        if let Some(lease) = &after.lease {
            self.owners.insert(lease.token, by);
        }
        self.lost.remove(&(by, after.key()));
        self.counts.attempts += 1;
        if before.is_leased(now.after(SKEW))
            && before.status == Status::Running
            && owner != Some(by)
            && before.ready_at > now.after(2 * SKEW)
        {
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
        // One more attempt follows if the last one crashed in a shared process.
        if after.attempt > ATTEMPTS + 1 {
            self.break_("I3 bounded attempts", || {
                format!("{id} has attempt {}", after.attempt)
            });
        }
        if self.withdrawn.contains(&life(before)) {
            self.break_("I6 cancelled is cancelled", || format!("{id} was claimed"));
        }
    }

    /// Checks the end of a job by dead letters, by the sweeper, or by the claim after its last attempt.
    fn abandoned(&mut self, before: &Job, event: Event, waits: bool, now: Timestamp) {
        let id = short(before.id);
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

    /// Records the end of a job.
    fn ended(&mut self, after: &Job, event: Event) {
        self.ended.insert(life(after), after.expires_at);
        self.counts.ended +=
            u64::from(!matches!(event, Event::Bury | Event::Sweep | Event::GiveUp));
        let kept = after.finished_at.map(|at| at.after(after.retention));
        if kept.is_none_or(|until| after.expires_at < until) {
            self.break_("I5 kept for its retention", || {
                format!("{} expires at {}", short(after.id), after.expires_at)
            });
        }
    }

    /// Records a redrive: the job may end again, and its attempts count from 1.
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
}

/// Returns true if the result in the record comes from the record's attempt.
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
