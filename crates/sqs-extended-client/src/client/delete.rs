//! Deletes and hides messages. Converts handles to SQS's own, and deletes a message before its payload.

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

/// Splits a handle into its pointer, if it contains one, and SQS's own handle.
fn split_handle(handle: &str) -> (Option<Pointer>, String) {
    match split(handle) {
        Some((pointer, handle)) => (Some(pointer), handle.to_owned()),
        None => (None, handle.to_owned()),
    }
}

impl ExtendedClient {
    /// Deletes a message, and then its payload, if [`Settings::delete_payloads`](super::Settings::delete_payloads) is
    /// set. Makes one or two requests.
    ///
    /// The other libraries delete the payload first: if deleting the message fails, it is delivered again without a
    /// payload.
    ///
    /// # Errors
    /// Returns [`Error::Sqs`]: both may exist. Returns [`Error::S3`]: the message is deleted, and a lifecycle rule must
    /// delete the payload.
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

    /// Deletes up to ten messages, and then the payloads of those that SQS has deleted. Makes one request, and one for
    /// each of those payloads.
    ///
    /// # Errors
    /// Like [`ExtendedClient::delete_message`]. After [`Error::S3`], further payloads may remain.
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

    /// Extends or shortens the visibility timeout of a message. Makes one request.
    ///
    /// # Errors
    /// Returns [`Error::Sqs`].
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

    /// Changes the visibility timeout of up to ten messages. Makes one request.
    ///
    /// # Errors
    /// Returns [`Error::Sqs`].
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
