//! Queues of the deployed stack, accessed without the API.

use std::env;

use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

/// The queue and its dead letters: `CLOAKROOM_QUEUE_URL` and `CLOAKROOM_DEAD_LETTERS_URL`, as printed by
/// `localstack/status --env`.
pub(crate) struct Queues {
    sqs: Client,
    queue: String,
    dead_letters: String,
}

impl Queues {
    pub(crate) async fn find() -> Self {
        let url = |name: &str| {
            env::var(name).unwrap_or_else(|_| panic!("set {name} to the URL of the stack's queue"))
        };
        let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self {
            sqs: Client::new(&sdk),
            queue: url("CLOAKROOM_QUEUE_URL"),
            dead_letters: url("CLOAKROOM_DEAD_LETTERS_URL"),
        }
    }

    /// Returns the visibility timeout in seconds.
    pub(crate) async fn visibility_timeout(&self) -> String {
        let name = QueueAttributeName::VisibilityTimeout;
        let asked = self
            .sqs
            .get_queue_attributes()
            .queue_url(&self.queue)
            .attribute_names(name.clone())
            .send()
            .await;
        let attributes = asked
            .expect("its attributes")
            .attributes
            .expect("one of them");
        attributes[&name].clone()
    }

    pub(crate) async fn set_visibility_timeout(&self, seconds: &str) {
        let name = QueueAttributeName::VisibilityTimeout;
        self.sqs
            .set_queue_attributes()
            .queue_url(&self.queue)
            .attributes(name, seconds)
            .send()
            .await
            .expect("set");
    }

    /// Sends a message like a foreign program. Returns its id.
    pub(crate) async fn send(&self, body: &str) -> String {
        let sent = self
            .sqs
            .send_message()
            .queue_url(&self.queue)
            .message_body(body)
            .send()
            .await
            .expect("send");
        sent.message_id.expect("an id")
    }

    /// Sends a message to the dead-letter queue.
    pub(crate) async fn send_dead(&self, body: &str) {
        self.sqs
            .send_message()
            .queue_url(&self.dead_letters)
            .message_body(body)
            .send()
            .await
            .expect("send");
    }

    /// Returns true if the dead-letter queue has no messages, visible or hidden.
    pub(crate) async fn has_no_dead_letters(&self) -> bool {
        self.count(&self.dead_letters).await == 0
    }

    /// Returns true if the queue has no messages, visible or hidden.
    pub(crate) async fn is_empty(&self) -> bool {
        self.count(&self.queue).await == 0
    }

    async fn count(&self, url: &str) -> u64 {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let asked = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .set_attribute_names(Some(names.to_vec()))
            .send();
        let attributes = asked
            .await
            .expect("its attributes")
            .attributes
            .expect("two of them");
        names
            .iter()
            .map(|name| attributes[name].parse::<u64>().expect("a number"))
            .sum()
    }
}
