//! A deployment with a fault in one call to AWS.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::delivery::{Delivery, Disposition};
use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::{JobStore as _, UploadTerms};
use cloakroom_app::submit::{Body, Submission};
use cloakroom_app::sweep::Rounds;
use cloakroom_app::testing::{Nothing, new_job};
use cloakroom_app::work::WorkerSettings;
use cloakroom_app::{
    Command, DeadLetters, HandlerError, Host, JobContext, Jobs, Output, Registry, Submit,
    SystemHost, Uploads, Worker,
};
use cloakroom_aws::testing::{Fault, FaultInjector};
use cloakroom_aws::{
    DeadLettersConfig, DynamoStore, JobsConfig, Queues, S3Objects, SqsQueue, SubmitConfig,
    SweeperConfig, WorkerConfig,
};
use cloakroom_core::{Digest, EventContext, Job, Namespace, PartLayout, Tenant, Timestamp};
use cloakroom_tests::fresh_key;
use cloakroom_webhooks::{Reach, Webhooks};
use tokio::task::JoinError;
use uuid::Uuid;

use crate::place::{Open, Place, cleaned_up};
use crate::{objects, queue, table};

/// Time after which a message or a lease is available again.
pub(super) const LEASE: Duration = Duration::from_secs(4);

/// Longer than the lease, and than the delay of a message after a fault.
const LATER: Duration = Duration::from_secs(6);

/// A table, a bucket and a queue of lists, shared by many rooms.
pub(super) struct Ground {
    pub(super) open: Open,
    pub(super) name: String,
    lists: Queues,
    /// Client that sends uploads.
    http: reqwest::Client,
    /// Sender of webhooks. Creating it reads the machine's root certificates.
    pub(super) webhooks: Webhooks,
}

impl Ground {
    /// Runs a test on a new ground, and removes the ground.
    pub(super) async fn under(place: &Place, test: impl AsyncFnOnce(&Self)) {
        let open = place.open().await;
        let name = fresh_key("crashes");
        table::make(&open, &name).await;
        objects::make(&open, &name).await;
        let lists = SqsQueue::create(&open.clients, &format!("{name}-lists"), LEASE, 9)
            .await
            .expect("make the queues");
        let ground = Self {
            open,
            name,
            lists,
            http: reqwest::Client::new(),
            webhooks: Webhooks::new(Reach::Local),
        };
        let removal = Box::pin(async {
            table::remove(&ground.open, &ground.name).await;
            objects::remove(&ground.open, &ground.name).await;
            queue::remove(&ground.open, &ground.lists).await;
        });
        cleaned_up(Box::pin(test(&ground)), removal).await;
    }
}

/// A clock that can be advanced.
#[derive(Default)]
pub(super) struct Clock(AtomicI64);

impl Host for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemHost.now().as_millis() + self.0.load(Ordering::SeqCst))
    }

    fn random(&self) -> u128 {
        SystemHost.random()
    }
}

/// A deployment on a ground, with its own queues and tenant.
pub(super) struct Room<'a> {
    pub(super) ground: &'a Ground,
    tenant: Tenant,
    pub(super) clock: Arc<Clock>,
    injector: FaultInjector,
    /// Listeners of the jobs that are submitted.
    pub(super) events: Option<Box<EventContext>>,
    pub(super) runs: Arc<AtomicUsize>,
    queues: Queues,
    pub(super) submit: Submit,
    uploads: Uploads,
    pub(super) worker: Worker,
    pub(super) jobs: Jobs,
    pub(super) dead_letters: DeadLetters,
    pub(super) rounds: Rounds,
}

impl<'a> Room<'a> {
    /// Starts a room with a fault in its n-th call.
    pub(super) async fn start(ground: &'a Ground, fault: Fault, n: usize) -> Self {
        let tenant = format!("{fault:?}-{n}").parse().expect("a good name");
        Self::of_tenant(ground, tenant, FaultInjector::new(fault, n)).await
    }

    /// Starts a room without a fault.
    pub(super) async fn without_fault(ground: &'a Ground, tenant: Tenant) -> Self {
        Self::of_tenant(ground, tenant, FaultInjector::new(Fault::FailBefore, 0)).await
    }

