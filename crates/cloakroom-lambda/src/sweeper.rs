use aws_lambda_events::sqs::SqsBatchResponse;
use cloakroom_aws::{Clients, SweeperConfig};
use lambda_http::lambda_runtime::service_fn;
use lambda_http::{Error, LambdaEvent};
use serde_json::Value;

use crate::{batch, start, stream};

/// Runs the function behind the table's stream and the sweeper's own queue, which ends abandoned jobs.
///
/// # Errors
/// Returns an error of the Lambda runtime. An invalid configuration ends the process with one line in the log.
pub fn sweeper() -> Result<(), Error> {
    start::run(&[], async {
        let config = start::configured(SweeperConfig::from_env);
        let rounds = cloakroom_aws::rounds(&config, &Clients::from_function_env(), start::meter());
        let sweep = async |event: LambdaEvent<Value>| -> Result<SqsBatchResponse, Error> {
            if let Some(jobs) = stream::accepted(&event.payload) {
                // An error fails the whole batch. The stream delivers it again for as long as it retains records.
                rounds.begin(&jobs).await?;
                return Ok(SqsBatchResponse::default());
            }
            let lists = batch::deliveries(serde_json::from_value(event.payload)?);
            let dispositions = rounds.resume(&lists).await;
            Ok(batch::response(&lists, &dispositions))
        };
        start::answer(service_fn(sweep)).await
    })
}
