//! The crash matrix: each call to AWS of a job's whole life fails once, or kills its caller, before its effect and after it; over
//! the real clients and adapters. However it was, the job ends as it must, and its outcome is recorded once.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::{Job, Namespace, ResultRef, Status, Tenant, Timestamp};
use cloakroom_app::envelope::{Carried, Envelope, Trace};
use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::{JobStore as _, Letters as _, keys};
use cloakroom_app::submit::{Body, Submission};
use cloakroom_app::testing::{Nothing, new_job};
use cloakroom_app::work::{Delivery, Disposition, WorkerSettings};
use cloakroom_app::{Command, Host, JobContext, Output};
use uuid::Uuid;

use super::*;
use crate::queue::Queues;
use crate::services::Fixture;
use crate::testing::{Spoil, Spoiler};

/// A clock that is set forward with the queue's.
#[derive(Default)]
struct Clock(AtomicI64);

impl Host for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemHost.now().as_millis() + self.0.load(Ordering::SeqCst))
    }

    fn random(&self) -> u128 {
        SystemHost.random()
    }
}

/// A deployment of which one call is spoilt.
struct Room {
    fixture: Fixture,
    clock: Arc<Clock>,
    spoiler: Spoiler,
    runs: Arc<AtomicUsize>,
    queues: Queues,
    submit: Submit,
    worker: Worker,
    dead_letters: DeadLetters,
    rounds: Rounds,
}

impl Room {
    async fn start(spoil: Spoil, n: usize) -> Self {
        let fixture = Fixture::start().await;
        let spoiler = Spoiler::new(spoil, n);
        let (plain, spoilt) = (fixture.clients.clone(), fixture.clients.clone().spoilt_by(&spoiler));
        let (table, bucket) = ("jobs".to_owned(), "cloakroom".to_owned());
        DynamoStore::new(&plain, &table).create_table().await.expect("make the table");
        S3Objects::new(&plain, &bucket).create_bucket().await.expect("make the bucket");
        let queues = SqsQueue::create(&plain, "commands", Duration::from_secs(30), 9).await.expect("make the queue");
        let lists = SqsQueue::create(&plain, "lists", Duration::from_secs(30), 9).await.expect("make the queue").queue;
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let echo = move |_: Nothing, bytes: Bytes, _: JobContext| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { Ok(Output::bytes("text/plain", bytes)) }
        };
        let commands = Registry::new(vec![Command::binary("echo", &["text/plain"], echo)]);
        let config = SubmitConfig {
            table: table.clone(),
            queue_url: queues.queue.url().to_owned(),
            bucket: bucket.clone(),
            namespace: Namespace::from_uuid(Uuid::nil()),
            inline_limit: 2000,
            schedule: None,
            diagnostics: false,
        };
        let clock = Arc::new(Clock::default());
        let mut submit = submit(&config, &spoilt, commands.clone(), Arc::new(LogMeter)).0;
        submit.host = clock.clone();
        let config = WorkerConfig {
            table: table.clone(),
            queue_url: queues.queue.url().to_owned(),
            bucket: bucket.clone(),
            settings: WorkerSettings::default(),
            diagnostics: false,
            producers: None,
        };
        let mut worker = worker(&config, &spoilt, commands, Arc::new(LogMeter));
        worker.host = clock.clone();
        let dead_letters_url = queues.dead_letters.url().to_owned();
        let config = DeadLettersConfig { table: table.clone(), bucket: bucket.clone(), dead_letters_url };
        let mut dead_letters = dead_letters(&config, &spoilt, Arc::new(LogMeter));
        dead_letters.host = clock.clone();
        let (queue_url, lists_url) = (queues.queue.url().to_owned(), lists.url().to_owned());
        let config = SweeperConfig { table, queue_url, lists_url };
        let mut rounds = rounds(&config, &spoilt, Arc::new(LogMeter));
        rounds.sweeper.host = clock.clone();
        Self { fixture, clock, spoiler, runs, queues, submit, worker, dead_letters, rounds }
    }

    fn later(&self, time: Duration) {
        self.fixture.later(time);
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).expect("not so late"), Ordering::SeqCst);
    }

    async fn load(&self, job: &Job) -> Job {
        let store = DynamoStore::new(&self.fixture.clients, "jobs");
        store.load(&job.key()).await.expect("read").expect("known")
    }

    /// A client that sends until it has an answer.
    async fn accepted(&self, payload: &Bytes) -> Job {
        let submission = Submission {
            tenant: Tenant::default(),
            command: "echo".parse().expect("a good name"),
            client_job_id: Some("k".parse().expect("a good key")),
            body: Body::Sent { content_type: Some("text/plain".into()), bytes: payload.clone() },
            query: String::new(),
            not_before: None,
            trace: Trace::default(),
        };
        for _ in 0..2 {
            let (submit, submission) = (self.submit.clone(), submission.clone());
            if let Ok(Ok(submitted)) = tokio::spawn(async move { submit.submit(submission).await }).await {
                return submitted.job;
            }
        }
        panic!("one call is spoilt, and no other")
    }

    /// Workers, one after the other, until the job is over.
    async fn worked(&self, job: &Job) -> Job {
        for _ in 0..6 {
            for delivery in self.queues.queue.receive(10, Duration::ZERO).await.expect("receive") {
                let (worker, given) = (self.worker.clone(), delivery.clone());
                let ends_at = self.clock.now().after(Duration::from_secs(900));
                let handled = tokio::spawn(async move { worker.handle(&given, ends_at).await }).await;
                if matches!(handled, Ok(Disposition::Done)) {
                    self.queues.queue.delete(&delivery.receipt).await.expect("delete");
                }
            }
            let found = self.load(job).await;
            if found.status.is_terminal() {
                return found;
            }
            self.later(Duration::from_secs(61));
        }
        panic!("it does not end: {:?}", self.load(job).await)
    }
}

