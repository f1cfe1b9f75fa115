//! Who acts: clients that submit, poll, cancel, give up and come back; workers; and the functions that end what nobody ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::delivery::{Delivery, Disposition};
use cloakroom_app::envelope::RequestTrace;
use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::UploadTerms;
use cloakroom_app::submit::{Body, Submission, SubmitError};
use cloakroom_app::sweep::Rounds;
use cloakroom_app::work::{Handlers, WorkerSettings};
use cloakroom_app::{
    Admission, Command, DeadLetters, HandlerError, Host as _, JobContext, Jobs, Output, Redrive,
    Registry, Shared, Submit, Sweeper, Uploads, Worker,
};
use cloakroom_core::transition::Event;
use cloakroom_core::{
    ClientJobId, Job, JobId, JobKey, Namespace, ResultRef, RetryPolicy, Status, Tenant, UploadId,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use crate::Mutation;
use crate::invariant::{ATTEMPTS, Life, SOON, SOON_ENOUGH, result_of};
use crate::plan::Dice;
use crate::port::{Process, ProcessQueue, short};
use crate::world::{Lane, VISIBILITY, World};

/// How long a worker's function may run.
const FUNCTION: Duration = Duration::from_secs(30);

/// Time limit of an attempt: long enough for a lease to be lost and noticed.
const TIMEOUT: Duration = Duration::from_secs(24);

/// How long a lease lasts.
const LEASE: Duration = Duration::from_secs(9);

/// Twice the shortest that a command can be kept: the sweeper has time for several looks after it waited for an outage.
const RETENTION: Duration = Duration::from_secs(7200);

/// So small that some messages are claim checks.
const INLINE_LIMIT: usize = 700;

/// A payload: what is asked for, and something that makes it large.
#[derive(Debug, Deserialize, JsonSchema)]
struct Act {
    n: u64,
    #[serde(default)]
    #[expect(dead_code, reason = "it makes the payload large")]
    fill: String,
}

/// The commands, whose handler does what the plan says of each attempt.
fn registry(process: &Arc<Process>) -> Registry {
    Registry::new(vec![
        command(process, "act"),
        command(process, SOON).start_within(SOON_ENOUGH),
    ])
}

fn command(process: &Arc<Process>, name: &'static str) -> Command {
    let process = Arc::clone(process);
    let retry = RetryPolicy {
        max_attempts: ATTEMPTS,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(5),
    };
    Command::json(name, move |act: Act, job| {
        handle(Arc::clone(&process), act, job)
    })
    .attempts(retry.max_attempts)
    .backoff(retry.base, retry.cap)
    .timeout(TIMEOUT)
    .retention(RETENTION)
}

async fn handle(process: Arc<Process>, act: Act, job: JobContext) -> Result<Output, HandlerError> {
    let world = Arc::clone(&process.world);
    let key = JobKey {
        tenant: job.tenant().clone(),
        id: job.id(),
    };
    let life = (key, job.created_at());
    world.state().watch.handler(&life, job.attempt(), act.n);
    world.tell(|| {
        format!(
            "handler of {}: attempt {} begins",
            short(job.id()),
            job.attempt()
        )
    });
    let mut dice = dice_of(world.plan.seed, job.id(), job.attempt());
    let time = dice.millis(0, 4000);
    let _runs = Runs::begin(&process, life, job.attempt());
    if world.plan.poisons(job.id()) {
        sleep(time).await;
        world.tell(|| format!("handler of {}: kills its process", short(job.id())));
        process.die();
        std::future::pending::<()>().await;
    }
    // Some jobs have a large result, whichever attempt makes it.
    let large = job.id().as_uuid().as_u128().is_multiple_of(4);
    match dice.below(20) {
        0..9 => sleep(time).await,
        9 => return Err(HandlerError::retryable("not now")),
        10 => return Err(HandlerError::terminal("never")),
        11 => std::panic::resume_unwind(Box::new("a handler's panic, of which no hook is told")),
        // Longer than its time, listening or not.
        12 | 13 => tokio::select! {
            biased;
            () = job.cancelled() => return Err(HandlerError::cancelled()),
            () = sleep(time * 20) => {}
        },
        14 => sleep(time * 20).await,
        15 => {
            for percent in [20.0, 40.0, 60.0, 80.0] {
                sleep(time).await;
                job.progress(percent, "");
            }
        }
        _ => sleep(time * 3).await,
    }
    let mut result = result_of(job.attempt()).into_bytes();
    if large {
        result.resize(33_000, b'.');
    }
    Ok(Output::bytes("text/plain", result))
}

/// A handler while it runs in its process.
struct Runs {
    process: Arc<Process>,
    attempt: (Life, u32),
}

impl Runs {
    fn begin(process: &Arc<Process>, life: Life, attempt: u32) -> Self {
        process
            .world
            .state()
            .runs(process.life, &(life.clone(), attempt));
        Self {
            process: Arc::clone(process),
            attempt: (life, attempt),
        }
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        let now = self.process.world.now();
        self.process
            .world
            .state()
            .watch
            .ran_out(self.process.life, &self.attempt, now);
    }
}

fn dice_of(seed: u64, job: JobId, attempt: u32) -> Dice {
    let drawn = job.as_uuid().as_u128() ^ u128::from(attempt);
    Dice::new(seed, u64::try_from(drawn % 0xffff_ffff).unwrap_or(0))
}

/// Reports whether the handler of a job may fail it: it says so, or no attempt is sure to end in time.
pub(crate) fn may_fail(seed: u64, job: JobId) -> bool {
    for attempt in 1..=ATTEMPTS {
        let mut dice = dice_of(seed, job, attempt);
        let time = dice.millis(0, 4000);
        let takes = match dice.below(20) {
            0..9 => time,
            9 | 11 => continue,
            10 => return true,
            12..15 => time * 20,
            15 => time * 4,
            _ => time * 3,
        };
        if takes < TIMEOUT.saturating_sub(Duration::from_millis(500)) {
            return false;
        }
    }
    true
}

fn submit(process: &Arc<Process>) -> Submit {
    Submit {
        shared: shared(process),
        queue: Arc::new(ProcessQueue(process.clone(), Lane::Commands)),
        objects: process.clone(),
        parts: process.clone(),
        commands: registry(process),
        namespace: namespace(),
        inline_limit: INLINE_LIMIT,
    }
}

fn jobs(process: &Arc<Process>) -> Jobs {
    Jobs {
        shared: shared(process),
        objects: process.clone(),
        namespace: namespace(),
    }
}

fn shared(process: &Arc<Process>) -> Shared {
    Shared {
        store: process.clone(),
        host: process.clone(),
        meter: Arc::new(LogMeter),
    }
}

fn namespace() -> Namespace {
    Namespace::from_uuid(uuid::Uuid::from_u128(7))
}

/// A worker, over all its lives.
pub(crate) async fn worker(world: Arc<World>, name: String) {
    let early = world.plan.mutation == Some(Mutation::AckBeforeFinish);
    let hasty = world.plan.mutation == Some(Mutation::AckARetry);
    for life in 0.. {
        let process = Process::start(&world, name.clone(), life);
        let worker = Worker {
            shared: shared(&process),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::Commands)),
            objects: process.clone(),
            commands: Handlers::new(registry(&process)),
            settings: WorkerSettings {
                lease: LEASE,
                ..WorkerSettings::default()
            },
            admission: Admission::unlimited(),
            intake: None,
        };
        let work = async {
            loop {
                let batch = world.receive(Lane::Commands, 3, VISIBILITY).await;
                let ends_at = process.now().after(FUNCTION);
                for delivery in batch.iter().filter(|_| early) {
                    process.delete(Lane::Commands, &delivery.receipt).await;
                }
                // What runs on at the function's end is ended with its process.
                let Ok(dispositions) =
                    timeout(FUNCTION, worker.handle_batch(&batch, ends_at)).await
                else {
                    return;
                };
                for (delivery, disposition) in batch.iter().zip(dispositions) {
                    if disposition == Disposition::Done || hasty {
                        process.delete(Lane::Commands, &delivery.receipt).await;
                    }
                }
            }
        };
        process.live(work).await;
        process.die();
        world.tell(|| format!("{name} died"));
        sleep(Duration::from_secs(2)).await;
    }
}

