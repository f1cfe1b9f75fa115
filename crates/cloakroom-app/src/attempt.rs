//! One attempt: the handler runs in a task of its own, while its supervisor keeps the lease alive, writes its
//! progress, and stops it when the client, the clock or a lost lease says so.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom::transition::progress_report;
use cloakroom::{AttemptEnd, Failure, Job, LeaseToken, Progress, Status, Success, Timestamp, Transition};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::command::Command;
use crate::context::{Inner, JobContext};
use crate::envelope::Envelope;
use crate::handler::{HandlerError, Output};
use crate::ports::{Change, keys};
use crate::work::{Delivery, Worker};

/// The least time between two writes of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// An attempt that its worker holds the lease of.
pub(crate) struct Attempt<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) delivery: &'a Delivery,
    pub(crate) envelope: &'a Envelope,
    pub(crate) command: &'a Command,
    pub(crate) token: LeaseToken,
    /// The record as last seen.
    pub(crate) job: Job,
    /// When it is stopped at the latest.
    pub(crate) deadline: Timestamp,
}

/// Why a handler was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Client,
    Deadline,
    LeaseLost,
}

impl Attempt<'_> {
    /// Runs the handler to an end of the attempt; `None` when the lease was lost, and the outcome is no longer ours to write.
    pub(crate) async fn run(&mut self) -> Option<AttemptEnd> {
        let payload = match self.payload().await {
            Ok(payload) => payload,
            Err(end) => return Some(end),
        };
        let (progress, reports) = watch::channel(None);
        let stop = CancellationToken::new();
        let context = JobContext::new(Inner {
            id: self.job.id,
            tenant: self.job.tenant.clone(),
            command: self.job.command.clone(),
            attempt: self.job.attempt,
            created_at: self.job.created_at,
            deadline: self.deadline,
            content_type: self.envelope.content_type.clone(),
            traceparent: self.envelope.traceparent.clone(),
            host: Arc::clone(&self.worker.host),
            progress,
            stop: stop.clone(),
        });
        // A task of its own: a handler that computes without waiting must not keep the heartbeat from beating.
        let handler = AbortOnDropHandle::new(tokio::spawn(
            self.command.run(&self.envelope.query, payload, context).in_current_span(),
        ));
        let (ended, stopped) = self.supervise(handler, reports, &stop).await;
        if stopped == Some(Stop::LeaseLost) {
            return None;
        }
        Some(match ended {
            Some(Ok(Ok(output))) => self.keep(output).await,
            Some(Ok(Err(error))) => self.failed(error, stopped),
            Some(Err(panic)) => {
                // The panic hook logged it, with its place.
                tracing::warn!(panicked = panic.is_panic(), "the handler's task died");
                AttemptEnd::Retryable { failure: Failure::new("the handler panicked"), after: None }
            }
            None if stopped == Some(Stop::Client) => AttemptEnd::Cancelled,
            None => timed_out(),
        })
    }

    async fn payload(&self) -> Result<Bytes, AttemptEnd> {
        let retryable = |detail: &str| AttemptEnd::Retryable { failure: Failure::new(detail), after: None };
        let corrupted = |detail: &str| AttemptEnd::Terminal(Failure::new(detail).with_code("payload-corrupted"));
        let bytes = match &self.envelope.payload {
            crate::envelope::Carried::Stored(key) => match self.worker.objects.get(key).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => {
                    return Err(AttemptEnd::Terminal(
                        Failure::new("the payload is gone; submit it again under a new key").with_code("payload-lost"),
                    ));
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to fetch the payload");
                    return Err(retryable("the payload could not be fetched"));
                }
            },
            carried => match carried.bytes() {
                Some(Ok(bytes)) => bytes,
                _ => return Err(corrupted("the payload can't be read; submit it again under a new key")),
            },
        };
        if self.envelope.is_payload(&bytes) {
            Ok(bytes)
        } else {
            tracing::error!("the payload is not what was accepted");
            Err(corrupted("the payload is not what was accepted; submit it again under a new key"))
        }
    }

    /// Waits for the handler; `None` when it did not end in its grace after it was told to stop.
    async fn supervise(
        &mut self,
        mut handler: AbortOnDropHandle<Result<Output, HandlerError>>,
        mut reports: watch::Receiver<Option<Progress>>,
        stop: &CancellationToken,
    ) -> (Option<Result<Result<Output, HandlerError>, tokio::task::JoinError>>, Option<Stop>) {
        let settings = &self.worker.settings;
        let beat = settings.lease / 3;
        let begun = Instant::now();
        let begun_at = self.worker.host.now();
        let deadline = begun + self.deadline.since(begun_at);
        let mut next_beat = begun + beat;
        let mut progress_from = begun;
        let mut stopped: Option<(Stop, Instant)> = None;
        loop {
            let end_of_grace = stopped.map_or(deadline, |(_, until)| until);
            let mut halt = None;
            let report = tokio::select! {
                biased;
                ended = &mut handler => return (Some(ended), stopped.map(|(why, _)| why)),
                () = sleep_until(end_of_grace) => match stopped {
                    Some((why, _)) => return (None, Some(why)),
                    None => {
                        halt = Some(Stop::Deadline);
                        None
                    }
                },
                () = sleep_until(next_beat) => Some(None),
                () = changed(&mut reports, progress_from) => Some(reports.borrow_and_update().clone()),
            };
            if let Some(progress) = report {
                next_beat = Instant::now() + beat;
                if progress.is_some() {
                    progress_from = Instant::now() + PROGRESS_INTERVAL;
                }
                halt = self.renew(progress, begun_at).await;
            }
            // The first reason counts, but that the client's wish gives way to one that can't wait.
            if let Some(why) = halt
                && stopped.is_none_or(|(first, _)| first == Stop::Client && why != Stop::Client)
            {
                tracing::info!(reason = ?why, "told the handler to stop");
                stop.cancel();
                stopped = Some((why, Instant::now() + settings.grace));
            }
        }
    }

    /// Extends the lease and the message's invisibility, and writes progress. Says why to stop, if there is a reason.
    async fn renew(&mut self, progress: Option<Progress>, begun_at: Timestamp) -> Option<Stop> {
        let (worker, now) = (self.worker, self.worker.host.now());
        let report = progress.map(|progress| progress_report(progress, begun_at, now));
        let transition = Transition::renew(self.token, worker.settings.lease, report, now);
        match worker.store.change(&self.job.key(), &transition).await {
            Ok(Change::Made(job)) => {
                self.job = *job;
                if let Err(error) = worker.queue.hide(&self.delivery.receipt, worker.settings.lease).await {
                    // At worst the message comes back early and finds the lease alive.
                    tracing::warn!(%error, "failed to hide the message on");
                }
                (self.job.status == Status::Cancelling).then_some(Stop::Client)
            }
            Ok(Change::Refused(_)) => {
                tracing::warn!("lost the lease: the outcome of this attempt will not count");
                Some(Stop::LeaseLost)
            }
            Err(error) => {
                // The next beat tries again; there is time for one before the lease is over.
                tracing::warn!(%error, "failed to renew the lease");
                None
            }
        }
    }

    /// Puts the result where it is kept: in the record, or, when it is large, in object storage before the record names it.
    async fn keep(&self, output: Output) -> AttemptEnd {
        let Output { result, resource } = output;
        let result = match result {
            None => None,
            Some((content_type, bytes)) if bytes.len() <= cloakroom::outcome::INLINE_RESULT_LIMIT => {
                Some(cloakroom::ResultRef::Inline { content_type, bytes: bytes.to_vec() })
            }
            Some((content_type, bytes)) => {
                let key = keys::result(&self.job.key(), self.token);
                let (length, sha256) = (bytes.len() as u64, cloakroom::Digest::of(&bytes));
                if let Err(error) = self.worker.objects.put(&key, &content_type, bytes).await {
                    tracing::warn!(%error, "failed to store the result");
                    return AttemptEnd::Retryable {
                        failure: Failure::new("the result could not be stored"),
                        after: None,
                    };
                }
                Some(cloakroom::ResultRef::Stored { content_type, key, length, sha256 })
            }
        };
        AttemptEnd::Done(Success { result, resource })
    }

    fn failed(&self, error: HandlerError, stopped: Option<Stop>) -> AttemptEnd {
        tracing::warn!(?error, attempt = self.job.attempt, "the handler failed");
        match (error.into_end(), stopped) {
            (AttemptEnd::Cancelled, Some(Stop::Deadline)) => timed_out(),
            (end, _) => end,
        }
    }
}

fn timed_out() -> AttemptEnd {
    AttemptEnd::Retryable {
        failure: Failure::new("the attempt ran out of time").with_code("attempt-timed-out"),
        after: None,
    }
}

/// Resolves when there is progress to write, not before `from`; never, once the handler is gone.
async fn changed(reports: &mut watch::Receiver<Option<Progress>>, from: Instant) {
    if reports.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    reports.mark_changed();
    sleep_until(from).await;
}
