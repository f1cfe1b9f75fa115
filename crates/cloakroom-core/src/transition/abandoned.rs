//! Jobs that nothing will bring to their end any more: what is known of them, and when that may be said.
//!
//! A message that no worker can deal with comes back until it has been received as often as the queue's redrive policy
//! allows; then it is among the dead letters, and its job is ended by whoever reads them. A job without a message is found
//! by the sweeper. It may say so once the job has been ready for as long as a message can take to come back that often (a
//! *cycle*: the receive count times the visibility timeout; an outage; and some slack) and none waits in the queue; or shortly before the record
//! expires, whatever waits there, as a job must not vanish without an end.

use std::time::Duration;

use super::{Event, Transition, latest_attempt};
use crate::{Failure, Isolation, Job, Status, Timestamp};

/// Time before its deadline at which a job that still waits is ended. Its record outlives the deadline by [`OVERTIME`](crate::OVERTIME).
pub const LAST_CALL: Duration = Duration::from_secs(600);

/// How much longer than a cycle the sweeper waits: each time that it is visible, a message takes a moment to be received.
pub const SLACK: Duration = Duration::from_secs(300);

/// Longest outage after which the sweeper still waits for messages that were hidden during it: half an hour, and the longest
/// wait of a message that comes back.
pub const OUTAGE: Duration = Duration::from_secs(2100);

/// Time before the last call from which on the sweeper does not wait for an outage any more.
const LAST_LOOKS: Duration = Duration::from_secs(900);

/// How long the sweeper lets a backlog be before it looks again.
const PAUSE: Duration = Duration::from_secs(300);

/// What is to be done about a job that may be abandoned.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing: there is no such job, or no longer, or it is over.
    Over,
    /// Nothing: another message is to bring it to its end.
    Another,
    /// Nothing yet: look again at this time.
    Wait(Timestamp),
    /// This, unless it changes meanwhile.
    End(Box<Transition>),
}

impl Verdict {
    /// Of the job of a dead letter: the message `message_id`, which was sent for the incarnation of `created_at`.
    /// `readable` is whether it could have been worked.
    pub fn for_dead_letter(
        job: Option<&Job>,
        created_at: Timestamp,
        message_id: &str,
        readable: bool,
        now: Timestamp,
    ) -> Self {
        let Some(job) = open(job, now).filter(|job| job.created_at == created_at) else {
            return Self::Over;
        };
        if job
            .lease
            .as_ref()
            .is_some_and(|lease| lease.message_id != message_id)
        {
            return Self::Another;
        }
        // A worker is at work on it all the same, or its next attempt was planned: what comes of that is seen then.
        if job.ready_at > now {
            return Self::Wait(job.ready_at);
        }
        let failure = if readable {
            cause_of_death(job)
        } else {
            Failure::new(
                "the message of the job can't be read; an operator can send it back once it can be",
            )
            .with_code("unreadable-message")
        };
        Self::end(job, Event::Bury, failure, now)
    }

    /// Of a job that the sweeper looks at. `cycle` is the longest that a message can take to come back for the last time,
    /// `backlog` whether any wait in the queue.
    pub fn for_sweep(job: Option<&Job>, cycle: Duration, backlog: bool, now: Timestamp) -> Self {
        let Some(job) = open(job, now) else {
            return Self::Over;
        };
        let last_call = job.deadline().before(LAST_CALL).max(job.ready_at);
        let gone = job.ready_at.after(cycle).after(SLACK);
        // An outage may have kept its message, but there must be time for several looks before the last call.
        let gone = gone
            .after(OUTAGE)
            .min(last_call.before(LAST_LOOKS))
            .max(gone);
        if now < gone.min(last_call) {
            return Self::Wait(gone.min(last_call));
        }
        if backlog && now < last_call {
            return Self::Wait(now.after(PAUSE).min(last_call));
        }
        let failure = if job.status == Status::Accepted && (backlog || now < gone) {
            Failure::new("the job was not begun as long as it was kept; submit the command again under a new key")
                .with_code("expired")
        } else {
            cause_of_death(job)
        };
        Self::end(job, Event::Sweep, failure, now)
    }

    /// Of a job that was accepted of a producer's message, and that no worker could begin: its payload is refused. `None` if it
    /// is over, or under way: then another message brought it further.
    pub fn for_rejected_payload(job: &Job, failure: Failure, now: Timestamp) -> Option<Transition> {
        let mut transition = Transition::new(Event::Bury, now).with_cause(failure);
        transition.guard.version = Some(job.version);
        (job.is_alive(now) && job.status == Status::Accepted).then_some(transition)
    }

