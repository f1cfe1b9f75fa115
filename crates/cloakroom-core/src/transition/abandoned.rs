//! Abandoned jobs: jobs that no message will bring to an end, and when that is certain.
//!
//! A message that no worker can process becomes visible again until it reaches the receive count of the queue's redrive
//! policy. Then it becomes a dead letter, and the reader of the dead letters ends its job. The sweeper finds jobs
//! without a message, and ends them in one of two cases:
//!
//! - The job has been ready for a *cycle*, and no message waits in the queue. A cycle is the longest time in which a
//!   message can reach the receive count: receive count times visibility timeout. An outage and some slack are added.
//! - The record expires soon, whatever waits in the queue: a job must not vanish without an end.

use std::time::Duration;

use super::{Event, Transition, latest_attempt};
use crate::{Failure, Isolation, Job, Status, Timestamp};

/// Time before the deadline at which a waiting job is ended. The record outlives the deadline by
/// [`OVERTIME`](crate::OVERTIME).
pub const LAST_CALL: Duration = Duration::from_secs(600);

/// Time that the sweeper adds to a cycle: each time a message is visible, some time passes until it is received.
pub const SLACK: Duration = Duration::from_secs(300);

/// Longest outage that the sweeper adds to a cycle: half an hour, and the longest delay of a message that is hidden
/// during it.
pub const OUTAGE: Duration = Duration::from_secs(2100);

/// Time before the last call from which the sweeper no longer allows for an outage.
const LAST_LOOKS: Duration = Duration::from_secs(900);

/// Time between two looks at a job while the queue has a backlog.
const PAUSE: Duration = Duration::from_secs(300);

/// Decision about a job that may be abandoned.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Do nothing: the job does not exist, has expired or has ended.
    Over,
    /// Do nothing: another message is responsible for the job.
    Another,
    /// Look again at this time.
    Wait(Timestamp),
    /// End the job by this transition, unless the record changes first.
    End(Box<Transition>),
}

impl Verdict {
    /// Decides about the job of a dead letter. `message_id` is its message, which was sent for the incarnation of
    /// `created_at`. `readable` is true if a worker could have read the message.
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
        // A worker still runs the job, or its next attempt is scheduled: decide after that.
        if job.ready_at > now {
            return Self::Wait(job.ready_at);
        }
        let failure = if readable {
            cause_of_death(job)
        } else {
            Failure::new(
                "the message of the job can't be read; an operator can redrive it when it can be read",
            )
            .with_code("unreadable-message")
        };
        Self::end(job, Event::Bury, failure, now)
    }

    /// Decides about a job that the sweeper examines. `cycle` is the longest time in which a message can reach the
    /// receive count. `backlog` is true if messages wait in the queue.
    pub fn for_sweep(job: Option<&Job>, cycle: Duration, backlog: bool, now: Timestamp) -> Self {
        let Some(job) = open(job, now) else {
            return Self::Over;
        };
        let last_call = job.deadline().before(LAST_CALL).max(job.ready_at);
        let gone = job.ready_at.after(cycle).after(SLACK);
        // An outage may have hidden the message, but time for several looks before the last call must remain.
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
            Failure::new(
                "the job did not start before it expired; submit the command again under a new key",
            )
            .with_code("expired")
        } else {
            cause_of_death(job)
        };
        Self::end(job, Event::Sweep, failure, now)
    }

    /// Ends a job that was accepted from a producer's message, and whose payload is rejected before the first attempt.
    /// Returns `None` if the job has expired or its status is no longer `accepted`: then another message has processed
    /// it.
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

/// Returns the likely cause of an abandoned job.
///
/// The code is `worker-timed-out` if the function's timeout was reached before the worker's next heartbeat was due.
/// Otherwise it is `worker-crashed`. Heartbeats are a third of the lease apart.
///
/// If the attempt shared its process with others, the text does not blame the job. Such a job ends this way only when
/// no message brings it another attempt.
pub fn cause_of_death(job: &Job) -> Failure {
    let attempts = latest_attempt(job);
    match (job.status, &job.failure) {
        (Status::Retrying, Some(last)) => Failure {
            detail: crate::outcome::cut(
                format!("no worker continued after attempt {attempts}, which ended with: {}", last.detail),
                Failure::DETAIL_LIMIT,
            ),
            ..last.clone()
        },
        _ if attempts == 0 => Failure::new(
            "no worker could start the job: its message was received again and again, or was lost",
        )
        .with_code("never-started"),
        _ if ran_into_the_end(job) => Failure::new(format!(
            "gave up after {attempts} attempts; in the last one the worker reached its function's timeout"
        ))
        .with_code("worker-timed-out"),
        _ if shared_its_process(job) => Failure::new(format!(
            "the worker, which may have run other jobs too, stopped during attempt {attempts}, and no message brought the job \
             another attempt; an operator can redrive it"
        ))
        .with_code("worker-crashed"),
        _ => {
            Failure::new(format!("gave up after {attempts} attempts; the worker stopped during the last one"))
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

    /// A running job. Its worker's function times out at 56 s.
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

    fn cancelling() -> Job {
        Transition::ask_to_cancel(at(1))
            .apply(&running())
            .expect("it runs")
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
        let cancelling = cancelling();
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
        for job in [running(), cancelling(), retrying()] {
            for (readable, now) in [(true, at(90)), (false, at(90)), (true, at(1))] {
                let of_another = Verdict::for_dead_letter(Some(&job), at(0), "m2", readable, now);
                assert_eq!(of_another, Verdict::Another, "{:?}", job.status);
            }
        }
        for job in [running(), cancelling()] {
            assert_eq!(buried(&job, at(29)), Verdict::Wait(at(30)));
        }
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
