//! Received messages.

use aws_sdk_sqs::types::Message;

use super::error::Error;

/// Messages that were received.
#[derive(Debug, Default)]
pub struct Received {
    /// Messages with their payloads, without the attribute that marked them. Their receipt handles contain the
    /// pointers: use them with this client's other requests.
    pub messages: Vec<Message>,
    /// Messages whose payload could not be fetched, as SQS returned them, with the errors. They become visible again
    /// after the visibility timeout, unless they are deleted.
    pub failed: Vec<(Message, Error)>,
}
