//! `cloakroom dev`: everything on one machine, in one process. The same router, use cases and adapters as a deployment;
//! only the services are embedded, and a poller stands in for Lambda's event source mapping.

mod expiry;
mod machine;
mod poller;
mod sweeper;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use cloakroom_app::core::Namespace;
use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::PortError;
use cloakroom_app::submit::INLINE_LIMIT;
use cloakroom_app::work::WorkerSettings;
use cloakroom_app::{DeadLetters, Jobs, Registry, Submit, Sweeper, SystemHost, Uploads, Worker, panics};
use cloakroom_aws::{
    Clients, DeadLettersConfig, DynamoStore, JobsConfig, Local, Queues, S3Objects, SqsQueue, SubmitConfig, WorkerConfig,
};
use cloakroom_embedded::{Keep, Services};
use cloakroom_http::{Cors, Site, router};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::show;

/// What job ids are derived in here. Fixed, so that the ids in the README are those that a newcomer sees.
const NAMESPACE: Namespace = Namespace::from_uuid(uuid::uuid!("c10a6300-0000-4000-8000-000000000000"));

/// A short lease, so that after a crash jobs go on, and a cancelled handler hears of it, while somebody watches.
const LEASE: Duration = Duration::from_secs(6);

/// As often as the queue is asked for a message in vain before it goes among the dead letters.
const MAX_RECEIVE_COUNT: u32 = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// The folder that jobs and payloads are kept in
    #[arg(long, value_name = "DIR", default_value = ".cloakroom", conflicts_with = "memory")]
    data: PathBuf,
    /// Keep everything in memory: gone at the end
    #[arg(long)]
    memory: bool,
    /// How many jobs are run at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Memory in MiB that the jobs that run at once may need together; by default three quarters of the machine's, or of its
    /// control group's
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    worker_memory: Option<u32>,
}

pub(crate) async fn run(args: Args) -> Result<(), String> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("warn,cloakroom_app=info,cloakroom_http=info,dynoxide=error")),
        )
        .init();
    panics::log_panics();

    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        format!("failed to listen on {}: {error}; choose another place by --listen (port 0: a free one)", args.listen)
    })?;
    let address = listener.local_addr().map_err(|error| format!("failed to listen: {error}"))?;
    let keep = if args.memory { Keep::InMemory } else { Keep::InFolder(&args.data) };
    let services = Arc::new(Services::start(keep).await.map_err(|error| format!("failed to {error}"))?);
    let worker_memory = args.worker_memory.map_or_else(machine::budget, |mib| u64::from(mib) * 1024 * 1024);
    let parts =
        Parts::over(&services, args.workers, worker_memory).await.map_err(|error| format!("failed to {error}"))?;

    tokio::spawn(poller::work(parts.queue, parts.worker, args.workers));
    tokio::spawn(poller::bury(parts.dead, parts.dead_letters));
    tokio::spawn(sweeper::sweep(parts.store, parts.sweeper));
    tokio::spawn(expiry::delete(Arc::clone(&services), parts.objects, parts.commands));
    let site = Site::new("").cors(Cors::Any);
    let app = router(site, Some(parts.submit), Some(parts.jobs));
    greet(address, &args).map_err(|failure| failure.message)?;
    // Small answers go out at once, and not when the last one was acknowledged.
    let listener = listener.tap_io(|connection| _ = connection.set_nodelay(true));
    tokio::select! {
        served = axum::serve(listener, app) => served.map_err(|error| format!("failed to serve: {error}")),
        // Nothing is drained: what is in flight goes on at the next start, as after any other end.
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// The use cases over the embedded services.
struct Parts {
    commands: Registry,
    objects: S3Objects,
    queue: Arc<SqsQueue>,
    submit: (Submit, Uploads),
    jobs: Jobs,
    worker: Worker,
    dead: Arc<SqsQueue>,
    dead_letters: DeadLetters,
    store: DynamoStore,
    sweeper: Sweeper,
}

impl Parts {
    async fn over(services: &Services, workers: u16, worker_memory: u64) -> Result<Self, PortError> {
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
        let Queues { queue, dead_letters: dead } =
            SqsQueue::create(&clients, "commands", LEASE, MAX_RECEIVE_COUNT).await?;
        let commands = commands::registry(true);
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
            settings: WorkerSettings { lease: LEASE, ..WorkerSettings::default() },
            diagnostics: true,
            producers: None,
            memory: Some(worker_memory),
        };
        let dead_letters =
            DeadLettersConfig { table: table.clone(), bucket: bucket.clone(), dead_letters_url: dead.url().to_owned() };
        let jobs = JobsConfig { table, bucket, namespace: NAMESPACE };
        let queue = Arc::new(queue);
        let mut worker = cloakroom_aws::worker(&worker, &clients, commands.clone(), Arc::new(LogMeter));
        worker.admission = worker.admission.with_places(workers);
        Ok(Self {
            submit: cloakroom_aws::submit(&submit, &clients, commands.clone(), Arc::new(LogMeter)),
            worker,
            jobs: cloakroom_aws::jobs(&jobs, &clients, Arc::new(LogMeter)),
            commands,
            objects,
            sweeper: Sweeper {
                store: Arc::new(store.clone()),
                queue: queue.clone(),
                host: Arc::new(SystemHost),
                meter: Arc::new(LogMeter),
            },
            store,
            queue,
            dead: Arc::new(dead),
            dead_letters: cloakroom_aws::dead_letters(&dead_letters, &clients, Arc::new(LogMeter)),
        })
    }
}

fn greet(address: SocketAddr, args: &Args) -> Result<(), crate::exit::Failure> {
    let kept = if args.memory { "nothing is kept".to_owned() } else { format!("data in {}", args.data.display()) };
    show::line(&format!(
        "listening on http://{address}
{kept}; end it with Ctrl-C

try:
  curl -i 'http://{address}/commands/thumbnail.create?width=200' -H 'Content-Type: image/jpeg' --data-binary @docs/photo.jpg
  curl -i http://{address}/commands/diagnostic.run -H 'Content-Type: application/json' -d '{{\"duration_ms\": 5000, \"progress_steps\": 5}}'
  curl -i http://{address}/jobs/ID   # the Location of either; or open it in a browser"
    ))
}
