//! The function behind the queue: does the work that was accepted.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use cloakroom_app::SystemHost;
use cloakroom_app::host::Host as _;
use cloakroom_aws::{Clients, WorkerConfig};
use lambda::batch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tokio::runtime::Builder;

fn main() -> Result<(), Error> {
    lambda::run(async {
        let config = lambda::configured(WorkerConfig::from_env);
        let meter = lambda::meter();
        // Threads of their own: a handler that computes without waiting must not keep a heartbeat from beating.
        let handlers = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let commands = commands::registry(config.diagnostics).run_on(handlers.handle());
        let worker = cloakroom_aws::worker(&config, &Clients::from_function_env(), commands, meter);
        let work = async |event: LambdaEvent<SqsEvent>| -> Result<SqsBatchResponse, Error> {
            let ends_at = batch::ends_at(event.context.deadline, SystemHost.now());
            let deliveries = batch::deliveries(event.payload);
            let dispositions = worker.handle_batch(&deliveries, ends_at).await;
            Ok(batch::response(&deliveries, &dispositions))
        };
        let served = lambda::answer(service_fn(work)).await;
        handlers.shutdown_background();
        served
    })
}