/// Deletes those of a batch that are done, as Lambda's event source mapping does.
async fn delete_done(
    process: &Process,
    lane: Lane,
    batch: &[Delivery],
    dispositions: &[Disposition],
) {
    for (delivery, _) in batch
        .iter()
        .zip(dispositions)
        .filter(|(_, end)| **end == Disposition::Done)
    {
        process.delete(lane, &delivery.receipt).await;
    }
}

/// The function behind the dead letters, over all its lives.
pub(crate) async fn dead_letters(world: Arc<World>) {
    for life in 0.. {
        let process = Process::start(&world, "dead-letters", life);
        let dead_letters = DeadLetters {
            shared: shared(&process),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::DeadLetters)),
            dead_letters: process.clone(),
        };
        let work = async {
            loop {
                let batch = world.receive(Lane::DeadLetters, 10, VISIBILITY).await;
                let dispositions = dead_letters.handle_batch(&batch).await;
                delete_done(&process, Lane::DeadLetters, &batch, &dispositions).await;
            }
        };
        process.live(work).await;
        sleep(Duration::from_secs(5)).await;
    }
}

/// The sweeper's function, over all its lives: told by the table's stream, and by its own lists.
pub(crate) async fn sweeper(world: Arc<World>) {
    for life in 0.. {
        let process = Process::start(&world, "sweeper", life);
        let lists = Arc::new(ProcessQueue(process.clone(), Lane::Lists));
        let sweeper = Sweeper {
            shared: shared(&process),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::Commands)),
        };
        let rounds = Rounds { sweeper, lists };
        let stream = async {
            loop {
                sleep(Duration::from_secs(60)).await;
                let accepted: Vec<_> = world.state().stream.iter().cloned().collect();
                // A batch that failed comes again.
                if !accepted.is_empty() && rounds.begin(&accepted).await.is_ok() {
                    world.state().stream.drain(..accepted.len());
                }
            }
        };
        let again = async {
            loop {
                let batch = world
                    .receive(Lane::Lists, 1, Duration::from_secs(360))
                    .await;
                let dispositions = rounds.resume(&batch).await;
                delete_done(&process, Lane::Lists, &batch, &dispositions).await;
            }
        };
        process.live(async { tokio::join!(stream, again) }).await;
        sleep(Duration::from_secs(5)).await;
    }
}

