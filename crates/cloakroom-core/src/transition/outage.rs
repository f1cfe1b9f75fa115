//! Outages: attempts that were cut short because a service was unavailable.
//!
//! Such an attempt is not counted. The job is tried again for as long as it may live, and its history tells when the outage
//! began. So the record needs no attribute of its own: the wait grows with the time since the first deferred attempt.

use std::time::Duration;

use super::{Event, Transition};
use crate::history::Step;
use crate::{Failure, Job, LeaseToken, Progress, Timestamp};

/// Longest outage that a job survives; shorter where the job is kept for less.
pub const OUTAGE_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Shortest upper bound of a wait.
const SHORTEST: Duration = Duration::from_secs(2);

/// Longest wait.
const LONGEST: Duration = Duration::from_secs(300);

/// Number of deferred attempts that a history keeps of one outage.
const KEPT: usize = 8;

impl Transition {
    /// Ends an attempt without counting it. Fails the job instead when the outage has lasted too long.
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
        let message = format!("{}; trying again", failure.detail);
        let mut transition = Self::fenced(Event::Defer, token, now).with_cause(failure);
        transition.patch.uncounted = 1;
        transition.patch.ready_at = Some(now.after(wait(lasted, unit)));
        transition.patch.progress = Some((Progress::new(percent, Some(message)), None));
        transition.patch.kept = shortened(&job.history);
        transition
    }

    /// The same renewal, with a step that tells what its attempt waits for.
    #[must_use]
    pub fn waiting(mut self, failure: &Failure) -> Self {
        self.patch.step = Some(Step::new(Event::Renew, self.patch.updated_at).with_cause(failure));
        self
    }

    /// Stops counting the attempt of `token`: its worker could not record its begin or its end, and works on it no longer.
    pub fn give_back(token: LeaseToken, now: Timestamp) -> Self {
        let failure = Failure::unavailable("the table was unavailable during the attempt");
        let mut transition = Self::fenced(Event::Defer, token, now).with_cause(failure);
        transition.patch.uncounted = 1;
        transition.patch.ready_at = Some(now);
        transition
    }
}

/// Number of the attempt that runs or ran last. A deferred attempt is not counted, and the next one has its number.
pub fn latest_attempt(job: &Job) -> u32 {
    let last = job
        .history
        .iter()
        .rfind(|step| matches!(step.event, Event::Claim | Event::Defer | Event::Redrive));
    job.attempt + u32::from(last.is_some_and(|step| step.event == Event::Defer))
}

/// Reports whether the attempt before the one that runs was deferred.
pub fn was_deferred(job: &Job) -> bool {
    job.history
        .iter()
        .rev()
        .nth(1)
        .is_some_and(|step| step.event == Event::Defer)
}

/// Waits about as long as the outage has lasted, so that the wait doubles.
fn wait(lasted: Duration, unit: f64) -> Duration {
    lasted
        .clamp(SHORTEST, LONGEST)
        .mul_f64(0.5 + unit.clamp(0.0, 1.0) / 2.0)
}

/// The steps at the end of a history that tell of the outage.
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

/// The history without the second deferred attempt of a long outage. The first one tells when the outage began.
///
/// No other write can add a step meanwhile: each one that may changes the lease or the status, and is refused or refuses.
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
