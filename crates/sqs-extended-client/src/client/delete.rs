//! Deleting and hiding: by SQS's own handles, and the message before its payload.

use aws_sdk_sqs::operation::change_message_visibility::ChangeMessageVisibilityOutput;
use aws_sdk_sqs::operation::change_message_visibility::builders::ChangeMessageVisibilityFluentBuilder;
use aws_sdk_sqs::operation::change_message_visibility_batch::ChangeMessageVisibilityBatchOutput;
use aws_sdk_sqs::operation::change_message_visibility_batch::builders::ChangeMessageVisibilityBatchFluentBuilder;
use aws_sdk_sqs::operation::delete_message::DeleteMessageOutput;
use aws_sdk_sqs::operation::delete_message::builders::DeleteMessageFluentBuilder;
use aws_sdk_sqs::operation::delete_message_batch::DeleteMessageBatchOutput;
use aws_sdk_sqs::operation::delete_message_batch::builders::DeleteMessageBatchFluentBuilder;

use super::{Error, ExtendedClient};
use crate::{Pointer, split};

/// Splits a handle into its pointer, if it has one, and SQS's own handle.
fn split_handle(handle: &str) -> (Option<Pointer>, String) {
    match split(handle) {
        Some((pointer, handle)) => (Some(pointer), handle.to_owned()),
        None => (None, handle.to_owned()),
    }
}

impl ExtendedClient {
    /// Deletes a message, and then, if [`Settings::delete_payloads`](super::Settings::delete_payloads) says so, its payload. One
    /// request, or two.
    ///
    /// The other libraries delete the payload first: if the message then stays, it comes back without one.
    ///
    /// # Errors
    /// [`Error::Sqs`]: both may be there. [`Error::S3`]: the message is deleted, and the payload is left to a lifecycle rule.
    pub async fn delete_message(
        &self,
        request: DeleteMessageFluentBuilder,
    ) -> Result<DeleteMessageOutput, Error> {
        let (pointer, handle) =
            split_handle(request.get_receipt_handle().as_deref().unwrap_or_default());
        let output = request
            .receipt_handle(handle)
            .send()
            .await
            .map_err(Error::sqs)?;
        if let Some(pointer) = pointer.filter(|_| self.settings.delete_payloads) {
            self.delete_payload(&pointer).await?;
        }
        Ok(output)
    }

    /// Deletes up to ten messages, and then the payloads of those that SQS says are deleted. One request, and one for each of
    /// those payloads.
    ///
    /// # Errors
    /// As [`ExtendedClient::delete_message`]; after [`Error::S3`] further payloads may be left.
    pub async fn delete_message_batch(
        &self,
        request: DeleteMessageBatchFluentBuilder,
    ) -> Result<DeleteMessageBatchOutput, Error> {
        let mut entries = request.get_entries().clone().unwrap_or_default();
        let mut pointers = Vec::new();
        for entry in &mut entries {
            let (pointer, handle) = split_handle(&entry.receipt_handle);
            entry.receipt_handle = handle;
            pointers.extend(pointer.map(|pointer| (entry.id.clone(), pointer)));
        }
        let output = request
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(Error::sqs)?;
        let deleted = |id: &str| output.successful().iter().any(|entry| entry.id() == id);
        for (_, pointer) in pointers
            .iter()
            .filter(|(id, _)| self.settings.delete_payloads && deleted(id))
        {
            self.delete_payload(pointer).await?;
        }
        Ok(output)
    }

    /// Hides a message for longer, or for less long. One request.
    ///
    /// # Errors
    /// [`Error::Sqs`].
    pub async fn change_message_visibility(
        &self,
        request: ChangeMessageVisibilityFluentBuilder,
    ) -> Result<ChangeMessageVisibilityOutput, Error> {
        let (_, handle) = split_handle(request.get_receipt_handle().as_deref().unwrap_or_default());
        request
            .receipt_handle(handle)
            .send()
            .await
            .map_err(Error::sqs)
    }

    /// Hides up to ten messages. One request.
    ///
    /// # Errors
    /// [`Error::Sqs`].
    pub async fn change_message_visibility_batch(
        &self,
        request: ChangeMessageVisibilityBatchFluentBuilder,
    ) -> Result<ChangeMessageVisibilityBatchOutput, Error> {
        let mut entries = request.get_entries().clone().unwrap_or_default();
        for entry in &mut entries {
            entry.receipt_handle = split_handle(&entry.receipt_handle).1;
        }
        request
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(Error::sqs)
    }
}