/// Somebody who sends dead letters back to work while there is trouble.
pub(crate) async fn redriver(world: Arc<World>) {
    let mut dice = Dice::new(world.plan.seed, 8);
    for life in 0.. {
        sleep(dice.millis(60_000, 1_800_000)).await;
        if world.rate() == 0 {
            return;
        }
        let process = Process::start(&world, "redrive", life);
        let redrive = Redrive {
            shared: shared(&process),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::Commands)),
            dead_letters: process.clone(),
        };
        let work = async {
            for letter in redrive.list(None, None).await.unwrap_or_default() {
                if dice.chance(500) && redrive.send(&letter).await.is_err() {
                    return;
                }
            }
        };
        process.live(work).await;
    }
}

/// Somebody who purges the queue, in some runs.
pub(crate) async fn purger(world: Arc<World>) {
    let mut dice = Dice::new(world.plan.seed, 6);
    let trouble = u64::try_from(world.plan.trouble().as_millis()).unwrap_or(0);
    while world.plan.rate() > 0 && dice.chance(200) {
        sleep(dice.millis(0, trouble)).await;
        if world.rate() == 0 {
            return;
        }
        world.tell(|| "an operator purges the queue".to_owned());
        world.state().purge(Lane::Commands);
    }
}

/// What table and bucket delete by themselves.
pub(crate) async fn expiry(world: Arc<World>) {
    let life = registry(&Process::start(&world, "expiry", 0)).objects_life();
    loop {
        sleep(Duration::from_secs(600)).await;
        world.delete_expired(life);
    }
}

/// A client: some commands, one after the other.
pub(crate) async fn client(world: Arc<World>, n: u64) {
    let mut dice = Dice::new(world.plan.seed, 50 + n);
    let tenant: Tenant = ["default", "other"][usize::from(dice.chance(300))]
        .parse()
        .expect("a name");
    sleep(dice.millis(0, 20_000)).await;
    let late = world.plan.late();
    let mut last_upload = None;
    for nth in 0..=dice.below(3) {
        // A few keys, so that clients meet on them.
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
        };
        if let Some(ticket) = submitted(&world, n, nth, &submission, &mut dice, asked).await {
            follow(&world, n, &ticket, &mut dice).await;
        }
        // Until the same key may be another job's, now and then.
        sleep(if late || dice.chance(150) {
            dice.millis(7_200_000, 10_100_000)
        } else {
            dice.millis(0, 300_000)
        })
        .await;
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

/// Submits until there is an answer, or the client gives up.
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
            // Of another command under the same key.
            Some(Err(_)) => return None,
        }
        if dice.chance(200) {
            return None;
        }
        sleep(dice.millis(500, 30_000)).await;
    }
    None
}

/// A ticket for what was perhaps never recorded.
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
    };
    Job::accept(new, world.now())
}

/// Polls now and then, perhaps cancels, and looks for the result.
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
            // Judged at the time of its answer: the second poll may take seconds, and a redrive may come between.
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

/// What a finished job refers to is there, and is its own.
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
            .or_else(|| state.objects.get(&crate::port::without_token(key)));
        if found.is_none_or(|object| object.digest() != sha256) {
            state.watch.missing(job, "result of its own");
        }
    }
    // What an operator sends back late may be older than its payload's life.
    let redriven = job.history.iter().any(|step| step.event == Event::Redrive);
    let lost = job
        .failure
        .as_ref()
        .is_some_and(|failure| failure.code.starts_with("payload-"));
    if job.status == Status::Failed && lost && !redriven {
        state.watch.missing(job, "payload");
    }
}
