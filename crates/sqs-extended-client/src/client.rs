//! Client that sends the SDK's own requests, and moves payloads to and from S3.
//!
//! Requests are the SDK's fluent builders, so all of their options are available. Guarantees:
//! - A payload is in S3 before its message is sent. If it is deleted, then after its message.
//! - If the payload of one received message can't be fetched, the receiver still gets the other messages.
//! - A batch complies with SQS's limit in total, not only for each message.

mod delete;
mod error;
mod receive;
mod received;
mod send;

pub use error::Error;
pub use received::Received;

use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use uuid::Uuid;

use crate::size::{SQS_LIMIT, THRESHOLD};
use crate::{Pointer, PointerClass, SizeAttribute};

/// Settings of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bucket for new payloads. Payloads are fetched from the bucket that a message names.
    pub bucket: String,
    /// Prefix of keys; a random UUID follows. Empty by default.
    pub key_prefix: String,
    /// Maximum size in bytes of a message that contains its payload. 262 144 by default, like in the other libraries;
    /// every queue accepts that size.
    pub threshold: usize,
    /// Maximum size of a batch in bytes: [`SQS_LIMIT`] by default.
    pub batch_limit: usize,
    /// True if every payload goes to S3. False by default.
    pub always: bool,
    /// Class name in pointers. By default that of the Python library.
    pub class: PointerClass,
    /// Attribute that marks pointers. By default that of the Python library.
    pub attribute: SizeAttribute,
    /// True if a payload is deleted after its message. False by default, because a message may have been sent to
    /// several queues, and only lifecycle rules of the bucket delete all payloads reliably.
    pub delete_payloads: bool,
}

impl Settings {
    /// Returns the default settings, with payloads in this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key_prefix: String::new(),
            threshold: THRESHOLD,
            batch_limit: SQS_LIMIT,
            always: false,
            class: PointerClass::default(),
            attribute: SizeAttribute::default(),
            delete_payloads: false,
        }
    }
}

/// SQS client with payloads in S3.
///
/// ```no_run
/// # async fn run(sqs: aws_sdk_sqs::Client, s3: aws_sdk_s3::Client) -> Result<(), cloakroom_sqs_extended_client::Error> {
/// use cloakroom_sqs_extended_client::{ExtendedClient, Settings};
///
/// let client = ExtendedClient::new(sqs, s3, Settings::new("payloads-of-mine"));
/// let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/work";
/// client.send_message(client.sqs().send_message().queue_url(queue).message_body("x".repeat(2_000_000))).await?;
///
/// let received = client.receive_message(client.sqs().receive_message().queue_url(queue).wait_time_seconds(20)).await?;
/// for message in received.messages {
///     assert_eq!(message.body().map(str::len), Some(2_000_000));
///     let handle = message.receipt_handle.unwrap_or_default();
///     client.delete_message(client.sqs().delete_message().queue_url(queue).receipt_handle(handle)).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ExtendedClient {
    sqs: aws_sdk_sqs::Client,
    s3: aws_sdk_s3::Client,
    settings: Settings,
}

impl ExtendedClient {
    /// Creates a client from the clients of the SDK.
    pub const fn new(sqs: aws_sdk_sqs::Client, s3: aws_sdk_s3::Client, settings: Settings) -> Self {
        Self { sqs, s3, settings }
    }

    /// Returns the SQS client, for building requests.
    pub const fn sqs(&self) -> &aws_sdk_sqs::Client {
        &self.sqs
    }

    /// Returns the settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Puts a payload into the bucket, and returns its pointer. Makes one request.
    ///
    /// # Errors
    /// Returns [`Error::S3`]. The object may exist anyway.
    pub async fn put(&self, payload: String) -> Result<Pointer, Error> {
        let Settings {
            bucket, key_prefix, ..
        } = &self.settings;
        let pointer = Pointer::new(bucket, format!("{key_prefix}{}", Uuid::new_v4()));
        let put = self
            .s3
            .put_object()
            .bucket(&pointer.bucket)
            .key(&pointer.key)
            .content_type("text/plain; charset=utf-8");
        put.body(ByteStream::from(payload.into_bytes()))
            .send()
            .await
            .map_err(Error::s3)?;
        Ok(pointer)
    }

    /// Fetches a payload. Makes one request.
    ///
    /// # Errors
    /// Returns [`Error::PayloadNotFound`] (only if the caller may list the bucket; otherwise S3 reports that access is
    /// forbidden), [`Error::NotText`], [`Error::Interrupted`] or [`Error::S3`].
    pub async fn get(&self, pointer: &Pointer) -> Result<String, Error> {
        let got = self
            .s3
            .get_object()
            .bucket(&pointer.bucket)
            .key(&pointer.key)
            .send()
            .await;
        let object = got.map_err(|error| {
            if error
                .as_service_error()
                .is_some_and(GetObjectError::is_no_such_key)
            {
                Error::PayloadNotFound(pointer.clone())
            } else {
                Error::s3(error)
            }
        })?;
        let bytes = object
            .body
            .collect()
            .await
            .map_err(Error::Interrupted)?
            .to_vec();
        String::from_utf8(bytes).map_err(|_| Error::NotText(pointer.clone()))
    }

    async fn delete_payload(&self, pointer: &Pointer) -> Result<(), Error> {
        let deleted = self
            .s3
            .delete_object()
            .bucket(&pointer.bucket)
            .key(&pointer.key)
            .send()
            .await;
        deleted.map(|_| ()).map_err(Error::s3)
    }
}
