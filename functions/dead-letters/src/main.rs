//! The function behind the queue of dead letters: ends their jobs, and keeps the messages for an operator.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use cloakroom_aws::{Clients, DeadLettersConfig};
use lambda::batch;
use lambda_runtime::{Error, LambdaEvent, service_fn};

fn main() -> Result<(), Error> {
    lambda::run(async {
        let config = lambda::configured(DeadLettersConfig::from_env);
        let meter = lambda::meter();
        let dead_letters =
            cloakroom_aws::dead_letters(&config, &Clients::from_function_env(), meter);
        let bury = async |event: LambdaEvent<SqsEvent>| -> Result<SqsBatchResponse, Error> {
            let deliveries = batch::deliveries(event.payload);
            let dispositions = dead_letters.handle_batch(&deliveries).await;
            Ok(batch::response(&deliveries, &dispositions))
        };
        lambda::answer(service_fn(bury)).await
    })
}
