//! The queues of the deployed stack, beside the API.

use std::env;
use std::time::{Duration, Instant};

use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

/// The queue and its dead letters: `CLOAKROOM_QUEUE_URL` and `CLOAKROOM_DEAD_LETTERS_URL`, as `localstack/status --env`
/// prints them.
pub(crate) struct Queues {
    sqs: Client,
    queue: String,
    dead_letters: String,
}

impl Queues {
    pub(crate) async fn find() -> Self {
        let url = |name: &str| env::var(name).unwrap_or_else(|_| panic!("set {name} to the URL of the stack's queue"));
        let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self {
            sqs: Client::new(&sdk),
            queue: url("CLOAKROOM_QUEUE_URL"),
            dead_letters: url("CLOAKROOM_DEAD_LETTERS_URL"),
        }
    }

    /// How long a message is hidden that a worker died over, in seconds.
    pub(crate) async fn visibility_timeout(&self) -> String {
        let name = QueueAttributeName::VisibilityTimeout;
        let asked = self.sqs.get_queue_attributes().queue_url(&self.queue).attribute_names(name.clone()).send().await;
        let attributes = asked.expect("its attributes").attributes.expect("one of them");
        attributes[&name].clone()
    }

    pub(crate) async fn set_visibility_timeout(&self, seconds: &str) {
        let name = QueueAttributeName::VisibilityTimeout;
        self.sqs.set_queue_attributes().queue_url(&self.queue).attributes(name, seconds).send().await.expect("set");
    }

    /// Sends a message as somebody else's program may.
    pub(crate) async fn send(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.queue).message_body(body).send().await.expect("send");
    }

    /// Waits for this body among the dead letters, and takes it from there.
    pub(crate) async fn await_dead_letter(&self, body: &str, patience: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            let asked = self.sqs.receive_message().queue_url(&self.dead_letters).wait_time_seconds(5);
            for message in asked.send().await.expect("receive").messages.unwrap_or_default() {
                if message.body.as_deref() == Some(body) {
                    let done = self.sqs.delete_message().queue_url(&self.dead_letters);
                    done.set_receipt_handle(message.receipt_handle).send().await.expect("delete");
                    return;
                }
            }
        }
        panic!("{body:?} is not among the dead letters after {} s", patience.as_secs());
    }
}
