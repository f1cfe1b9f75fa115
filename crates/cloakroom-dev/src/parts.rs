//! Use cases, assembled with the embedded services.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::changes::Changes;
use cloakroom_app::core::{Job, Namespace, ReplyQueue};
use cloakroom_app::meter::LogMeter;
use cloakroom_app::observed::ObservedStore;
use cloakroom_app::ports::{JobStore, PortError};
use cloakroom_app::submit::INLINE_LIMIT;
use cloakroom_app::work::WorkerSettings;
use cloakroom_app::{
    DeadLetters, Deliver, Host, Jobs, Links, Listeners, Publisher, Registry, Shared, Submit,
    Sweeper, Uploads, Worker,
};
use cloakroom_aws::{
    Clients, DeadLettersConfig, DynamoStore, JobsConfig, Local, Queues, S3Objects, SqsQueue,
    SqsReplies, SubmitConfig, WorkerConfig,
};
use cloakroom_embedded::Services;
use cloakroom_webhooks::{Reach, Webhooks};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::host::SteadyHost;
use crate::keys::DevKeys;
use crate::machine;
use crate::settings::Settings;

/// Namespace of the job ids. It is fixed, so that users see the same ids as in the README.
const NAMESPACE: Namespace =
    Namespace::from_uuid(uuid::uuid!("c10a6300-0000-4000-8000-000000000000"));

/// Duration of a lease. It is short, so that crashed jobs continue soon, and cancelled handlers are notified soon.
const LEASE: Duration = Duration::from_secs(6);

/// Visibility timeout of the queue of deliveries: longer than the longest attempt.
const DELIVERY_VISIBILITY: Duration = Duration::from_secs(30);

/// Maximum receive count of a message before it becomes a dead letter.
const MAX_RECEIVE_COUNT: u32 = 50;

/// All use cases of a service, with the queues and the store for the runner's loops.
pub(crate) struct Parts {
    pub(crate) commands: Registry,
    pub(crate) objects: S3Objects,
    pub(crate) queue: Arc<SqsQueue>,
    pub(crate) submit: (Submit, Uploads),
    pub(crate) jobs: Jobs,
    pub(crate) worker: Worker,
    pub(crate) dead: Arc<SqsQueue>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) store: DynamoStore,
    pub(crate) sweeper: Sweeper,
    pub(crate) deliveries: Arc<SqsQueue>,
    pub(crate) deliver: Deliver,
    pub(crate) publisher: Publisher,
    /// Changes that listeners are notified of.
    pub(crate) changes: UnboundedReceiver<Job>,
    pub(crate) host: Arc<dyn Host>,
    /// URLs of the reply queues, by name.
    pub(crate) reply_queues: BTreeMap<ReplyQueue, String>,
}

/// Returns clients of the embedded services.
pub(crate) fn clients(services: &Services) -> Clients {
    Clients::local(&Local {
        dynamodb_url: services.dynamodb_url(),
        sqs_url: services.sqs_url(),
        s3_url: services.s3_url(),
        region: Services::REGION,
        access_key: Services::ACCESS_KEY,
        secret_key: Services::SECRET_KEY,
    })
}

/// Clients of the embedded services, and the names of the resources.
struct Stores {
    clients: Clients,
    table: String,
    store: DynamoStore,
    bucket: String,
    objects: S3Objects,
    queues: Queues,
    deliveries: SqsQueue,
    reply_queues: BTreeMap<ReplyQueue, String>,
}

impl Stores {
    /// Creates the table, the queues and the bucket if they are missing.
    async fn create(services: &Services, replies: &[ReplyQueue]) -> Result<Self, PortError> {
        let clients = clients(services);
        let (table, bucket) = ("jobs".to_owned(), "cloakroom".to_owned());
        let store = DynamoStore::new(&clients, &table);
        store.create_table().await?;
        let objects = S3Objects::new(&clients, &bucket);
        objects.create_bucket().await?;
        let queues = SqsQueue::create(&clients, "commands", LEASE, MAX_RECEIVE_COUNT).await?;
        let deliveries = SqsQueue::create(
            &clients,
            "deliveries",
            DELIVERY_VISIBILITY,
            MAX_RECEIVE_COUNT,
        );
        let deliveries = deliveries.await?.queue;
        let mut reply_queues = BTreeMap::new();
        for name in replies {
            let queue = SqsQueue::create_alone(&clients, name.as_str()).await?;
            reply_queues.insert(name.clone(), queue.url().to_owned());
        }
        Ok(Self {
            clients,
            table,
            store,
            bucket,
            objects,
            queues,
            deliveries,
            reply_queues,
        })
    }

    fn submit(&self) -> SubmitConfig {
        SubmitConfig {
            table: self.table.clone(),
            queue_url: self.queues.queue.url().to_owned(),
            bucket: self.bucket.clone(),
            namespace: NAMESPACE,
            inline_limit: INLINE_LIMIT,
            schedule: None,
            diagnostics: true,
            listeners: Listeners {
                reply_queues: self.reply_queues.keys().cloned().collect(),
                bus: None,
            },
            webhooks: false,
        }
    }

