//! The client: the SDK's own requests, with payloads that go to S3 and come back from there.
//!
//! Requests are the SDK's fluent builders, so that everything else about them is said as ever. What is promised:
//! - a payload is in S3 before its message is sent, and is deleted, if at all, after its message was;
//! - of several messages that are received, one whose payload can't be fetched keeps none of the others from their receiver;
//! - a batch is within SQS's limit in total, not only message by message.

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

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where payloads are put. Payloads are fetched from whichever bucket a message names.
    pub bucket: String,
    /// What keys begin with; a random UUID follows. Empty by default.
    pub key_prefix: String,
    /// The largest message, in bytes, that carries its payload itself: 262 144 by default, what the other libraries go by and
    /// every queue takes.
    pub threshold: usize,
    /// The largest batch, in bytes: [`SQS_LIMIT`] by default.
    pub batch_limit: usize,
    /// Whether every payload goes to S3. Not by default.
    pub always: bool,
    /// How pointers are written: as Python's library does by default.
    pub class: PointerClass,
    /// Which attribute marks them: likewise.
    pub attribute: SizeAttribute,
    /// Whether a payload is deleted after its message. Not by default: a message may have been sent to several queues, and the
    /// bucket's lifecycle rules are what never forgets one.
    pub delete_payloads: bool,
}

impl Settings {
    /// The defaults, with payloads in this bucket.
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

/// SQS with payloads in S3.
///
/// ```no_run
/// # async fn run(sqs: aws_sdk_sqs::Client, s3: aws_sdk_s3::Client) -> Result<(), sqs_extended_client::Error> {
/// use sqs_extended_client::{ExtendedClient, Settings};
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
    /// Over the clients of the SDK.
    pub const fn new(sqs: aws_sdk_sqs::Client, s3: aws_sdk_s3::Client, settings: Settings) -> Self {
        Self { sqs, s3, settings }
    }

    /// What requests are made with.
    pub const fn sqs(&self) -> &aws_sdk_sqs::Client {
        &self.sqs
    }

    /// What it does.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Puts a payload where a message will point: one request.
    ///
    /// # Errors
    /// [`Error::S3`]. The object may be there all the same.
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

    /// Fetches a payload: one request.
    ///
    /// # Errors
    /// [`Error::PayloadNotFound`] (where the caller may list the bucket: to others S3 says that it is forbidden), [`Error::NotText`],
    /// [`Error::Interrupted`], [`Error::S3`].
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
