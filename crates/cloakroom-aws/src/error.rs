//! What the SDK's errors mean to a use case.
//!
//! Error policy: what may be gone at the next try (throttling, a timeout, a connection, the service's own 5xx) is
//! [`PortError::Unavailable`]; what an operator has to fix (a permission, a missing table, a value that the service
//! refuses) is [`PortError::Misconfigured`]. An answer that is part of the port's contract (a condition that did not
//! hold, an object that is not there) is no error, and never comes here. Reasons are one line each:
//! the service's code and message, or the causes of a call that got no answer.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use cloakroom_app::ports::PortError;
use cloakroom_core::redact::{self, causes};

/// The table, as errors name it.
pub(crate) const TABLE: &str = "the table";
/// The queue.
pub(crate) const QUEUE: &str = "the queue";
/// What sends messages much later.
pub(crate) const SCHEDULER: &str = "the scheduler";
/// The store of objects.
pub(crate) const OBJECTS: &str = "the object storage";

/// Error codes below 500 that a retry may resolve.
const RETRYABLE_CODES: [&str; 23] = [
    // too much at once
    "BandwidthLimitExceeded",
    "KmsThrottled",
    "LimitExceededException",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    // two at the same time
    "OperationAborted",
    "TransactionConflictException",
    "TransactionInProgressException",
    // late: by the network, or by a machine that was frozen while its credentials ran out, or whose clock was set
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestTimeoutException",
];

/// What a failed call means.
pub fn port_error<E>(service: &'static str, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let retryable = match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            status >= 500
                || status == 429
                || answer
                    .err()
                    .code()
                    .is_some_and(|code| RETRYABLE_CODES.contains(&code))
        }
        // The request could not even be made of what was given.
        SdkError::ConstructionFailure(_) => false,
        // No answer, or none that could be read. The SDK's enum is open; a failure that it adds is taken for one of these.
        _ => true,
    };
    let reason = said(error);
    if retryable {
        PortError::Unavailable { service, reason }
    } else {
        PortError::Misconfigured { service, reason }
    }
}

/// An error of the SDK in one line: the service's code and message, or the causes of a failure before there was an answer.
pub fn said<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        return causes(error);
    };
    let status = answer.raw().status().as_u16();
    match (answer.err().code(), answer.err().message()) {
        (Some(code), Some(message)) => redact::text(&format!("{message} ({status} {code})")),
        (Some(code), None) => format!("{status} {code}"),
        (None, Some(message)) => redact::text(&format!("{message} ({status})")),
        (None, None) => format!("{status}: {}", causes(answer.err())),
    }
}

#[cfg(test)]
mod tests;