    fn end(job: &Job, event: Event, failure: Failure, now: Timestamp) -> Self {
        let mut transition = if job.status == Status::Cancelling {
            Transition::new(Event::ConfirmCancel, now)
        } else {
            Transition::new(event, now).with_cause(failure)
        };
        transition.guard.version = Some(job.version);
        Self::End(Box::new(transition))
    }
}

fn open(job: Option<&Job>, now: Timestamp) -> Option<&Job> {
    job.filter(|job| job.is_alive(now) && !job.status.is_terminal())
}

/// What is known of why a job was not brought to its end.
///
/// A worker that was alive at its last beat (a third of the lease) before its function's own end is taken to have run into
/// that end: `worker-timed-out`; any other to have crashed: `worker-crashed`.
///
/// A job whose attempt shared its process with others is ended by this only when no message brings it another attempt:
/// the text does not blame it.
pub fn cause_of_death(job: &Job) -> Failure {
    let attempts = latest_attempt(job);
    match (job.status, &job.failure) {
        (Status::Retrying, Some(last)) => Failure {
            detail: crate::outcome::cut(
                format!("no worker went on after attempt {attempts}, which ended so: {}", last.detail),
                Failure::DETAIL_LIMIT,
            ),
            ..last.clone()
        },
        _ if attempts == 0 => Failure::new(
            "no worker could begin the job, though its message was handed out again and again, or the message was lost",
        )
        .with_code("never-started"),
        _ if ran_into_the_end(job) => Failure::new(format!(
            "gave up after {attempts} attempts; in the last one the worker ran until its function's time was over"
        ))
        .with_code("worker-timed-out"),
        _ if shared_its_process(job) => Failure::new(format!(
            "the worker, which other jobs may have shared, stopped in the middle of attempt {attempts}, and no message brought \
             the job another attempt; an operator can send it back"
        ))
        .with_code("worker-crashed"),
        _ => {
            Failure::new(format!("gave up after {attempts} attempts; the worker stopped in the middle of the last one"))
                .with_code("worker-crashed")
        }
    }
}

fn shared_its_process(job: &Job) -> bool {
    job.lease
        .as_ref()
        .is_some_and(|lease| lease.isolation == Isolation::Shared)
}

