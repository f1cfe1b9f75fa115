//! Errors of requests.

use crate::attributes::MAX_OWN_ATTRIBUTES;
use crate::size::SQS_LIMIT;
use crate::{BatchTooLarge, InvalidPointer, Pointer};

/// Error of a request. If SQS or S3 rejected it, their error shows whether a retry may help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQS rejected the request, or was not reached.
    #[error("SQS refused: {0}")]
    Sqs(#[source] Box<aws_sdk_sqs::Error>),
    /// S3 rejected the request, or was not reached.
    #[error("S3 refused: {0}")]
    S3(#[source] Box<aws_sdk_s3::Error>),
    /// The request has no body, or an empty one: SQS accepts neither.
    #[error("a message has no body")]
    NoBody,
    /// The message has an attribute whose name is reserved for pointers.
    #[error("the attribute {0} marks messages whose payload is in S3; give yours another name")]
    Reserved(&'static str),
    /// The message has too many attributes for one more: [`MAX_OWN_ATTRIBUTES`] is the maximum.
    #[error(
        "the message has {0} attributes; with its payload in S3 it can have {MAX_OWN_ATTRIBUTES}"
    )]
    TooManyAttributes(usize),
    /// The message is too large even with its payload in S3, because of its attributes. Contains its size in bytes.
    #[error("the message is {0} bytes with its payload in S3, and SQS takes {SQS_LIMIT}")]
    TooLarge(usize),
    /// The attributes of a batch are too large in total.
    #[error(transparent)]
    BatchTooLarge(#[from] BatchTooLarge),
    /// A message is marked as a pointer, but its body is not one.
    #[error(transparent)]
    InvalidPointer(#[from] InvalidPointer),
    /// The payload of a message was deleted, or never existed.
    #[error("there is no payload where the message says")]
    PayloadNotFound(Pointer),
    /// The payload is not text.
    #[error("the payload is not UTF-8")]
    NotText(Pointer),
    /// The connection broke while the payload was read.
    #[error("the payload was cut off: {0}")]
    Interrupted(#[source] aws_sdk_s3::primitives::ByteStreamError),
}

impl Error {
    pub(super) fn sqs(error: impl Into<aws_sdk_sqs::Error>) -> Self {
        Self::Sqs(Box::new(error.into()))
    }

    pub(super) fn s3(error: impl Into<aws_sdk_s3::Error>) -> Self {
        Self::S3(Box::new(error.into()))
    }
}
