//! Clients with one job each. They submit, poll, cancel and fetch a result, and record the responses.

mod dealings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use cloakroom_client::{Client, Error, RetryPolicy};
use cloakroom_tests::audit::Story;
use cloakroom_tests::fresh_key;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::plan::Plan;

/// Counters shared by all clients.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    accepted: watch::Sender<u64>,
    submitted: watch::Sender<u64>,
    /// Responses with `Idempotent-Replayed`.
    pub(crate) replayed: AtomicU64,
    /// Repeated requests.
    pub(crate) again: AtomicU64,
    /// Abandoned submissions.
    pub(crate) given_up: AtomicU64,
    /// Responses to polls.
    pub(crate) polls: AtomicU64,
    /// Responses to cancellations.
    pub(crate) cancels: AtomicU64,
}

impl Counts {
    /// Returns the number of jobs with a 202 so far.
    pub(crate) fn accepted(&self) -> watch::Receiver<u64> {
        self.accepted.subscribe()
    }

    /// Waits until this many clients have completed their submissions.
    pub(crate) async fn submitted(&self, all: u64) {
        self.submitted
            .subscribe()
            .wait_for(|&now| now >= all)
            .await
            .expect("it is our own");
    }
}

/// Deployment that the clients use.
pub(crate) struct Site {
    pub(crate) client: Client,
    /// Client with a short timeout.
    hasty: Client,
    /// Client without retries.
    weak: Client,
    /// Prefix of this run's keys.
    run: String,
    /// Deadline for the end of all jobs, once it is known.
    deadline: watch::Receiver<Option<Instant>>,
    pub(crate) counts: Arc<Counts>,
}

impl Site {
    pub(crate) fn new(url: &str, deadline: watch::Receiver<Option<Instant>>) -> Self {
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let retry = RetryPolicy {
            max_attempts: 1000,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(3),
        };
        let client = Client::builder(url)
            .retry(retry)
            .retry_within(Duration::from_secs(600));
        let client = client
            .on_retry(move |_| _ = counted.again.fetch_add(1, Relaxed))
            .build()
            .expect("a client");
        let once = |timeout| {
            let client = Client::builder(url)
                .retry_within(Duration::ZERO)
                .timeout(timeout);
            client.build().expect("a client")
        };
        let (hasty, weak) = (
            once(Duration::from_millis(60)),
            once(Duration::from_secs(30)),
        );
        Self {
            client,
            hasty,
            weak,
            run: fresh_key("soak"),
            deadline,
            counts,
        }
    }

    /// Returns true if every job should have ended.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline
            .borrow()
            .is_some_and(|deadline| Instant::now() > deadline)
    }
}

/// Runs a client until its job has ended, or until the deadline. The story of an abandoned submission has no id.
pub(crate) async fn play(site: &Site, plan: Plan) -> Story {
    let mut story = Story {
        key: format!("{}-{}", site.run, plan.n),
        id: String::new(),
        wish: plan.wish.clone(),
        promised: false,
        cancelled: plan.cancels_after.is_some(),
        sights: vec![],
        wrongs: vec![],
    };
    let submitted = dealings::submit(site, &plan, &mut story).await;
    site.counts
        .submitted
        .send_modify(|submitted| *submitted += 1);
    let Some(submitted) = submitted else {
        site.counts.given_up.fetch_add(1, Relaxed);
        return story;
    };
    site.counts.accepted.send_modify(|accepted| *accepted += 1);
    story.promised = true;
    story.id.clone_from(&submitted.job.id);
    if plan.reuses_key {
        dealings::reuse_key(site, &mut story).await;
    }
    let (cancelled, ()) = tokio::join!(
        dealings::cancel(site, &plan, &submitted.location),
        dealings::follow(site, &plan, &submitted.location, &mut story)
    );
    match cancelled {
        Some(Ok(job)) => {
            site.counts.cancels.fetch_add(1, Relaxed);
            let last = story
                .sights
                .last()
                .map(|sight| (sight.job.status, sight.job.attempt));
            if job.status.is_terminal()
                && last.is_some_and(|last| last != (job.status, job.attempt))
            {
                story
                    .wrongs
                    .push(format!("was cancelled, and is not: {job:?}"));
            }
        }
        Some(Err(Error::Problem(problem))) if problem.code == "job-finished" => {}
        Some(Err(error)) => story
            .wrongs
            .push(format!("a client could not cancel it: failed to {error}")),
        None => {}
    }
    story
}
