//! Outages: attempts that were cut short because a service was unavailable.
//!
//! Such an attempt is not counted. The job is retried until the outage limit, and its history contains the start of the
//! outage. The delay grows with the time since the first deferred attempt, so the record needs no further attribute.

use std::time::Duration;

use super::{Event, Transition};
use crate::history::Step;
use crate::{Failure, Job, LeaseToken, Progress, Timestamp};

/// Longest outage that a job survives. It is shorter for a job with a shorter retention.
pub const OUTAGE_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Minimum of the upper bound of a delay.
const SHORTEST: Duration = Duration::from_secs(2);

/// Maximum delay.
const LONGEST: Duration = Duration::from_secs(300);

/// Maximum number of deferred attempts that a history retains of one outage.
const KEPT: usize = 8;

impl Transition {
    /// Ends an attempt without counting it. Fails the job if the outage has lasted too long.
    pub(super) fn defer(
        job: &Job,
        token: LeaseToken,
        mut failure: Failure,
        now: Timestamp,
        unit: f64,
    ) -> Self {
        let lasted = outage_began(&job.history).map_or(Duration::ZERO, |began| now.since(began));
        if lasted >= job.retention.min(OUTAGE_LIMIT) {
            failure.detail = format!(
                "gave up after {} min; the last attempt: {}",
                lasted.as_secs() / 60,
                failure.detail
            );
            return Self::fail(token, failure, now);
        }
        let percent = job
            .progress
            .as_ref()
            .map_or(0.0, |progress| progress.percent);
        let message = format!("{}; retrying", failure.detail);
        let mut transition = Self::fenced(Event::Defer, token, now).with_cause(failure);
        transition.patch.uncounted = 1;
        transition.patch.ready_at = Some(now.after(wait(lasted, unit)));
        transition.patch.progress = Some((Progress::new(percent, Some(message)), None));
        transition.patch.kept = shortened(&job.history);
        transition
    }

    /// Adds a step to a renewal, with the failure that its attempt waits for.
    #[must_use]
    pub fn waiting(mut self, failure: &Failure) -> Self {
        self.patch.step = Some(Step::new(Event::Renew, self.patch.updated_at).with_cause(failure));
        self
    }

    /// Stops counting the attempt of `token`. Its worker could not record the start or the end, and no longer runs it.
    pub fn give_back(token: LeaseToken, now: Timestamp) -> Self {
        let failure = Failure::unavailable("the table was unavailable during the attempt");
        let mut transition = Self::fenced(Event::Defer, token, now).with_cause(failure);
        transition.patch.uncounted = 1;
        transition.patch.ready_at = Some(now);
        transition
    }
}

/// Returns the number of the attempt that runs or ran last. A deferred attempt shares its number with the next one.
pub fn latest_attempt(job: &Job) -> u32 {
    let last = job
        .history
        .iter()
        .rfind(|step| matches!(step.event, Event::Claim | Event::Defer | Event::Redrive));
    job.attempt + u32::from(last.is_some_and(|step| step.event == Event::Defer))
}

/// Returns true if the attempt before the running one was deferred.
pub fn was_deferred(job: &Job) -> bool {
    job.history
        .iter()
        .rev()
        .nth(1)
        .is_some_and(|step| step.event == Event::Defer)
}

/// Returns a delay of about the duration of the outage so far, so that delays double.
fn wait(lasted: Duration, unit: f64) -> Duration {
    lasted
        .clamp(SHORTEST, LONGEST)
        .mul_f64(0.5 + unit.clamp(0.0, 1.0) / 2.0)
}

/// Returns the index of the first step that belongs to the outage at the end of a history.
fn of_the_outage(history: &[Step]) -> usize {
    let of_it = |step: &Step| matches!(step.event, Event::Claim | Event::Renew | Event::Defer);
    history
        .iter()
        .rposition(|step| !of_it(step))
        .map_or(0, |at| at + 1)
}

fn outage_began(history: &[Step]) -> Option<Timestamp> {
    let steps = &history[of_the_outage(history)..];
    steps
        .iter()
        .find(|step| step.event == Event::Defer)
        .map(|step| step.at)
}

/// Returns the history without the second deferred attempt of a long outage, or `None` if there is nothing to remove.
/// The first deferred attempt marks the start of the outage.
///
/// No concurrent write can add a step: every such write changes the lease or the status, so one of the two writes
/// fails.
fn shortened(history: &[Step]) -> Option<Vec<Step>> {
    let from = of_the_outage(history);
    let deferred: Vec<_> = (from..history.len())
        .filter(|at| history[*at].event == Event::Defer)
        .collect();
    let second = *deferred.get(1).filter(|_| deferred.len() >= KEPT)?;
    let begun = history[..second]
        .iter()
        .rposition(|step| step.event == Event::Claim)?;
    Some([&history[..begun], &history[second + 1..]].concat())
}

#[cfg(test)]
mod tests;
