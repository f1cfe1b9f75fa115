//! Runs one attempt under a supervisor. The supervisor renews the lease and records the handler's progress. It stops
//! the handler when the client cancels, the time ends, or the lease is lost.

mod perform;
pub(crate) mod ports;
mod result;
mod stage;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_core::transition::{Event, latest_attempt, progress_report, was_deferred};
use cloakroom_core::{
    AttemptEnd, Failure, Job, LeaseToken, Progress, Status, Timestamp, Transition,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use perform::Performance;
use ports::AttemptPorts;
use stage::Stages;

use crate::admission::Permit;
use crate::command::Command;
use crate::context::{Inner, JobContext};
use crate::envelope::Envelope;
use crate::ports::Change;
use crate::trace::TraceContext;

/// Minimum time between two writes of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Interval of checks on an attempt that still stores its result after its handler's deadline.
const WHILE_STORING: Duration = Duration::from_secs(1);

/// An attempt whose lease its worker holds.
pub(crate) struct Attempt<'a> {
    pub(crate) ports: AttemptPorts<'a>,
    /// Receipt of the attempt's message.
    pub(crate) receipt: &'a str,
    pub(crate) envelope: &'a Envelope,
    pub(crate) command: &'a Command,
    pub(crate) token: LeaseToken,
    /// Span of the attempt in the trace of the request.
    pub(crate) trace: TraceContext,
    /// The record as the worker last saw it.
    pub(crate) job: Job,
    /// Latest time at which the handler is stopped.
    pub(crate) deadline: Timestamp,
    /// Time at which the attempt is aborted: just before its function times out.
    pub(crate) last_moment: Timestamp,
}

/// Reason to stop a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Client,
    Deadline,
    LeaseLost,
}