    async fn of_tenant(ground: &'a Ground, tenant: Tenant, injector: FaultInjector) -> Self {
        let faulty = ground.open.clients.clone().with_fault_injector(&injector);
        let name = fresh_key("crashes");
        let queues = SqsQueue::create(&ground.open.clients, &name, LEASE, 9)
            .await
            .expect("make the queues");
        let (table, bucket, queue_url) = (
            ground.name.clone(),
            ground.name.clone(),
            queues.queue.url().to_owned(),
        );
        let namespace = Namespace::from_uuid(Uuid::nil());
        let runs = Arc::new(AtomicUsize::new(0));
        let commands = Registry::new(vec![echo(Arc::clone(&runs))]);
        let clock = Arc::new(Clock::default());
        let config = SubmitConfig {
            table: table.clone(),
            queue_url: queue_url.clone(),
            bucket: bucket.clone(),
            namespace,
            inline_limit: 2000,
            schedule: None,
            diagnostics: false,
            listeners: cloakroom_app::Listeners::default(),
            webhooks: false,
        };
        let (mut submit, mut uploads) =
            cloakroom_aws::submit(&config, &faulty, commands.clone(), Arc::new(LogMeter));
        (submit.shared.host, uploads.shared.host) = (clock.clone(), clock.clone());
        let settings = WorkerSettings {
            lease: LEASE,
            ..WorkerSettings::default()
        };
        let (of_worker, of_bucket) = (queue_url.clone(), bucket.clone());
        let config = WorkerConfig {
            table: table.clone(),
            queue_url: of_worker,
            bucket: of_bucket,
            settings,
            diagnostics: false,
            producers: None,
            memory: None,
        };
        let mut worker = cloakroom_aws::worker(&config, &faulty, commands, Arc::new(LogMeter));
        worker.shared.host = clock.clone();
        let config = JobsConfig {
            table: table.clone(),
            bucket: bucket.clone(),
            namespace,
            listeners: None,
        };
        let mut jobs = cloakroom_aws::jobs(&config, &faulty, Arc::new(LogMeter));
        jobs.shared.host = clock.clone();
        let dead_letters_url = queues.dead_letters.url().to_owned();
        let config = DeadLettersConfig {
            table: table.clone(),
            bucket,
            dead_letters_url,
        };
        let mut dead_letters = cloakroom_aws::dead_letters(&config, &faulty, Arc::new(LogMeter));
        dead_letters.shared.host = clock.clone();
        let config = SweeperConfig {
            table,
            queue_url,
            lists_url: ground.lists.queue.url().to_owned(),
        };
        let mut rounds = cloakroom_aws::rounds(&config, &faulty, Arc::new(LogMeter));
        rounds.sweeper.shared.host = clock.clone();
        Self {
            ground,
            tenant,
            clock,
            injector,
            events: None,
            runs,
            queues,
            submit,
            uploads,
            worker,
            jobs,
            dead_letters,
            rounds,
        }
    }

    /// Removes the room's own resources. Returns true if the fault was injected.
    pub(super) async fn leave(self) -> bool {
        queue::remove(&self.ground.open, &self.queues).await;
        self.injector.has_fired()
    }

    /// Advances the time until hidden messages and leases are available, on the embedded services. On other services,
    /// receiving a message waits for that time.
    pub(super) async fn later(&self) {
        if self.ground.open.is_embedded() {
            self.ground.open.pass(LATER).await;
            self.forward(LATER);
        }
    }

    /// Advances only the clock of the functions.
    pub(super) fn forward(&self, time: Duration) {
        self.clock.0.fetch_add(
            i64::try_from(time.as_millis()).expect("not so late"),
            Ordering::SeqCst,
        );
    }

    /// Returns the time to wait for an expected message.
    pub(super) fn patience(&self) -> Duration {
        self.ground.open.patience()
    }

    pub(super) async fn load(&self, job: &Job) -> Job {
        let store = DynamoStore::new(&self.ground.open.clients, &self.ground.name);
        store.load(&job.key()).await.expect("read").expect("known")
    }

    /// Returns the bucket, with clients without a fault.
    pub(super) fn objects(&self) -> S3Objects {
        S3Objects::new(&self.ground.open.clients, &self.ground.name)
    }

    /// Submits until there is a response.
    pub(super) async fn accepted(&self, payload: &Bytes) -> Job {
        self.sent(Body::Sent {
            content_type: Some("text/plain".into()),
            bytes: payload.clone(),
        })
        .await
    }

