//! Audit of the responses that clients got about their jobs. Compares them with earlier responses, with each job's
//! history, and with a ledger in which handlers record their effects outside of Cloakroom.

mod ledger;
#[cfg(test)]
mod tests;

use std::time::Duration;

use cloakroom_client::{HistoryView, JobView, StepView};
use cloakroom_core::Status;
use serde_json::Value;

pub use ledger::{Entry, Ledger, Mark};

/// Expected end of a job without faults.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Succeeds with this result.
    Result(Value),
    /// Fails with this code in the first attempt, and then succeeds with this result.
    ResultAfter(&'static str, Value),
    /// Succeeds with a result of this length in bytes.
    Bytes(usize),
    /// Fails with this code.
    Failure(&'static str),
    /// Crashes its worker's process in every attempt.
    Crash,
}

/// A response about a job, as a client received it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// Entity tag, without quotes.
    pub etag: String,
    /// Job document.
    pub job: JobView,
}

/// All interactions of a client with one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Client-supplied id of the job.
    pub key: String,
    /// Server-side id.
    pub id: String,
    /// Expected end.
    pub wish: Wish,
    /// True if the submission got a 202. Otherwise the client abandoned it and has no promise, but the job must end
    /// anyway.
    pub promised: bool,
    /// True if the client requested cancellation.
    pub cancelled: bool,
    /// Responses in order.
    pub sights: Vec<Sight>,
    /// Violations that the client observed.
    pub wrongs: Vec<String>,
}

/// Codes of jobs that faults ended, and whether they need at least one attempt, or none.
const BY_TROUBLE: [(&str, bool); 4] = [
    ("worker-crashed", true),
    ("worker-timed-out", true),
    ("attempt-timed-out", true),
    ("never-started", false),
];

/// Details of failures to fetch a payload or to store a result. Any job may have them.
const BY_STORAGE: [&str; 2] = [
    "the payload could not be fetched",
    "the result could not be stored",
];

/// Steps that end a job.
const ENDS: [&str; 8] = [
    "succeed",
    "fail",
    "withdraw",
    "confirm-cancel",
    "give-up",
    "lapse",
    "bury",
    "sweep",
];

/// Time that an attempt may run after its lease expired: the grace period of its handler, and some slack.
const GRACE: Duration = Duration::from_secs(3);

/// Returns the violations in a story, given the job's final history, the entries of its handler, and the duration of a
/// lease.
pub fn wrongs(story: &Story, last: &HistoryView, noted: &[Entry], lease: Duration) -> Vec<String> {
    let mut found = story.wrongs.clone();
    let mut unless = |good: bool, what: String| {
        if !good {
            found.push(what);
        }
    };
    for pair in story.sights.windows(2) {
        unless(
            goes_on(&pair[0], &pair[1]),
            format!("went backwards, from {:?} to {:?}", pair[0], pair[1]),
        );
    }
    let job = &last.job;
    unless(
        job.id == story.id,
        format!("the key {} is another job's: {}", story.key, job.id),
    );
    unless(
        job.status.is_terminal(),
        format!("did not end: it is {}", job.status.as_str()),
    );
    for sight in story
        .sights
        .iter()
        .filter(|sight| sight.job.status.is_terminal())
    {
        unless(
            sight.job == *job,
            format!("ended as {:?}, and changed to {job:?}", sight.job),
        );
    }
    let ends = last.history.iter().filter(|step| is_end(step)).count();
    let ends_last = last.history.last().is_some_and(is_end);
    unless(
        (ends, ends_last) == (1, true),
        format!("{ends} ends are recorded: {:?}", last.history),
    );
    let claims = last
        .history
        .iter()
        .filter(|step| step.event == "claim")
        .count();
    unless(
        claims == job.attempt as usize,
        format!(
            "{claims} attempts are recorded, and it tells of {}",
            job.attempt
        ),
    );
    for pair in last
        .history
        .windows(2)
        .filter(|pair| is_taken_over(&pair[0], &pair[1]))
    {
        unless(
            pair[1].at >= pair[0].at.after(lease),
            format!("was taken over from a worker with a lease: {pair:?}"),
        );
    }
    let by = last.history.last().map_or("", |step| step.event.as_str());
    unless(
        !(story.promised && by == "sweep"),
        "was swept, though it was answered 202, and so has a message".to_owned(),
    );
    if let Err(what) = ended_truly(story, job, by, noted) {
        unless(false, what);
    }
    for (n, entry) in noted.iter().enumerate() {
        let again = noted[..n]
            .iter()
            .any(|other| (other.mark, other.attempt) == (entry.mark, entry.attempt));
        unless(!again, format!("an attempt ran twice: {entry:?}"));
        unless(
            entry.attempt <= job.attempt,
            format!("an attempt ran that is not recorded: {entry:?}"),
        );
        let latest = job.finished_at.map(|end| end.after(lease + GRACE));
        unless(
            latest.is_none_or(|latest| entry.at <= latest),
            format!("ran on after its end: {entry:?}"),
        );
    }
    found
}

