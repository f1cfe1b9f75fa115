use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;

use super::*;

fn answered(status: u16, code: &str) -> PortError {
    let error = ErrorMetadata::builder()
        .code(code)
        .message("words of the service")
        .build();
    let status = StatusCode::try_from(status).expect("a status");
    port_error(
        TABLE,
        &SdkError::service_error(error, HttpResponse::new(status, SdkBody::empty())),
    )
}

fn is_passing(error: &PortError) -> bool {
    matches!(error, PortError::Unavailable { .. })
}

#[test]
fn what_may_be_gone_at_the_next_try_is_unavailable() {
    for (status, code) in [
        (400, "BandwidthLimitExceeded"),
        (400, "KmsThrottled"),
        (400, "LimitExceededException"),
        (400, "OverLimit"),
        (400, "PriorRequestNotComplete"),
        (400, "ProvisionedThroughputExceededException"),
        (400, "RequestLimitExceeded"),
        (400, "RequestThrottled"),
        (400, "RequestThrottledException"),
        (400, "SlowDown"),
        (400, "ThrottledException"),
        (400, "Throttling"),
        (400, "ThrottlingException"),
        (400, "TooManyRequestsException"),
        (400, "TransactionConflictException"),
        (400, "TransactionInProgressException"),
        (400, "ExpiredTokenException"),
        (403, "ExpiredToken"),
        (403, "RequestExpired"),
        (403, "RequestTimeTooSkewed"),
        (400, "RequestTimeout"),
        (400, "RequestTimeoutException"),
        (409, "OperationAborted"),
        (429, "whatever"),
        (500, "InternalServerError"),
        (503, "SlowDown"),
        (503, ""),
    ] {
        assert!(is_passing(&answered(status, code)), "{status} {code}");
    }
    let timeout = SdkError::<ErrorMetadata, HttpResponse>::timeout_error("no answer in 3 s");
    assert!(is_passing(&port_error(QUEUE, &timeout)));
    let refused = SdkError::<ErrorMetadata, HttpResponse>::dispatch_failure(ConnectorError::io(
        "connection refused".into(),
    ));
    assert!(is_passing(&port_error(OBJECTS, &refused)));
}

#[test]
fn what_an_operator_has_to_mend_is_misconfigured() {
    for (status, code) in [
        (400, "ResourceNotFoundException"),
        (400, "ValidationException"),
        (400, "AccessDeniedException"),
        (400, "UnrecognizedClientException"),
        (403, "AccessDenied"),
        (400, "AWS.SimpleQueueService.NonExistentQueue"),
        (404, "NoSuchBucket"),
        (413, "EntityTooLarge"),
    ] {
        assert!(!is_passing(&answered(status, code)), "{status} {code}");
    }
    let unmade = SdkError::<ErrorMetadata, HttpResponse>::construction_failure("no region");
    assert!(!is_passing(&port_error(TABLE, &unmade)));
}

#[test]
fn the_reason_is_the_services_own_words_for_the_log() {
    let PortError::Misconfigured { service, reason } = answered(403, "AccessDenied") else {
        panic!("misconfigured")
    };
    assert_eq!(service, "the table");
    assert!(
        reason.contains("AccessDenied") && reason.contains("words of the service"),
        "{reason}"
    );
}
