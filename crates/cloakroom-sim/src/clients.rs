//! Simulated clients, which submit, poll, cancel, abandon requests and return.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::envelope::RequestTrace;
use cloakroom_app::ports::UploadTerms;
use cloakroom_app::submit::{Body, Submission, SubmitError};
use cloakroom_app::{Jobs, Submit, Uploads};
use cloakroom_core::transition::Event;
use cloakroom_core::{
    ClientJobId, EventContext, EventScope, Job, JobId, JobKey, Namespace, ResultRef, Status,
    Tenant, UploadId, WebhookListener,
};
use tokio::time::sleep;

use crate::Mutation;
use crate::handler::{RETENTION, registry};
use crate::invariant::SOON;
use crate::names::{short, without_token};
use crate::plan::Dice;
use crate::port::{Process, ProcessQueue, shared};
use crate::world::{Lane, World};

/// Small enough for some messages to be claim checks.
const INLINE_LIMIT: usize = 700;

fn submit(process: &Arc<Process>) -> Submit {
    Submit {
        shared: shared(process),
        queue: Arc::new(ProcessQueue(process.clone(), Lane::Commands)),
        objects: process.clone(),
        parts: process.clone(),
        commands: registry(process),
        namespace: namespace(),
        inline_limit: INLINE_LIMIT,
        listeners: cloakroom_app::Listeners::default(),
    }
}

fn jobs(process: &Arc<Process>) -> Jobs {
    Jobs {
        publisher: None,
        links: None,
        shared: shared(process),
        objects: process.clone(),
        namespace: namespace(),
    }
}

fn namespace() -> Namespace {
    Namespace::from_uuid(uuid::Uuid::from_u128(7))
}

/// Runs a client, which submits several commands in sequence.
pub(crate) async fn client(world: Arc<World>, n: u64) {
    let mut dice = Dice::new(world.plan.seed, 50 + n);
    let tenant: Tenant = ["default", "other"][usize::from(dice.chance(300))]
        .parse()
        .expect("a name");
    sleep(dice.millis(0, 20_000)).await;
    let late = world.plan.late();
    let mut last_upload = None;
    for nth in 0..=dice.below(3) {
        // Few keys, so that clients use the same ones.
        let keys = if late { 1 } else { 2 };
        let key: Option<ClientJobId> = (late || dice.chance(800))
            .then(|| format!("k{}", dice.below(keys)).parse().expect("a key"));
        let mut asked = if late || dice.chance(850) { 1 } else { 2 };
        let fill = if dice.chance(300) {
            "x".repeat(INLINE_LIMIT)
        } else {
            String::new()
        };
        let bytes = Bytes::from(format!("{{\"n\":{asked},\"fill\":{fill:?}}}"));
        let body = if dice.chance(150) {
            let again = last_upload.filter(|_| dice.chance(500));
            last_upload = match again {
                Some(upload) => Some(upload),
                None => uploaded(&world, n, nth, &tenant, &bytes)
                    .await
                    .map(|id| (id, asked)),
            };
            let Some((id, of_it)) = last_upload else {
                continue;
            };
            asked = of_it;
            Body::Uploaded(id)
        } else {
            Body::Sent {
                content_type: None,
                bytes,
            }
        };
        let submission = Submission {
            tenant: tenant.clone(),
            command: if dice.chance(200) { SOON } else { "act" }
                .parse()
                .expect("a name"),
            client_job_id: key,
            body,
            query: String::new(),
            not_before: dice.chance(100).then(|| {
                world
                    .now()
                    .after(Duration::from_secs(dice.clone().below(2000)))
            }),
            trace: RequestTrace::default(),
            events: world.plan.listens().then(|| Box::new(webhook(nth))),
        };
        if let Some(ticket) = submitted(&world, n, nth, &submission, &mut dice, asked).await {
            follow(&world, n, &ticket, &mut dice).await;
        }
        // Sometimes long enough for the same key to belong to another job.
        sleep(if late || dice.chance(150) {
            dice.millis(7_200_000, 10_100_000)
        } else {
            dice.millis(0, 300_000)
        })
        .await;
    }
}

/// Returns the listeners of a job: a webhook, of all changes or of the end alone.
fn webhook(nth: u64) -> EventContext {
    EventContext {
        webhook: Some(WebhookListener {
            url: "https://hooks.example/".to_owned(),
            scope: if nth.is_multiple_of(2) {
                EventScope::All
            } else {
                EventScope::Terminal
            },
        }),
        ..EventContext::default()
    }
}

