use std::sync::Arc;

use aws_lambda_events::sqs::SqsBatchResponse;
use cloakroom_app::delivery::Delivery;
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
        if delivers(&environment) {
            let config = start::configured(DeliverConfig::from_env);
            let webhooks = Arc::new(webhooks());
            deliver(cloakroom_aws::deliver(&config, &clients, webhooks)).await
        } else {
            let config = start::configured(PublisherConfig::from_env);
            publish(cloakroom_aws::publisher(&config, &clients)).await
        }
    })
}

/// Returns true if the variables are those of the function behind the queue of deliveries.
fn delivers(lookup: &dyn Fn(&str) -> Option<String>) -> bool {
    lookup("CLOAKROOM_KEYS_SECRET").is_some()
}

fn webhooks() -> Webhooks {
    Webhooks::new(Reach::Public)
}

async fn deliver(deliver: Deliver) -> Result<(), Error> {
    let handle = async |event: LambdaEvent<Value>| -> Result<SqsBatchResponse, Error> {
        let messages = serde_json::from_value(event.payload)?;
        let deliver = async |all: &[Delivery]| deliver.handle_batch(all).await;
        Ok(batch::handle(messages, deliver).await)
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

    #[test]
    fn the_function_that_delivers_is_the_one_with_keys() {
        let with = |variables: &[&str]| {
            delivers(&|name| variables.contains(&name).then(|| "x".to_owned()))
        };
        let both = ["CLOAKROOM_TABLE", "CLOAKROOM_DELIVERIES_URL"];
        let of_publisher = ["CLOAKROOM_EVENT_BUS", "CLOAKROOM_PUBLIC_BASE_URL"];
        let of_deliver = ["CLOAKROOM_BUCKET", "CLOAKROOM_KEYS_SECRET"];
        assert!(!with(&[both, of_publisher].concat()));
        assert!(with(&[both, of_deliver].concat()));
    }

    #[tokio::test]
    async fn webhooks_are_not_sent_to_addresses_that_are_not_public() {
        let url = "https://localhost:1/";
        let posted = webhooks().post(url, &[], Bytes::new()).await;
        assert_eq!(posted, Err(PostError::ForbiddenAddress));
    }
}
