//! The client: the SDK's own requests, with payloads that go to S3 and come back from there.
//!
//! Requests are the SDK's fluent builders, so that everything else about them is said as ever. What is promised:
//! - a payload is in S3 before its message is sent, and is deleted, if at all, after its message was;
//! - of several messages that are received, one whose payload can't be fetched keeps none of the others from their receiver;
//! - a batch is within SQS's limit in total, not only message by message.

mod delete;
mod receive;
mod send;

pub use receive::Received;

use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use uuid::Uuid;

use crate::attributes::MAX_OWN_ATTRIBUTES;
use crate::size::{SQS_LIMIT, THRESHOLD};
use crate::{BatchTooLarge, InvalidPointer, Pointer, PointerClass, SizeAttribute};

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

/// A request that failed. Where SQS or S3 refused, whether to ask again is theirs to say.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQS refused, or was not reached.
    #[error("SQS refused: {0}")]
    Sqs(#[source] Box<aws_sdk_sqs::Error>),
    /// S3 refused, or was not reached.
    #[error("S3 refused: {0}")]
    S3(#[source] Box<aws_sdk_s3::Error>),
    /// The request has no body, or an empty one: SQS takes neither.
    #[error("a message has no body")]
    NoBody,
    /// The message has an attribute of a name that marks pointers.
    #[error("the attribute {0} marks messages whose payload is in S3; give yours another name")]
    Reserved(&'static str),
    /// The message has so many attributes of its own that it can't have one more: [`MAX_OWN_ATTRIBUTES`] are the most.
    #[error(
        "the message has {0} attributes; with its payload in S3 it can have {MAX_OWN_ATTRIBUTES}"
    )]
    TooManyAttributes(usize),
    /// A message is too large for its attributes alone: in bytes, with its payload in S3.
    #[error("the message is {0} bytes with its payload in S3, and SQS takes {SQS_LIMIT}")]
    TooLarge(usize),
    /// The attributes of a batch are too large in total.
    #[error(transparent)]
    BatchTooLarge(#[from] BatchTooLarge),
    /// A message is marked as a pointer, and is none.
    #[error(transparent)]
    InvalidPointer(#[from] InvalidPointer),
    /// The payload of a message was deleted, or never existed.
    #[error("there is no payload where the message says")]
    PayloadNotFound(Pointer),
    /// A payload is no text, which bodies of messages are.
    #[error("the payload is not UTF-8")]
    NotText(Pointer),
    /// The connection broke while a payload was read.
    #[error("the payload was cut off: {0}")]
    Interrupted(#[source] aws_sdk_s3::primitives::ByteStreamError),
}

impl Error {
    fn sqs(error: impl Into<aws_sdk_sqs::Error>) -> Self {
        Self::Sqs(Box::new(error.into()))
    }

    fn s3(error: impl Into<aws_sdk_s3::Error>) -> Self {
        Self::S3(Box::new(error.into()))
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