/// Returns true if the second step takes over from a worker that started an attempt and then crashed.
pub fn is_taken_over(first: &StepView, second: &StepView) -> bool {
    first.event == "claim" && ["claim", "give-up", "bury", "sweep"].contains(&second.event.as_str())
}

fn is_end(step: &StepView) -> bool {
    ENDS.contains(&step.event.as_str())
}

/// Returns true if the second response may follow the first.
fn goes_on(before: &Sight, after: &Sight) -> bool {
    let version = |sight: &Sight| {
        let (incarnation, version) = sight.etag.rsplit_once('-')?;
        Some((incarnation.to_owned(), version.parse::<u64>().ok()?))
    };
    let (Some((first, old)), Some((second, new))) = (version(before), version(after)) else {
        return false;
    };
    let begun = |status| status != Status::Accepted;
    first == second
        && old <= new
        && (old != new || before.job.status == after.job.status)
        && before.job.attempt <= after.job.attempt
        && begun(before.job.status) <= begun(after.job.status)
        && (!before.job.status.is_terminal() || before == after)
}

/// Checks that the end is allowed for the job, and that the ledger agrees. `by` is the step that ended the job.
fn ended_truly(story: &Story, job: &JobView, by: &str, noted: &[Entry]) -> Result<(), String> {
    let has = |mark| {
        noted
            .iter()
            .any(|entry| entry.mark == mark && entry.attempt == job.attempt)
    };
    match job.status {
        Status::Succeeded => {
            let right = match &story.wish {
                Wish::Result(result) => job.result.as_ref() == Some(result),
                Wish::ResultAfter(_, result) => {
                    job.result.as_ref() == Some(result) && job.attempt > 1
                }
                Wish::Bytes(_) => job.result.is_none() && job.result_url.is_some(),
                Wish::Failure(_) | Wish::Crash => false,
            };
            if !right {
                return Err(format!("succeeded with what was not asked for: {job:?}"));
            }
            if !has(Mark::Did) {
                return Err(format!(
                    "attempt {} is said to have succeeded, and did nothing: {noted:?}",
                    job.attempt
                ));
            }
        }
        Status::Failed => {
            let error = job.error.as_ref().ok_or("failed without an error")?;
            let by_trouble = BY_TROUBLE.contains(&(error.code.as_str(), job.attempt > 0));
            let by_storage =
                error.code == "job-failed" && BY_STORAGE.iter().any(|it| error.detail.contains(it));
            let as_asked = match story.wish {
                Wish::Failure(code) => code == error.code,
                // No worker continued: the known cause is the failure of the first attempt.
                Wish::ResultAfter(code, _) => code == error.code && by != "fail",
                Wish::Result(_) | Wish::Bytes(_) | Wish::Crash => false,
            };
            if !(by_trouble || by_storage || as_asked) {
                return Err(format!("failed as nothing makes it fail: {job:?}"));
            }
            if as_asked && !by_trouble && !has(Mark::Began) {
                return Err(format!(
                    "its handler is said to have failed in attempt {}, and never ran",
                    job.attempt
                ));
            }
        }
        Status::Cancelled if !story.cancelled => {
            return Err("was cancelled, and nobody asked for it".to_owned());
        }
        Status::Cancelled
        | Status::Accepted
        | Status::Running
        | Status::Retrying
        | Status::Cancelling => {}
    }
    Ok(())
}