    /// Uploads in parts, and then submits until there is a response.
    pub(super) async fn accepted_in_parts(&self, payload: &Bytes) -> Job {
        let terms = UploadTerms {
            content_type: "text/plain".into(),
            length: payload.len() as u64,
            sha256: None,
        };
        let upload = twice(async || {
            let (uploads, tenant, terms) =
                (self.uploads.clone(), self.tenant.clone(), terms.clone());
            let division =
                PartLayout::new(terms.length, Some(1)).expect("one part may have any length");
            tokio::spawn(async move { uploads.start_parts(&tenant, &terms, division).await }).await
        })
        .await;
        let link = upload.parts[0].link.as_ref().expect("a link");
        let put = self
            .ground
            .http
            .put(&link.url)
            .body(payload.clone())
            .send()
            .await
            .expect("an answer");
        assert_eq!(put.status(), 200);
        self.sent(Body::Uploaded(upload.id)).await
    }

    async fn sent(&self, body: Body) -> Job {
        let submission = Submission {
            tenant: self.tenant.clone(),
            command: "echo".parse().expect("a good name"),
            client_job_id: Some("k".parse().expect("a good key")),
            body,
            query: String::new(),
            not_before: None,
            trace: RequestTrace::default(),
            events: self.events.clone(),
        };
        let submitted = twice(async || {
            let (submit, submission) = (self.submit.clone(), submission.clone());
            tokio::spawn(async move { submit.submit(submission).await }).await
        });
        submitted.await.job
    }

    /// Runs workers until the job has ended.
    pub(super) async fn worked(&self, job: &Job) -> Job {
        for _ in 0..12 {
            self.work(self.patience()).await;
            let found = self.load(job).await;
            if found.status.is_terminal() {
                return found;
            }
            self.later().await;
        }
        panic!("it does not end: {:?}", self.load(job).await)
    }

    /// Processes the visible messages, and those that arrive within `wait`.
    pub(super) async fn work(&self, wait: Duration) {
        for delivery in self.queues.queue.receive(10, wait).await.expect("receive") {
            let (worker, given) = (self.worker.clone(), delivery.clone());
            let ends_at = self.clock.now().after(Duration::from_secs(900));
            let handled = tokio::spawn(async move { worker.handle(&given, ends_at).await }).await;
            if matches!(handled, Ok(Disposition::Done)) {
                self.queues
                    .queue
                    .delete(&delivery.receipt)
                    .await
                    .expect("delete");
            }
        }
    }

    /// Records a job without a message, and returns it with the message that is missing.
    pub(super) async fn stranded(&self) -> (Job, Delivery) {
        let mut job = new_job(self.clock.now(), 7);
        job.command = "echo".parse().expect("a good name");
        job.tenant = self.tenant.clone();
        let store = DynamoStore::new(&self.ground.open.clients, &self.ground.name);
        store.accept(&job).await.expect("recorded");
        let payload = PayloadRef::from_bytes(b"x");
        let body = Envelope::new(
            &job,
            "text/plain",
            "",
            payload,
            &Digest::from_content(b"x"),
            RequestTrace::default(),
        )
        .write();
        (
            job,
            Delivery {
                message_id: "m-1".into(),
                receipt: "r".into(),
                body,
                receive_count: 1,
                producer_message: None,
            },
        )
    }
}

/// Repeats a call that failed. Only one call is faulty.
async fn twice<T, E: Debug>(ask: impl AsyncFn() -> Result<Result<T, E>, JoinError>) -> T {
    match ask().await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => ask().await.expect("it lives").expect("an answer"),
    }
}

/// Payload of a job that publishes an event.
pub(super) const PUBLISH: &[u8] = b"publish";

/// Returns a command whose handler returns its payload, and counts its runs.
fn echo(runs: Arc<AtomicUsize>) -> Command {
    let echo = move |_: Nothing, bytes: Bytes, context: JobContext| {
        runs.fetch_add(1, Ordering::SeqCst);
        async move {
            if bytes == PUBLISH {
                context.publish("movie.created", &1042)?;
            }
            Ok::<_, HandlerError>(Output::bytes("text/plain", bytes))
        }
    };
    Command::binary("echo", &["text/plain"], echo)
        .backoff(Duration::from_secs(1), Duration::from_secs(1))
}
