use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use cloakroom_app::delivery::Delivery;
use cloakroom_app::host::Host as _;
use cloakroom_app::{Registry, SystemHost};
use cloakroom_aws::{Clients, WorkerConfig};
use lambda_http::lambda_runtime::service_fn;
use lambda_http::{Error, LambdaEvent};
use tokio::runtime::Builder;

use crate::{batch, start};

/// Runs the function behind the queue of commands, which runs their handlers.
///
/// # Errors
/// Returns an error of the Lambda runtime. An invalid configuration ends the process with one line in the log.
pub fn worker(commands: Registry) -> Result<(), Error> {
    start::run(&commands.crates(), async {
        let config = start::configured(WorkerConfig::from_env);
        // With separate threads, a handler that computes without waiting does not delay heartbeats.
        let handlers = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let commands = commands
            .with_diagnostics(config.diagnostics)
            .run_on(handlers.handle());
        // Started on the handlers' runtime, because a client may spawn tasks on the runtime on which it is built.
        let commands = start::or_exit(handlers.spawn(commands.start()).await?);
        let worker = cloakroom_aws::worker(
            &config,
            &Clients::from_function_env(),
            commands,
            start::meter(),
        );
        let work = async |event: LambdaEvent<SqsEvent>| -> Result<SqsBatchResponse, Error> {
            let ends_at = batch::ends_at(event.context.deadline, SystemHost.now());
            let work = async |all: &[Delivery]| worker.handle_batch(all, ends_at).await;
            Ok(batch::handle(event.payload, work).await)
        };
        let served = start::answer(service_fn(work)).await;
        handlers.shutdown_background();
        served
    })
}
