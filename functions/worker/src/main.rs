//! The function behind the queue: does the work that was accepted.

use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use cloakroom_app::SystemHost;
use cloakroom_app::host::Host as _;
use cloakroom_aws::{Clients, EmbeddedMetrics, MeterConfig, WorkerConfig, environment};
use lambda::batch;
use lambda_runtime::{Error, LambdaEvent, service_fn};

// Two threads: a handler that computes without waiting must not keep another one's heartbeat from beating.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    lambda::start();
    let (config, meter) = lambda::configured(|| {
        Ok((WorkerConfig::from_env(&environment)?, MeterConfig::from_env(&environment)?)) //
    });
    let (commands, meter) = (commands::registry(config.diagnostics), Arc::new(EmbeddedMetrics::new(meter)));
    let worker = cloakroom_aws::worker(&config, &Clients::load().await, commands, meter);
    let work = async |event: LambdaEvent<SqsEvent>| -> Result<SqsBatchResponse, Error> {
        let ends_at = batch::ends_at(event.context.deadline, SystemHost.now());
        let deliveries = batch::deliveries(event.payload);
        let dispositions = worker.handle_batch(&deliveries, ends_at).await;
        Ok(batch::response(&deliveries, &dispositions))
    };
    lambda_runtime::run(service_fn(work)).await
}
