//! Error responses of SQS.
//!
//! An error has two names: the shape in the body's `__type`, and the code of the older query protocol in
//! `x-amzn-query-error`, which the SDK uses. All of them are errors of the client, except [`Kind::Internal`], whose
//! reason only goes to the log.

use std::fmt::Display;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    Internal,
    InvalidAction,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MalformedInput,
    MessageNotInflight,
    MissingParameter,
    QueueDoesNotExist,
    QueueNameExists,
    ReceiptHandleIsInvalid,
    ResourceNotFound,
    TooManyEntriesInBatchRequest,
    UnsupportedOperation,
}

impl Kind {
    /// Returns the shape in the body's `__type`.
    pub(super) fn shape(self) -> &'static str {
        match self {
            Kind::BatchEntryIdsNotDistinct => "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
            Kind::BatchRequestTooLong => "com.amazonaws.sqs#BatchRequestTooLong",
            Kind::EmptyBatchRequest => "com.amazonaws.sqs#EmptyBatchRequest",
            Kind::Internal => "com.amazonaws.sqs#InternalFailure",
            Kind::InvalidAction => "com.amazon.coral.service#UnknownOperationException",
            Kind::InvalidAttributeName => "com.amazonaws.sqs#InvalidAttributeName",
            Kind::InvalidAttributeValue => "com.amazonaws.sqs#InvalidAttributeValue",
            Kind::InvalidBatchEntryId => "com.amazonaws.sqs#InvalidBatchEntryId",
            Kind::InvalidMessageContents => "com.amazonaws.sqs#InvalidMessageContents",
            Kind::InvalidParameterValue => {
                "com.amazon.coral.service#InvalidParameterValueException"
            }
            Kind::MalformedInput => "com.amazon.coral.service#SerializationException",
            Kind::MessageNotInflight => "com.amazonaws.sqs#MessageNotInflight",
            Kind::MissingParameter => "com.amazon.coral.service#MissingRequiredParameterException",
            Kind::QueueDoesNotExist => "com.amazonaws.sqs#QueueDoesNotExist",
            Kind::QueueNameExists => "com.amazonaws.sqs#QueueNameExists",
            Kind::ReceiptHandleIsInvalid => "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            Kind::ResourceNotFound => "com.amazonaws.sqs#ResourceNotFoundException",
            Kind::TooManyEntriesInBatchRequest => "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
            Kind::UnsupportedOperation => "com.amazonaws.sqs#UnsupportedOperation",
        }
    }

    /// Returns the code of the query protocol.
    pub(super) fn code(self) -> &'static str {
        match self {
            Kind::BatchEntryIdsNotDistinct => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            Kind::BatchRequestTooLong => "AWS.SimpleQueueService.BatchRequestTooLong",
            Kind::EmptyBatchRequest => "AWS.SimpleQueueService.EmptyBatchRequest",
            Kind::Internal => "InternalFailure",
            Kind::InvalidAction => "InvalidAction",
            Kind::InvalidAttributeName => "InvalidAttributeName",
            Kind::InvalidAttributeValue => "InvalidAttributeValue",
            Kind::InvalidBatchEntryId => "AWS.SimpleQueueService.InvalidBatchEntryId",
            Kind::InvalidMessageContents => "InvalidMessageContents",
            Kind::InvalidParameterValue => "InvalidParameterValue",
            Kind::MalformedInput => "MalformedInput",
            Kind::MessageNotInflight => "AWS.SimpleQueueService.MessageNotInflight",
            Kind::MissingParameter => "MissingParameter",
            Kind::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue",
            Kind::QueueNameExists => "QueueAlreadyExists",
            Kind::ReceiptHandleIsInvalid => "ReceiptHandleIsInvalid",
            Kind::ResourceNotFound => "ResourceNotFoundException",
            Kind::TooManyEntriesInBatchRequest => {
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
            }
            Kind::UnsupportedOperation => "AWS.SimpleQueueService.UnsupportedOperation",
        }
    }

    pub(super) fn sender_fault(self) -> bool {
        self != Kind::Internal
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SqsError {
    pub(super) kind: Kind,
    /// Message for the client.
    pub(super) message: String,
}

impl SqsError {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Logs the reason. The client only learns that it can retry.
    pub(super) fn internal(reason: impl Display) -> Self {
        tracing::error!(%reason, "the embedded queue failed");
        Self::new(
            Kind::Internal,
            "We encountered an internal error. Please try again.",
        )
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidParameterValue, message)
    }

    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new(Kind::MissingParameter, message)
    }

    pub(super) fn no_such_queue() -> Self {
        Self::new(
            Kind::QueueDoesNotExist,
            "The specified queue does not exist.",
        )
    }
}

impl From<rusqlite::Error> for SqsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error)
    }
}

impl From<serde_json::Error> for SqsError {
    /// Error of data that we stored ourselves. Errors of requests are handled where they are parsed.
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}
