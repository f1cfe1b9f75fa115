//! Receives messages.

use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::types::Message;

use super::ExtendedClient;
use super::error::Error;
use super::received::Received;
use crate::{Pointer, SizeAttribute, embed};

impl ExtendedClient {
    /// Receives messages, and fetches their payloads from S3 sequentially. Makes one request, and one for each of those
    /// payloads.
    ///
    /// # Errors
    /// Returns [`Error::Sqs`]: no message was received.
    pub async fn receive_message(
        &self,
        request: ReceiveMessageFluentBuilder,
    ) -> Result<Received, Error> {
        let mut names = request
            .get_message_attribute_names()
            .clone()
            .unwrap_or_default();
        for attribute in SizeAttribute::ALL {
            if !names
                .iter()
                .any(|name| name == attribute.as_str() || name == "All" || name == ".*")
            {
                names.push(attribute.as_str().to_owned());
            }
        }
        let output = request
            .set_message_attribute_names(Some(names))
            .send()
            .await
            .map_err(Error::sqs)?;
        let mut received = Received::default();
        for message in output.messages.unwrap_or_default() {
            match self.resolve(&message).await {
                Ok(resolved) => received.messages.push(resolved),
                Err(error) => received.failed.push((message, error)),
            }
        }
        Ok(received)
    }

    /// Fetches the payload of a message. Returns any other message unchanged. For messages from other sources, for
    /// example Lambda.
    ///
    /// # Errors
    /// Returns [`Error::InvalidPointer`], or an error of [`ExtendedClient::get`].
    pub async fn resolve(&self, message: &Message) -> Result<Message, Error> {
        let mut message = message.clone();
        let attributes = message
            .message_attributes
            .iter()
            .flatten()
            .map(|(name, _)| name.as_str());
        if SizeAttribute::from_names(attributes).is_none() {
            return Ok(message);
        }
        let pointer = Pointer::parse(message.body().unwrap_or_default())?;
        message.body = Some(self.get(&pointer).await?);
        // SQS's digest is that of the pointer.
        message.md5_of_body = None;
        if let Some(attributes) = &mut message.message_attributes {
            for attribute in SizeAttribute::ALL {
                attributes.remove(attribute.as_str());
            }
        }
        message.receipt_handle = message
            .receipt_handle
            .map(|handle| embed(&pointer, &handle));
        Ok(message)
    }
}