fn ran_into_the_end(job: &Job) -> bool {
    let beat = job.ready_at.since(job.updated_at) / 3;
    let ends_at = job.lease.as_ref().and_then(|lease| lease.ends_at);
    ends_at.is_some_and(|ends_at| job.updated_at.after(beat) >= ends_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::accepted;
    use crate::transition::Claim;
    use crate::{AttemptEnd, Lease, LeaseToken, RetryPolicy};

    const LEASE: Duration = Duration::from_secs(30);
    const CYCLE: Duration = Duration::from_secs(3600);

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn token() -> LeaseToken {
        LeaseToken::from_uuid(uuid::Uuid::from_u128(1))
    }

    /// Its worker's function ends at 56 s.
    fn running() -> Job {
        let lease = Lease {
            token: token(),
            message_id: "m1".into(),
            ends_at: Some(at(56)),
            isolation: Isolation::Shared,
        };
        let claim = Claim {
            created_at: at(0),
            lease,
            lease_time: LEASE,
            max_attempts: 3,
        };
        Transition::claim(&claim, at(0))
            .apply(&accepted(at(0)))
            .expect("the job is free")
    }

    fn retrying() -> Job {
        let end = AttemptEnd::Retryable {
            failure: Failure::new("out of paper").with_code("no-paper"),
            after: None,
        };
        Transition::settle(
            &running(),
            token(),
            end,
            &RetryPolicy::default(),
            at(1),
            0.0,
        )
        .apply(&running())
        .expect("held")
    }

    fn ended(job: &Job, verdict: Verdict) -> (Status, String) {
        let Verdict::End(transition) = verdict else {
            panic!("{verdict:?}")
        };
        let over = transition.apply(job).expect("nothing changed");
        let mut changed = job.clone();
        changed.version += 1;
        assert_eq!(
            transition.apply(&changed),
            None,
            "what has changed since is not ended"
        );
        (
            over.status,
            over.failure.map(|failure| failure.code).unwrap_or_default(),
        )
    }

    fn buried(job: &Job, now: Timestamp) -> Verdict {
        Verdict::for_dead_letter(Some(job), at(0), "m1", true, now)
    }

    #[test]
    fn the_job_of_a_dead_letter_ends_with_what_is_known() {
        let (failed, now) = (Status::Failed, at(1000));
        for (job, code) in [
            (accepted(at(0)), "never-started"),
            (running(), "worker-crashed"),
            (retrying(), "no-paper"),
        ] {
            assert_eq!(ended(&job, buried(&job, now)), (failed, code.to_owned()));
        }
        let cancelling = Transition::ask_to_cancel(at(1))
            .apply(&running())
            .expect("it runs");
        assert_eq!(
            ended(&cancelling, buried(&cancelling, now)).0,
            Status::Cancelled
        );
        let unreadable = Verdict::for_dead_letter(Some(&running()), at(0), "m1", false, now);
        assert_eq!(ended(&running(), unreadable).1, "unreadable-message");
    }

    #[test]
    fn a_worker_that_was_alive_just_before_its_functions_end_has_timed_out() {
        for (last_beat, code) in [
            (10, "worker-crashed"),
            (45, "worker-crashed"),
            (46, "worker-timed-out"),
            (56, "worker-timed-out"),
        ] {
            let job = Transition::renew(token(), LEASE, None, at(last_beat))
                .apply(&running())
                .expect("the lease holds");
            assert_eq!(cause_of_death(&job).code, code, "{last_beat}");
        }
        let mut of_yesterday = running();
        of_yesterday.lease.as_mut().expect("leased").ends_at = None;
        assert_eq!(cause_of_death(&of_yesterday).code, "worker-crashed");
    }

    #[test]
    fn a_dead_letter_does_nothing_to_a_job_that_is_over_another_messages_or_not_yet_free() {
        let over = Transition::withdraw(at(1))
            .apply(&accepted(at(0)))
            .expect("no attempt ran");
        assert_eq!(buried(&over, at(2)), Verdict::Over);
        assert_eq!(
            Verdict::for_dead_letter(None, at(0), "m1", true, at(2)),
            Verdict::Over
        );
        assert_eq!(
            Verdict::for_dead_letter(Some(&running()), at(9), "m1", true, at(90)),
            Verdict::Over,
            "incarnation"
        );
        assert_eq!(
            buried(&running(), at(100_000_000)),
            Verdict::Over,
            "expired"
        );
        assert_eq!(
            Verdict::for_dead_letter(Some(&running()), at(0), "m2", true, at(90)),
            Verdict::Another
        );
        assert_eq!(buried(&running(), at(29)), Verdict::Wait(at(30)));
    }

    #[test]
    fn the_sweeper_waits_for_as_long_as_a_message_may_come_back() {
        let sweep =
            |job: &Job, backlog, now| Verdict::for_sweep(Some(job), CYCLE, backlog, at(now));
        for (job, code) in [
            (accepted(at(0)), "never-started"),
            (running(), "worker-crashed"),
            (retrying(), "no-paper"),
        ] {
            let due = job.ready_at.after(CYCLE).after(OUTAGE).after(SLACK);
            assert_eq!(sweep(&job, false, 60), Verdict::Wait(due));
            assert_eq!(
                Verdict::for_sweep(Some(&job), CYCLE, true, due),
                Verdict::Wait(due.after(PAUSE)),
                "a backlog"
            );
            assert_eq!(
                ended(&job, Verdict::for_sweep(Some(&job), CYCLE, false, due)),
                (Status::Failed, code.to_owned())
            );
        }
        let over = Transition::withdraw(at(1))
            .apply(&accepted(at(0)))
            .expect("no attempt ran");
        assert_eq!(sweep(&over, false, 90_000), Verdict::Over);
        assert_eq!(Verdict::for_sweep(None, CYCLE, false, at(0)), Verdict::Over);
    }

    #[test]
    fn no_job_vanishes_without_an_end_however_long_the_queue() {
        let job = accepted(at(0));
        let last_call = job.deadline().before(LAST_CALL);
        let before = last_call.before(Duration::from_secs(1));
        assert_eq!(
            Verdict::for_sweep(Some(&job), CYCLE, true, before),
            Verdict::Wait(last_call)
        );
        assert_eq!(
            ended(&job, Verdict::for_sweep(Some(&job), CYCLE, true, last_call)).1,
            "expired"
        );
        let long = Duration::from_secs(1_000_000);
        assert_eq!(
            Verdict::for_sweep(Some(&job), long, false, at(60)),
            Verdict::Wait(last_call),
            "a very long cycle"
        );
        assert_eq!(
            ended(&job, Verdict::for_sweep(Some(&job), long, false, last_call)).1,
            "expired"
        );
    }
}