/// A payload in the message with a result in the record; and both in object storage.
const SIZES: [usize; 2] = [10, 40_000];

#[tokio::test]
async fn whichever_call_of_a_jobs_life_is_spoilt_it_succeeds_and_its_outcome_is_recorded_once() {
    for size in SIZES {
        let payload = Bytes::from(vec![b'x'; size]);
        for spoil in Spoil::ALL {
            let mut n = 1;
            loop {
                let room = Room::start(spoil, n).await;
                let ticket = room.accepted(&payload).await;
                let over = room.worked(&ticket).await;
                let case = format!("{size} bytes, {spoil:?}, call {n}");
                assert_eq!(over.status, Status::Succeeded, "{case}");
                let runs = room.runs.load(Ordering::SeqCst);
                assert!((1..=2).contains(&runs) && over.attempt <= 2, "{case}: {runs} runs, attempt {}", over.attempt);
                let bytes = match over.success.as_ref().and_then(|success| success.result.clone()) {
                    Some(ResultRef::Inline { bytes, .. }) => bytes.into(),
                    Some(ResultRef::Stored { key, .. }) => {
                        let objects = S3Objects::new(&room.fixture.clients, "cloakroom");
                        objects.get(&key).await.expect("read").expect("a result")
                    }
                    None => Bytes::new(),
                };
                assert_eq!(bytes, payload, "{case}");
                // Whatever messages are left find it over.
                room.later(Duration::from_secs(61));
                assert_eq!(room.worked(&ticket).await, over, "{case}");
                if !room.spoiler.is_done() {
                    break;
                }
                n += 1;
            }
            assert!(n > SIZES.len() + 2, "{spoil:?}: only {n} calls were spoilt");
        }
    }
}

/// A job that was accepted, and that no message is on its way for.
async fn stranded(room: &Room) -> (Job, Delivery) {
    let mut job = new_job(room.clock.now(), 7);
    job.command = "echo".parse().expect("a good name");
    DynamoStore::new(&room.fixture.clients, "jobs").accept(&job).await.expect("recorded");
    let digest = cloakroom::Digest::of(b"x");
    let body = Envelope::new(&job, "text/plain", "", Carried::inline(b"x"), &digest, Trace::default()).write();
    (job, Delivery { message_id: "m-1".into(), receipt: "r".into(), body, receive_count: 1, produced: None })
}

#[tokio::test]
async fn whichever_call_about_a_dead_letter_is_spoilt_its_job_ends_and_it_is_kept() {
    for spoil in Spoil::ALL {
        for n in 1.. {
            let room = Room::start(spoil, n).await;
            let (job, letter) = stranded(&room).await;
            let mut looks = 0;
            loop {
                let (dead_letters, given) = (room.dead_letters.clone(), letter.clone());
                let handled = tokio::spawn(async move { dead_letters.handle(&given).await }).await;
                looks += 1;
                if matches!(handled, Ok(Disposition::Done)) {
                    break;
                }
                assert!(looks < 3, "{spoil:?}, call {n}");
            }
            assert_eq!(room.load(&job).await.status, Status::Failed, "{spoil:?}, call {n}");
            let letters = S3Objects::new(&room.fixture.clients, "cloakroom");
            let key = keys::letter(Some(&job.key()), &letter.message_id);
            assert_eq!(letters.read(&key).await, Ok(Some(letter.body)), "{spoil:?}, call {n}");
            if !room.spoiler.is_done() {
                assert!(n > 3, "load, keep and change");
                break;
            }
        }
    }
}

#[tokio::test]
async fn whichever_call_of_a_sweep_is_spoilt_the_stranded_job_ends() {
    for spoil in Spoil::ALL {
        for n in 1.. {
            let room = Room::start(spoil, n).await;
            let (job, _) = stranded(&room).await;
            room.later(Duration::from_secs(3 * 3600));
            for _ in 0..2 {
                let (rounds, jobs) = (room.rounds.clone(), vec![job.key()]);
                // The stream brings its batch again if it failed.
                if matches!(tokio::spawn(async move { rounds.begin(&jobs).await }).await, Ok(Ok(()))) {
                    break;
                }
            }
            assert_eq!(room.load(&job).await.status, Status::Failed, "{spoil:?}, call {n}");
            if !room.spoiler.is_done() {
                assert!(n > 3, "the queue's state, load and change");
                break;
            }
        }
    }
}
