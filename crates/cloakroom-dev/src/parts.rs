//! The use cases over the embedded services.

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

/// Namespace of the job ids. It is fixed, so that a newcomer sees the ids that the README shows.
const NAMESPACE: Namespace =
    Namespace::from_uuid(uuid::uuid!("c10a6300-0000-4000-8000-000000000000"));

/// Time of a lease. It is short: after a crash jobs continue, and a cancelled handler is told, while somebody watches.
const LEASE: Duration = Duration::from_secs(6);

/// Receipts of a message before it becomes a dead letter.
const MAX_RECEIVE_COUNT: u32 = 50;

/// All use cases of a service, with the queues and the store that the runner's loops need.
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

impl Parts {
    /// Creates the table, the queues and the bucket where they are missing, and the use cases over them.
    pub(crate) async fn new(
        services: &Services,
        commands: Registry,
        workers: u16,
        worker_memory: u64,
    ) -> Result<Self, PortError> {
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
        let Queues {
            queue,
            dead_letters: dead,
        } = SqsQueue::create(&clients, "commands", LEASE, MAX_RECEIVE_COUNT).await?;
        let host: Arc<dyn Host> = Arc::new(SteadyHost(services.clock()));
        let submit = SubmitConfig {
            table: table.clone(),
            queue_url: queue.url().to_owned(),
            bucket: bucket.clone(),
            namespace: NAMESPACE,
            inline_limit: INLINE_LIMIT,
            schedule: None,
            diagnostics: true,
        };
        let worker = WorkerConfig {
            table: table.clone(),
            queue_url: queue.url().to_owned(),
            bucket: bucket.clone(),
            settings: WorkerSettings {
                lease: LEASE,
                ..WorkerSettings::default()
            },
            diagnostics: true,
            producers: None,
            memory: Some(worker_memory),
        };
        let dead_letters = DeadLettersConfig {
            table: table.clone(),
            bucket: bucket.clone(),
            dead_letters_url: dead.url().to_owned(),
        };
        let jobs = JobsConfig {
            table,
            bucket,
            namespace: NAMESPACE,
        };
        let queue = Arc::new(queue);
        let mut worker =
            cloakroom_aws::worker(&worker, &clients, commands.clone(), Arc::new(LogMeter));
        worker.admission = worker.admission.with_places(workers);
        let mut parts = Self {
            submit: cloakroom_aws::submit(&submit, &clients, commands.clone(), Arc::new(LogMeter)),
            worker,
            jobs: cloakroom_aws::jobs(&jobs, &clients, Arc::new(LogMeter)),
            commands,
            objects,
            sweeper: Sweeper {
                shared: Shared {
                    store: Arc::new(store.clone()),
                    host: Arc::clone(&host),
                    meter: Arc::new(LogMeter),
                },
                queue: queue.clone(),
            },
            store,
            queue,
            dead: Arc::new(dead),
            dead_letters: cloakroom_aws::dead_letters(&dead_letters, &clients, Arc::new(LogMeter)),
        };
        parts.go_by(&host);
        Ok(parts)
    }

    /// Has every use case take the time from one clock.
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
