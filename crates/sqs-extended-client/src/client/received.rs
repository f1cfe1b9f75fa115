//! Received messages.

use aws_sdk_sqs::types::Message;

use super::error::Error;

/// Messages that were received.
#[derive(Debug, Default)]
pub struct Received {
    /// The messages with their payloads, without the attribute that marked them. Their receipt handles remember the payload:
    /// use them with this client's other requests.
    pub messages: Vec<Message>,
    /// Those whose payload could not be fetched, as SQS handed them out, and why. They come back after the visibility timeout,
    /// unless they are deleted.
    pub failed: Vec<(Message, Error)>,
}
