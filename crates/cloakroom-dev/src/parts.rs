//! Use cases, assembled with the embedded services.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::core::Namespace;
use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::PortError;
use cloakroom_app::submit::INLINE_LIMIT;
use cloakroom_app::work::WorkerSettings;
use cloakroom_app::{DeadLetters, Host, Jobs, Registry, Shared, Submit, Sweeper, Uploads, Worker};
use cloakroom_aws::{
    Clients, DeadLettersConfig, DynamoStore, JobsConfig, Local, Queues, S3Objects, SqsQueue,
    SubmitConfig, WorkerConfig,
};
use cloakroom_embedded::Services;

use crate::host::SteadyHost;

/// Namespace of the job ids. It is fixed, so that users see the same ids as in the README.
const NAMESPACE: Namespace =
    Namespace::from_uuid(uuid::uuid!("c10a6300-0000-4000-8000-000000000000"));

/// Duration of a lease. It is short, so that crashed jobs continue soon, and cancelled handlers are notified soon.
const LEASE: Duration = Duration::from_secs(6);

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
}

/// Clients of the embedded services, and the names of the resources.
struct Stores {
    clients: Clients,
    table: String,
    store: DynamoStore,
    bucket: String,
    objects: S3Objects,
    queues: Queues,
}

impl Stores {
    /// Creates the table, the queues and the bucket if they are missing.
    async fn create(services: &Services) -> Result<Self, PortError> {
        let clients = Clients::local(&Local {
            dynamodb_url: services.dynamodb_url(),
            sqs_url: services.sqs_url(),
            s3_url: services.s3_url(),
            region: Services::REGION,
            access_key: Services::ACCESS_KEY,
            secret_key: Services::SECRET_KEY,
        });
        let (table, bucket) = ("jobs".to_owned(), "cloakroom".to_owned());
        let store = DynamoStore::new(&clients, &table);
        store.create_table().await?;
        let objects = S3Objects::new(&clients, &bucket);
        objects.create_bucket().await?;
        let queues = SqsQueue::create(&clients, "commands", LEASE, MAX_RECEIVE_COUNT).await?;
        Ok(Self {
            clients,
            table,
            store,
            bucket,
            objects,
            queues,
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
        }
    }
}

impl Parts {
    /// Creates the table, the queues and the bucket if they are missing, and the use cases with them.
    pub(crate) async fn new(
        services: &Services,
        commands: Registry,
        workers: u16,
        worker_memory: u64,
    ) -> Result<Self, PortError> {
        let stores = Stores::create(services).await?;
        let clients = &stores.clients;
        let meter = || Arc::new(LogMeter);
        let host: Arc<dyn Host> = Arc::new(SteadyHost(services.clock()));
        let submit = cloakroom_aws::submit(&stores.submit(), clients, commands.clone(), meter());
        let jobs = cloakroom_aws::jobs(&stores.jobs(), clients, meter());
        let worker = stores.worker(worker_memory);
        let mut worker = cloakroom_aws::worker(&worker, clients, commands.clone(), meter());
        worker.admission = worker.admission.with_places(workers);
        let dead_letters = cloakroom_aws::dead_letters(&stores.dead_letters(), clients, meter());
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
        };
        parts.go_by(&host);
        Ok(parts)
    }

    /// Sets the clock of all use cases.
    fn go_by(&mut self, host: &Arc<dyn Host>) {
        let (submit, uploads) = &mut self.submit;
        let hosts = [
            &mut submit.shared.host,
            &mut uploads.shared.host,
            &mut self.jobs.shared.host,
            &mut self.worker.shared.host,
            &mut self.dead_letters.shared.host,
        ];
        for its in hosts {
            *its = Arc::clone(host);
        }
    }
}
