use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use cloakroom_app::delivery::Delivery;
use cloakroom_aws::{Clients, DeadLettersConfig};
use lambda_http::lambda_runtime::service_fn;
use lambda_http::{Error, LambdaEvent};

use crate::{batch, start};

/// Runs the function behind the queue of dead letters, which ends their jobs and stores the messages for an operator.
///
/// # Errors
/// Returns an error of the Lambda runtime. An invalid configuration ends the process with one line in the log.
pub fn dead_letters() -> Result<(), Error> {
    start::run(&[], async {
        let config = start::configured(DeadLettersConfig::from_env);
        let dead_letters =
            cloakroom_aws::dead_letters(&config, &Clients::from_function_env(), start::meter());
        let bury = async |event: LambdaEvent<SqsEvent>| -> Result<SqsBatchResponse, Error> {
            let bury = async |all: &[Delivery]| dead_letters.handle_batch(all).await;
            Ok(batch::handle(event.payload, bury).await)
        };
        start::answer(service_fn(bury)).await
    })
}