    fn deliver(&self, host: &Arc<dyn Host>, keys: &DevKeys) -> Deliver {
        let replies = SqsReplies::new(&self.clients, self.reply_queues.clone(), &self.bucket);
        Deliver {
            host: Arc::clone(host),
            deliveries: Arc::new(self.store.clone()),
            queue: Arc::new(self.deliveries.clone()),
            webhooks: Arc::new(Webhooks::new(Reach::Local)),
            replies: Arc::new(replies),
            keys: Arc::new(keys.clone()),
            objects: Arc::new(self.objects.clone()),
        }
    }

    fn publisher(&self, host: &Arc<dyn Host>) -> Publisher {
        Publisher {
            host: Arc::clone(host),
            deliveries: Arc::new(self.store.clone()),
            queue: Arc::new(self.deliveries.clone()),
            bus: None,
            base_path: String::new(),
        }
    }

    fn worker(&self, memory: u64) -> WorkerConfig {
        WorkerConfig {
            table: self.table.clone(),
            queue_url: self.queues.queue.url().to_owned(),
            bucket: self.bucket.clone(),
            settings: WorkerSettings {
                lease: LEASE,
                ..WorkerSettings::default()
            },
            diagnostics: true,
            producers: None,
            memory: Some(memory),
        }
    }

    fn dead_letters(&self) -> DeadLettersConfig {
        DeadLettersConfig {
            table: self.table.clone(),
            bucket: self.bucket.clone(),
            dead_letters_url: self.queues.dead_letters.url().to_owned(),
        }
    }

    fn jobs(&self) -> JobsConfig {
        JobsConfig {
            table: self.table.clone(),
            bucket: self.bucket.clone(),
            namespace: NAMESPACE,
            listeners: None,
        }
    }
}

impl Parts {
    /// Creates the table, the queues and the bucket if they are missing, and the use cases with them.
    pub(crate) async fn new(
        services: &Services,
        commands: Registry,
        settings: &Settings,
        keys: &DevKeys,
    ) -> Result<Self, PortError> {
        let (workers, worker_memory) = (
            settings.workers,
            settings.worker_memory.unwrap_or_else(machine::budget),
        );
        let stores = Stores::create(services, &settings.reply_queues).await?;
        let clients = &stores.clients;
        let meter = || Arc::new(LogMeter);
        let host: Arc<dyn Host> = Arc::new(SteadyHost(services.clock()));
        let submit = cloakroom_aws::submit(&stores.submit(), clients, commands.clone(), meter());
        let mut jobs = cloakroom_aws::jobs(&stores.jobs(), clients, meter());
        let (publisher, deliver) = (stores.publisher(&host), stores.deliver(&host, keys));
        jobs.publisher = Some(publisher.clone());
        jobs.links = Some(Links {
            host: Arc::clone(&host),
            keys: Arc::new(keys.clone()),
        });
        let worker = stores.worker(worker_memory);
        let mut worker = cloakroom_aws::worker(&worker, clients, commands.clone(), meter());
        worker.admission = worker.admission.with_places(workers);
        let dead_letters = cloakroom_aws::dead_letters(&stores.dead_letters(), clients, meter());
        let (sender, changes) = tokio::sync::mpsc::unbounded_channel();
        let report = move |job| {
            // Without a receiver, the runner is ending; the next run catches up.
            let _ = sender.send(job);
        };
        let observed = ObservedStore::new(
            Arc::new(stores.store.clone()),
            Changes::default(),
            Arc::new(report),
        );
        let queue = Arc::new(stores.queues.queue);
        let sweeper = Sweeper {
            shared: Shared {
                store: Arc::new(stores.store.clone()),
                host: Arc::clone(&host),
                meter: meter(),
            },
            queue: queue.clone(),
        };
        let mut parts = Self {
            commands,
            objects: stores.objects,
            queue,
            submit,
            jobs,
            worker,
            dead: Arc::new(stores.queues.dead_letters),
            dead_letters,
            store: stores.store,
            sweeper,
            deliveries: Arc::new(stores.deliveries),
            deliver,
            publisher,
            changes,
            host: Arc::clone(&host),
            reply_queues: stores.reply_queues,
        };
        parts.go_by(&host, &(Arc::new(observed) as Arc<dyn JobStore>));
        Ok(parts)
    }

    /// Sets the clock and the table of all use cases.
    fn go_by(&mut self, host: &Arc<dyn Host>, store: &Arc<dyn JobStore>) {
        let (submit, uploads) = &mut self.submit;
        let all = [
            &mut submit.shared,
            &mut uploads.shared,
            &mut self.jobs.shared,
            &mut self.worker.shared,
            &mut self.dead_letters.shared,
            &mut self.sweeper.shared,
        ];
        for shared in all {
            shared.host = Arc::clone(host);
            shared.store = Arc::clone(store);
        }
    }
}
