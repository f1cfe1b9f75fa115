//! `cloakroom dev`: everything on one machine, in one process. The same router, use cases and adapters as a deployment;
//! only the services are embedded, and a poller stands in for Lambda's event source mapping.

mod expiry;
mod host;
mod listen;
mod log;
mod machine;
mod poller;
mod serve;
mod sweeper;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::core::Namespace;
use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::PortError;
use cloakroom_app::submit::INLINE_LIMIT;
use cloakroom_app::work::WorkerSettings;
use cloakroom_app::{
    DeadLetters, Host, Jobs, Registry, Shared, Submit, Sweeper, Uploads, Worker, panics,
};
use cloakroom_aws::{
    Clients, DeadLettersConfig, DynamoStore, JobsConfig, Local, Queues, S3Objects, SqsQueue,
    SubmitConfig, WorkerConfig,
};
use cloakroom_embedded::net::Stop;
use cloakroom_embedded::{Keep, Services, StartError};
use cloakroom_http::{Cors, Site, router};
use host::SteadyHost;
use listen::Listen;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::show;
use crate::signals::Signals;

/// What job ids are derived in here. Fixed, so that the ids in the README are those that a newcomer sees.
const NAMESPACE: Namespace =
    Namespace::from_uuid(uuid::uuid!("c10a6300-0000-4000-8000-000000000000"));

/// A short lease, so that after a crash jobs go on, and a cancelled handler hears of it, while somebody watches.
const LEASE: Duration = Duration::from_secs(6);

/// As often as the queue is asked for a message in vain before it goes among the dead letters.
const MAX_RECEIVE_COUNT: u32 = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The host, which may be a name, and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    listen: Listen,
    /// The folder that jobs and payloads are kept in
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".cloakroom",
        conflicts_with = "memory"
    )]
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

/// Runs until a signal asks for the end. A second signal ends the process at once.
pub(crate) async fn run(args: Args, mut signals: Signals) -> Result<(), String> {
    let log = log::start();
    panics::log_panics();
    let (end, stop) = Stop::channel();
    tokio::spawn(async move {
        signals.next().await;
        let _ = end.send(true);
        std::process::exit(signals.next().await.exit_code().into());
    });
    let served = start_and_serve(&args, stop).await;
    log.flush();
    served
}

async fn start_and_serve(args: &Args, stop: Stop) -> Result<(), String> {
    let (listeners, place) = args.listen.bind().await?;
    let keep = if args.memory {
        Keep::InMemory
    } else {
        Keep::InFolder(&args.data)
    };
    let services = Services::start(keep)
        .await
        .map_err(|error| failed_to_start(&error, args))?;
    let services = Arc::new(services);
    let served = serve_over(&services, listeners, &place, args, stop).await;
    if let Some(services) = Arc::into_inner(services) {
        services.shutdown().await;
    }
    served
}

async fn serve_over(
    services: &Arc<Services>,
    listeners: Vec<TcpListener>,
    place: &Listen,
    args: &Args,
    stop: Stop,
) -> Result<(), String> {
    let worker_memory = args
        .worker_memory
        .map_or_else(machine::budget, |mib| u64::from(mib) * 1024 * 1024);
    let parts = Parts::over(services, args.workers, worker_memory)
        .await
        .map_err(|error| format!("failed to {error}"))?;
    let mut work = JoinSet::new();
    work.spawn(poller::work(parts.queue, parts.worker, args.workers));
    work.spawn(poller::bury(parts.dead, parts.dead_letters));
    work.spawn(sweeper::sweep(parts.store, parts.sweeper));
    work.spawn(expiry::delete(
        Arc::clone(services),
        parts.objects,
        parts.commands,
    ));
    let site = Site::new("").cors(Cors::Any);
    let app = router(site, Some(parts.submit), Some(parts.jobs));
    greet(place, args);
    serve::serve(listeners, app, Cors::Any, stop).await;
    // Jobs in progress go on at the next start, as after any other end.
    work.shutdown().await;
    Ok(())
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
    async fn over(
        services: &Services,
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

/// Adds what to do about services that do not start.
fn failed_to_start(error: &StartError, args: &Args) -> String {
    match error {
        _ if args.memory => format!("failed to {error}"),
        StartError::Data { .. } => format!("failed to {error}, or choose another one by --data"),
        _ => format!("failed to {error}; choose another folder by --data"),
    }
}

fn greet(place: &Listen, args: &Args) {
    let kept = if args.memory {
        "nothing is kept".to_owned()
    } else {
        format!("data in {}", args.data.display())
    };
    let text = format!(
        "listening on http://{place}
{kept}; end it with Ctrl-C

try:
  curl -i 'http://{place}/commands/thumbnail.create?width=200' -H 'Content-Type: image/jpeg' --data-binary @docs/photo.jpg
  curl -i http://{place}/commands/diagnostic.run -H 'Content-Type: application/json' -d '{{\"duration_ms\": 5000, \"progress_steps\": 5}}'
  curl -i http://{place}/jobs/ID   # the Location of either; or open it in a browser"
    );
    // The service does not depend on a reader of its standard output.
    std::thread::spawn(move || {
        if let Err(failure) = show::line(&text) {
            tracing::warn!(reason = failure.message, "failed to print the greeting");
        }
    });
}
