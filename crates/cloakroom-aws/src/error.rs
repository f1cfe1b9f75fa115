//! Classification of SDK errors.
//!
//! Error policy: an error that a retry may resolve (throttling, a timeout, a connection, the service's own 5xx) is
//! [`PortError::Unavailable`]. An error that an operator has to fix (a permission, a missing table, a rejected value)
//! is [`PortError::Misconfigured`]. A failed condition or a missing object is part of the port's contract: it is not an
//! error, and is handled before. A reason is one line: the service's code and message, or the causes of a call without
//! a response.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use cloakroom_app::ports::PortError;
use cloakroom_core::redact::{self, causes};

/// Name of the table in errors.
pub(crate) const TABLE: &str = "the table";
/// Name of the queue in errors.
pub(crate) const QUEUE: &str = "the queue";
/// Name of the scheduler in errors.
pub(crate) const SCHEDULER: &str = "the scheduler";
/// Name of the object storage in errors.
pub(crate) const OBJECTS: &str = "the object storage";

/// Error codes below 500 that a retry may resolve.
const RETRYABLE_CODES: [&str; 23] = [
    // throttling
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
    // concurrent requests
    "OperationAborted",
    "TransactionConflictException",
    "TransactionInProgressException",
    // expired: because of the network, a frozen machine, or a clock that was set
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestTimeoutException",
];

/// Classifies a failed call.
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
        // The request could not be created from its parameters.
        SdkError::ConstructionFailure(_) => false,
        // There was no valid response. The SDK may add further variants, which are treated alike.
        _ => true,
    };
    let reason = said(error);
    if retryable {
        PortError::Unavailable { service, reason }
    } else {
        PortError::Misconfigured { service, reason }
    }
}

/// Formats an SDK error in one line: the service's code and message, or the causes of a failure without a response.
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