impl Attempt<'_> {
    /// Runs the handler until the attempt ends. Returns `None` if the lease was lost: then the outcome must not be
    /// recorded.
    pub(crate) async fn run(&mut self, permit: Permit) -> Option<AttemptEnd> {
        let (progress, reports) = watch::channel(None);
        let stop = CancellationToken::new();
        let context = JobContext::new(Inner {
            id: self.job.id,
            tenant: self.job.tenant.clone(),
            command: self.job.command.clone(),
            attempt: latest_attempt(&self.job),
            created_at: self.job.created_at,
            deadline: self.deadline,
            content_type: self.envelope.content_type.clone(),
            trace: self.trace.clone(),
            tracestate: self.envelope.tracestate.clone(),
            host: Arc::clone(&self.ports.shared.host),
            progress,
            stop: stop.clone(),
            correlation_id: self.job.correlation_id(),
            causation_id: self
                .job
                .events
                .as_ref()
                .and_then(|events| events.causation_id.as_ref().map(ToString::to_string)),
            published: Mutex::default(),
            _permit: permit,
        });
        // The result is in memory until it is stored, so the permit is held until then.
        let _counted = context.clone();
        let stages = Stages::new();
        let performance = Performance {
            ports: self.ports,
            envelope: self.envelope,
            command: self.command,
            token: self.token,
            context,
            stages: stages.clone(),
            deferred: was_deferred(&self.job),
        };
        let (end, why) = self
            .supervise(performance.perform(), reports, &stop, &stages)
            .await;
        match (end, why) {
            (_, Some(Stop::LeaseLost)) => None,
            (Some(AttemptEnd::Cancelled) | None, Some(Stop::Deadline)) => {
                Some(match stages.held_up() {
                    Some(detail) => AttemptEnd::Unavailable(Failure::unavailable(detail)),
                    None => AttemptEnd::Retryable {
                        failure: Failure::new("the attempt timed out")
                            .with_code("attempt-timed-out"),
                        after: None,
                    },
                })
            }
            (Some(end), _) => Some(end),
            (None, _) => Some(AttemptEnd::Cancelled),
        }
    }

    /// Waits for the work to end. Returns `None` if it did not end within its grace period.
    async fn supervise(
        &mut self,
        work: impl Future<Output = AttemptEnd>,
        mut reports: watch::Receiver<Option<Progress>>,
        stop: &CancellationToken,
        stages: &Stages,
    ) -> (Option<AttemptEnd>, Option<Stop>) {
        let mut work = pin!(work);
        let beat = self.ports.settings.lease / 3;
        let begun = Instant::now();
        let begun_at = self.ports.shared.host.now();
        let mut deadline = begun + self.deadline.since(begun_at);
        let last_moment = begun + self.last_moment.since(begun_at);
        let mut next_beat = begun + beat;
        let mut progress_from = begun;
        let mut stopped: Option<(Stop, Instant)> = None;
        loop {
            let until = stopped.map_or(deadline, |(_, end_of_grace)| end_of_grace);
            let mut halt = None;
            let sign_of_life = tokio::select! {
                biased;
                end = &mut work => return (Some(end), stopped.map(|(why, _)| why)),
                () = sleep_until(until) => match stopped {
                    Some((why, _)) => return (None, Some(why)),
                    // Time spent on storing the result does not count as the handler's.
                    None if stages.is_storing() && deadline < last_moment => {
                        deadline = (Instant::now() + WHILE_STORING).min(last_moment);
                        None
                    }
                    None => {
                        halt = Some(Stop::Deadline);
                        None
                    }
                },
                () = sleep_until(next_beat) => Some(None),
                () = changed(&mut reports, progress_from) => Some(reports.borrow_and_update().clone()),
            };
            if let Some(progress) = sign_of_life {
                next_beat = Instant::now() + beat;
                if progress.is_some() {
                    progress_from = Instant::now() + PROGRESS_INTERVAL;
                }
                // Stop waiting when something else is due: a slow table must not delay a timeout.
                let due = next_beat.min(until);
                halt = self.renew_until(due, progress, begun_at, stages).await;
            }
            // The first reason counts, except that any other reason replaces the client's cancellation.
            if let Some(why) = halt
                && stopped.is_none_or(|(first, _)| first == Stop::Client && why != Stop::Client)
            {
                tracing::info!(reason = ?why, "notified the handler to stop");
                stop.cancel();
                stopped = Some((why, Instant::now() + self.ports.settings.grace));
            }
        }
    }

    /// Renews the lease. Gives the call no more time than until `due`.
    async fn renew_until(
        &mut self,
        due: Instant,
        progress: Option<Progress>,
        begun_at: Timestamp,
        stages: &Stages,
    ) -> Option<Stop> {
        timeout_at(due, self.renew(progress, begun_at, stages))
            .await
            .unwrap_or_else(|_| {
                tracing::warn!("the lease was not renewed in time");
                None
            })
    }

    /// Extends the lease and the message's visibility timeout, and records progress. Returns a reason to stop, if there
    /// is one.
    async fn renew(
        &mut self,
        progress: Option<Progress>,
        begun_at: Timestamp,
        stages: &Stages,
    ) -> Option<Stop> {
        let now = self.ports.shared.host.now();
        let report = progress.map(|progress| progress_report(progress, begun_at, now));
        let mut transition = Transition::renew(self.token, self.ports.settings.lease, report, now);
        // Recorded once: as the first step after that of the claim.
        if stages.is_waiting()
            && self
                .job
                .history
                .last()
                .is_some_and(|step| step.event == Event::Claim)
        {
            transition = transition.waiting(&Failure::unavailable(
                "the result could not be stored; retrying",
            ));
        }
        match self
            .ports
            .shared
            .store
            .change(&self.job.key(), &transition)
            .await
        {
            Ok(Change::Made(job)) => {
                self.job = *job;
                self.hide_on().await;
                (self.job.status == Status::Cancelling).then_some(Stop::Client)
            }
            Ok(Change::Refused(_)) => {
                tracing::warn!("lost the lease: the outcome of this attempt will be discarded");
                Some(Stop::LeaseLost)
            }
            Err(error) => {
                // The next heartbeat retries, before the lease expires. The message must stay hidden until then,
                // because the queue counts every receipt.
                tracing::warn!(%error, "failed to renew the lease");
                self.hide_on().await;
                None
            }
        }
    }

    async fn hide_on(&self) {
        if let Err(error) = self
            .ports
            .queue
            .hide(self.receipt, self.ports.settings.lease)
            .await
        {
            // In the worst case the message becomes visible early, and its receiver finds the lease alive.
            tracing::warn!(%error, "failed to keep the message hidden");
        }
    }
}

/// Resolves when there is progress to record, but not before `from`. Never resolves after the handler is gone.
async fn changed(reports: &mut watch::Receiver<Option<Progress>>, from: Instant) {
    if reports.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    reports.mark_changed();
    sleep_until(from).await;
}