/// Uploads a payload.
async fn uploaded(
    world: &Arc<World>,
    n: u64,
    nth: u64,
    tenant: &Tenant,
    bytes: &Bytes,
) -> Option<UploadId> {
    let process = Process::start(world, format!("uploads of client {n}"), nth);
    let uploads = Uploads {
        shared: shared(&process),
        objects: process.clone(),
        parts: process.clone(),
    };
    let terms = UploadTerms {
        content_type: "application/json".to_owned(),
        length: bytes.len() as u64,
        sha256: None,
    };
    let ready = process.live(uploads.start(tenant, &terms)).await?.ok()?;
    world
        .state()
        .put(ready.link.url, bytes.clone(), world.now());
    Some(ready.id)
}

/// Submits until there is a response, or until the client abandons the request.
async fn submitted(
    world: &Arc<World>,
    n: u64,
    nth: u64,
    submission: &Submission,
    dice: &mut Dice,
    asked: u64,
) -> Option<Job> {
    for attempt in 0..6 {
        let process = Process::start(world, format!("submit of client {n}"), nth * 10 + attempt);
        let submit = submit(&process);
        if world.plan.mutation == Some(Mutation::AnswerBeforeTheRecord) {
            let id = submission
                .client_job_id
                .as_ref()
                .map(|key| namespace().job_id(&submission.tenant, key));
            let ticket = id.map(|id| promised(submission, id, world));
            process.live(submit.submit(submission.clone())).await;
            if let Some(ticket) = &ticket {
                world.state().watch.answered(ticket, asked, world.now());
            }
            return ticket;
        }
        let asked_at = world.now();
        match process.live(submit.submit(submission.clone())).await {
            Some(Ok(submitted)) => {
                world.tell(|| format!("client {n} has a ticket for {}", short(submitted.job.id)));
                world
                    .state()
                    .watch
                    .answered(&submitted.job, asked, asked_at);
                return Some(submitted.job);
            }
            Some(Err(SubmitError::Unavailable(_))) | None => {}
            // The key belongs to another command.
            Some(Err(_)) => return None,
        }
        if dice.chance(200) {
            return None;
        }
        sleep(dice.millis(500, 30_000)).await;
    }
    None
}

/// Returns a ticket for a job that may never have been recorded.
fn promised(submission: &Submission, id: JobId, world: &World) -> Job {
    let new = cloakroom_core::NewJob {
        tenant: submission.tenant.clone(),
        id,
        client_job_id: submission.client_job_id.clone(),
        command: submission.command.clone(),
        fingerprint: cloakroom_core::Fingerprint::from_digest(
            cloakroom_core::Digest::from_content(b""),
        ),
        retention: RETENTION,
        not_before: None,
        events: None,
    };
    Job::accept(new, world.now())
}

/// Polls occasionally, may cancel, and fetches the result.
async fn follow(world: &Arc<World>, n: u64, ticket: &Job, dice: &mut Dice) {
    let cancel = dice.chance(200).then(|| dice.below(4));
    let mut last = ticket.clone();
    for poll in 0..dice.below(8) {
        sleep(if dice.chance(700) {
            dice.millis(100, 10_000)
        } else {
            dice.millis(10_000, 900_000)
        })
        .await;
        let process = Process::start(world, format!("status of client {n}"), poll);
        let jobs = jobs(&process);
        if cancel == Some(poll) {
            process.live(jobs.cancel(&ticket.key())).await;
            continue;
        }
        let foreign = JobKey {
            tenant: "third".parse().expect("a name"),
            id: ticket.id,
        };
        let asked = async {
            let found = jobs.get(&ticket.key()).await;
            // Judged at the time of the response: the second poll may take seconds, and a redrive may happen in
            // between.
            if let Ok(found) = &found {
                world
                    .state()
                    .watch
                    .polled(n, &last, found.as_ref(), world.now());
            }
            (found, jobs.get(&foreign).await)
        };
        let Some((found, foreign)) = process.live(asked).await else {
            continue;
        };
        if let Ok(Some(job)) = foreign {
            world.state().watch.foreign(&job);
        }
        let Ok(found) = found else { continue };
        let Some(job) = found else { return };
        check_objects(world, &job);
        last = job;
    }
}

/// Checks that the objects of a finished job exist, and belong to it.
pub(crate) fn check_objects(world: &World, job: &Job) {
    let now = world.now();
    let mut state = world.state();
    if !job.is_alive(now) {
        return;
    }
    if let Some(ResultRef::Stored { key, sha256, .. }) = job
        .success
        .as_ref()
        .and_then(|success| success.result.as_ref())
    {
        let found = state
            .objects
            .get(key)
            .or_else(|| state.objects.get(&without_token(key)));
        if found.is_none_or(|object| object.digest() != sha256) {
            state.watch.missing(job, "result of its own");
        }
    }
    // After a late redrive, the payload may have expired.
    let redriven = job.history.iter().any(|step| step.event == Event::Redrive);
    let lost = job
        .failure
        .as_ref()
        .is_some_and(|failure| failure.code.starts_with("payload-"));
    if job.status == Status::Failed && lost && !redriven {
        state.watch.missing(job, "payload");
    }
}
