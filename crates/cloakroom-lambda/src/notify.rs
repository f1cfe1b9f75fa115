use std::sync::Arc;

use aws_lambda_events::sqs::SqsBatchResponse;
use cloakroom_app::{Deliver, Publisher};
use cloakroom_aws::{Clients, DeliverConfig, PublisherConfig, environment};
use cloakroom_webhooks::{Reach, Webhooks};
use lambda_http::lambda_runtime::service_fn;
use lambda_http::{Error, LambdaEvent};
use serde_json::Value;

use crate::{batch, start, stream};

/// Runs one of the two functions that notify the listeners of jobs, as its variables say.
///
/// - With `CLOAKROOM_KEYS_SECRET`, it is the function behind the queue of deliveries: it sends webhooks and replies.
/// - Without, it is the function behind the table's stream: it publishes the changes of jobs that have listeners.
///
/// # Errors
/// Returns an error of the Lambda runtime. An invalid configuration ends the process with one line in the log.
pub fn notify() -> Result<(), Error> {
    start::run(&[], async {
        let clients = Clients::from_function_env();
        if environment("CLOAKROOM_KEYS_SECRET").is_some() {
            let config = start::configured(DeliverConfig::from_env);
            let webhooks = Arc::new(webhooks());
            deliver(cloakroom_aws::deliver(&config, &clients, webhooks)).await
        } else {
            let config = start::configured(PublisherConfig::from_env);
            publish(cloakroom_aws::publisher(&config, &clients)).await
        }
    })
}

fn webhooks() -> Webhooks {
    Webhooks::new(Reach::Public)
}

async fn deliver(deliver: Deliver) -> Result<(), Error> {
    let handle = async |event: LambdaEvent<Value>| -> Result<SqsBatchResponse, Error> {
        let messages = batch::deliveries(serde_json::from_value(event.payload)?);
        let dispositions = deliver.handle_batch(&messages).await;
        Ok(batch::response(&messages, &dispositions))
    };
    start::answer(service_fn(handle)).await
}

async fn publish(publisher: Publisher) -> Result<(), Error> {
    let handle = async |event: LambdaEvent<Value>| -> Result<Value, Error> {
        Ok(stream::publish(&publisher, &event.payload).await)
    };
    start::answer(service_fn(handle)).await
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use cloakroom_webhooks::PostError;

    use super::*;

    #[tokio::test]
    async fn webhooks_are_not_sent_to_addresses_that_are_not_public() {
        let url = "https://localhost:1/";
        let posted = webhooks().post(url, &[], Bytes::new()).await;
        assert_eq!(posted, Err(PostError::ForbiddenAddress));
    }
}
