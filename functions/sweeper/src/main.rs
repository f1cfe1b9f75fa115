//! The function behind the table's stream and the sweeper's own queue: ends jobs that nothing else would.

use aws_lambda_events::sqs::SqsBatchResponse;
use cloakroom_aws::{Clients, SweeperConfig};
use lambda::{batch, stream};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    lambda::run(async {
        let config = lambda::configured(SweeperConfig::from_env);
        let meter = lambda::meter();
        let rounds = cloakroom_aws::rounds(&config, &Clients::of_function(), meter);
        let sweep = async |event: LambdaEvent<Value>| -> Result<SqsBatchResponse, Error> {
            if let Some(jobs) = stream::accepted(&event.payload) {
                // A failure fails the batch: it comes again, for as long as the stream keeps it.
                rounds.begin(&jobs).await?;
                return Ok(SqsBatchResponse::default());
            }
            let lists = batch::deliveries(serde_json::from_value(event.payload)?);
            let dispositions = rounds.resume(&lists).await;
            Ok(batch::response(&lists, &dispositions))
        };
        lambda::answer(service_fn(sweep)).await
    })
}
