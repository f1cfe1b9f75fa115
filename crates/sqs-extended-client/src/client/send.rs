//! Sends messages.

use std::collections::HashMap;

use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::operation::send_message_batch::builders::SendMessageBatchFluentBuilder;
use aws_sdk_sqs::types::MessageAttributeValue;

use super::{Error, ExtendedClient};
use crate::attributes::{DATA_TYPE, MAX_OWN_ATTRIBUTES};
use crate::batch::{EntrySize, to_offload};
use crate::size::{Attribute, SQS_LIMIT, message_size};
use crate::{Pointer, SizeAttribute};

type Attributes = HashMap<String, MessageAttributeValue>;

/// Text with the length of the random part of a key.
const KEY_SAMPLE: &str = "00000000-0000-0000-0000-000000000000";

impl ExtendedClient {
    /// Sends a message. Its payload goes to S3 if it exceeds the threshold. Makes one or two requests.
    ///
    /// # Errors
    /// Returns [`Error::NoBody`], [`Error::Reserved`], [`Error::TooManyAttributes`] or [`Error::TooLarge`] before
    /// anything is sent. Returns [`Error::S3`] or [`Error::Sqs`] after that. After the latter, the payload may exist
    /// without a message; a lifecycle rule deletes it.
    pub async fn send_message(
        &self,
        request: SendMessageFluentBuilder,
    ) -> Result<SendMessageOutput, Error> {
        let body = body(request.get_message_body().as_ref())?;
        let mut attributes = request.get_message_attributes().clone().unwrap_or_default();
        let size = self.size(body, &attributes)?;
        let request = if self.settings.always || size.inline > self.settings.threshold {
            let (body, attributes) = (body.to_owned(), std::mem::take(&mut attributes));
            let (body, attributes) = self.offload(body, attributes, size).await?;
            request
                .message_body(body)
                .set_message_attributes(Some(attributes))
        } else {
            request
        };
        request.send().await.map_err(Error::sqs)
    }

    /// Sends up to ten messages. Payloads over the threshold go to S3, and then the largest ones until the batch
    /// complies with its limit. Makes one request, and one for each payload in S3. The output lists the messages that
    /// SQS rejected.
    ///
    /// # Errors
    /// Like [`ExtendedClient::send_message`] for any entry. Returns [`Error::BatchTooLarge`] if the attributes alone
    /// are too large.
    pub async fn send_message_batch(
        &self,
        request: SendMessageBatchFluentBuilder,
    ) -> Result<SendMessageBatchOutput, Error> {
        let mut entries = request.get_entries().clone().unwrap_or_default();
        let mut sizes = Vec::with_capacity(entries.len());
        for entry in &entries {
            let none = HashMap::new();
            let attributes = entry.message_attributes.as_ref().unwrap_or(&none);
            sizes.push(self.size(body(Some(&entry.message_body))?, attributes)?);
        }
        let threshold = if self.settings.always {
            0
        } else {
            self.settings.threshold
        };
        let offload = to_offload(&sizes, threshold, self.settings.batch_limit)?;
        for ((entry, size), _) in entries
            .iter_mut()
            .zip(sizes)
            .zip(offload)
            .filter(|(_, offload)| *offload)
        {
            let (body, attributes) = (
                std::mem::take(&mut entry.message_body),
                entry.message_attributes.take(),
            );
            let (body, attributes) = self
                .offload(body, attributes.unwrap_or_default(), size)
                .await?;
            (entry.message_body, entry.message_attributes) = (body, Some(attributes));
        }
        request
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(Error::sqs)
    }

    fn size(&self, body: &str, attributes: &Attributes) -> Result<EntrySize, Error> {
        if let Some(reserved) = SizeAttribute::from_names(attributes.keys().map(String::as_str)) {
            return Err(Error::Reserved(reserved.as_str()));
        }
        let inline = message_size(body, attributes.iter().map(to_attribute));
        let bytes = body.len().to_string();
        let size_attribute = Attribute {
            name: self.settings.attribute.as_str(),
            data_type: DATA_TYPE,
            value: bytes.as_bytes(),
        };
        let key = format!("{}{KEY_SAMPLE}", self.settings.key_prefix);
        let pointer = Pointer::new(&self.settings.bucket, key).to_body(self.settings.class);
        Ok(EntrySize {
            inline,
            offloaded: inline - body.len() + pointer.len() + size_attribute.size(),
        })
    }

    async fn offload(
        &self,
        body: String,
        mut attributes: Attributes,
        size: EntrySize,
    ) -> Result<(String, Attributes), Error> {
        if attributes.len() > MAX_OWN_ATTRIBUTES {
            return Err(Error::TooManyAttributes(attributes.len()));
        }
        if size.offloaded > SQS_LIMIT {
            return Err(Error::TooLarge(size.offloaded));
        }
        let bytes = MessageAttributeValue::builder()
            .data_type(DATA_TYPE)
            .string_value(body.len().to_string())
            .build();
        attributes.insert(
            self.settings.attribute.as_str().to_owned(),
            bytes.expect("its type is set"),
        );
        let pointer = self.put(body).await?;
        Ok((pointer.to_body(self.settings.class), attributes))
    }
}

fn body(body: Option<&String>) -> Result<&str, Error> {
    body.map(String::as_str)
        .filter(|body| !body.is_empty())
        .ok_or(Error::NoBody)
}

fn to_attribute<'a>((name, value): (&'a String, &'a MessageAttributeValue)) -> Attribute<'a> {
    let text = value.string_value().map(str::as_bytes);
    let value_bytes = text
        .or_else(|| value.binary_value().map(AsRef::as_ref))
        .unwrap_or_default();
    Attribute {
        name,
        data_type: value.data_type(),
        value: value_bytes,
    }
}
