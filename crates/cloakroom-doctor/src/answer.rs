//! Outcomes of calls to AWS.
//!
//! Error policy: a call without a response, or with rejected credentials, ends the examination with one finding
//! ([`Stop`]). All other calls would fail in the same way. For a denied call, the finding names the action to allow. A
//! call that the service does not support is skipped with a note, because emulators don't support all calls. Any other
//! error is shown with its own text.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::actions::ACTIONS;
use crate::command::quoted;
use crate::finding::{Check, Finding, check};
use cloakroom_aws::error::said;
use cloakroom_core::redact::causes;

/// The last finding of an examination that can't continue.
#[derive(Debug)]
pub(crate) struct Stop(pub(super) Box<Finding>, pub(super) End);

/// Reason for the end of an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The examination is complete.
    Answered,
    /// No service responds.
    Unreachable,
    /// No region is configured, or there are no valid credentials.
    Unidentified,
}

/// Outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// The result.
    Is(T),
    /// The resource does not exist.
    Absent,
    /// The caller is not authorized: the IAM action, and the service's error text.
    Denied(&'static str, String),
    /// The service does not support the call.
    Unknown(&'static str),
    /// The call failed for another reason.
    Unclear(String),
}

/// Properties of a call that determine the meaning of its failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// IAM action that allows the call.
    pub(crate) action: &'static str,
    /// Error codes for a resource that does not exist.
    pub(crate) absent: &'static [&'static str],
}

/// Error codes for rejected credentials, whatever the call.
const REFUSED: [&str; 12] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Error codes for calls that the service does not support.
const UNKNOWN: [&str; 7] = [
    "AWS.SimpleQueueService.UnsupportedOperation",
    "InvalidAction",
    "NotImplemented",
    "NotImplementedException",
    "UnknownOperation",
    "UnknownOperationException",
    "UnsupportedOperation",
];

impl<T> Answer<T> {
    /// Classifies the result of a call to the SDK.
    pub(crate) fn from_result<E>(
        call: Call,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Self, Stop>
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        match answer {
            Ok(value) => Ok(Self::Is(value)),
            Err(SdkError::ServiceError(refused)) => {
                let error = refused.err();
                let message = error.message().map_or_else(|| causes(error), str::to_owned);
                Self::refused(
                    call,
                    refused.raw().status().as_u16(),
                    error.code().unwrap_or_default(),
                    message,
                )
            }
            Err(error @ (SdkError::DispatchFailure(_) | SdkError::TimeoutError(_))) => {
                Err(unreachable(&said(&error)))
            }
            Err(error) => Ok(Self::Unclear(said(&error))),
        }
    }

    fn refused(call: Call, status: u16, code: &str, message: String) -> Result<Self, Stop> {
        // SQS and DynamoDB prefix some codes with a namespace.
        let code = code.rsplit(['#', '/']).next().unwrap_or_default();
        if call.absent.contains(&code) {
            return Ok(Self::Absent);
        }
        if REFUSED.contains(&code) {
            return Err(refused_credentials(code, &message));
        }
        if code.starts_with("AccessDenied") || code == "UnauthorizedOperation" || status == 403 {
            return Ok(Self::Denied(call.action, message));
        }
        if UNKNOWN.contains(&code) || status == 501 {
            return Ok(Self::Unknown(call.action));
        }
        Ok(Self::Unclear(format!("{status} {code}: {message}")))
    }

    /// Returns the result, if it is known.
    pub(crate) fn read(&self) -> Option<&T> {
        if let Self::Is(value) = self {
            Some(value)
        } else {
            None
        }
    }

    /// Returns the result (`None` if the resource does not exist), or a finding that it is unknown.
    pub(crate) fn or_finding(&self, check: Check) -> Result<Option<&T>, Finding> {
        match self {
            Self::Is(value) => Ok(Some(value)),
            Self::Absent => Ok(None),
            Self::Denied(action, message) => Err(denied(check, action, message)),
            Self::Unknown(action) => Err(check.skip(format!(
                "not checked: the service does not support this call ({action})"
            ))),
            Self::Unclear(reason) => Err(check.fail(
                format!("the response is unusable: {reason}"),
                "the setting can't be checked; the service may recover: run the doctor again",
            )),
        }
    }

    /// Converts the result.
    pub(crate) fn map<U>(self, as_read: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Is(value) => Answer::Is(as_read(value)),
            Self::Absent => Answer::Absent,
            Self::Denied(action, message) => Answer::Denied(action, message),
            Self::Unknown(action) => Answer::Unknown(action),
            Self::Unclear(reason) => Answer::Unclear(reason),
        }
    }
}

fn unreachable(reason: &str) -> Stop {
    let finding = check("credentials", "endpoint").fail(
        format!("no response: {reason}"),
        "nothing can be checked; AWS_ENDPOINT_URL (unset for AWS itself) and AWS_REGION select the services",
    );
    Stop(
        Box::new(finding.fixed_by("aws configure list")),
        End::Unreachable,
    )
}

fn refused_credentials(code: &str, message: &str) -> Stop {
    let finding = check("credentials", "credentials").fail(
        format!("they are rejected: {message} ({code})"),
        "nothing can be checked: the credentials are unknown or have expired, or the region is not enabled for the account",
    );
    Stop(
        Box::new(finding.fixed_by("aws sts get-caller-identity || aws configure")),
        End::Unidentified,
    )
}

fn denied(check: Check, action: &str, message: &str) -> Finding {
    let finding = check.fail(
        format!("{action} is denied: {message}"),
        format!(
            "the setting can't be checked; the doctor needs {}",
            ACTIONS.join(", ")
        ),
    );
    match grant(message) {
        Some(command) => finding.fixed_by(command),
        None => finding,
    }
}

/// Returns a command that grants the doctor's calls to the principal that the error message names.
fn grant(message: &str) -> Option<String> {
    let who = message
        .split_whitespace()
        .find(|word| word.starts_with("arn:"))?;
    let name = who
        .split_once(":user/")
        .map(|(_, path)| path.rsplit('/').next().unwrap_or(path));
    let role = || {
        who.split_once(":assumed-role/")
            .and_then(|(_, rest)| rest.split('/').next())
    };
    let (put, name) = match name {
        Some(name) => ("put-user-policy --user-name", name),
        None => ("put-role-policy --role-name", role()?),
    };
    let actions = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": ACTIONS, "Resource": "*" }],
    });
    let (name, actions) = (quoted(name), quoted(&actions.to_string()));
    Some(format!(
        "aws iam {put} {name} --policy-name cloakroom-doctor --policy-document {actions}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    const CALL: Call = Call {
        action: "sqs:GetQueueAttributes",
        absent: &["QueueDoesNotExist"],
    };

    fn refused(status: u16, code: &str, message: &str) -> Result<Answer<()>, Stop> {
        Answer::refused(CALL, status, code, message.to_owned())
    }

    fn finding(answer: Result<Answer<()>, Stop>) -> Finding {
        let answer = answer.expect("others can still be asked");
        answer
            .or_finding(check("queue", "attributes"))
            .expect_err("nothing is known")
    }

    #[test]
    fn what_is_not_there_is_told_from_what_may_not_be_asked() {
        let absent = refused(400, "com.amazonaws.sqs#QueueDoesNotExist", "no")
            .expect("others can still be asked");
        assert_eq!(absent.or_finding(check("queue", "attributes")), Ok(None));
        let denied = finding(refused(
            403,
            "AccessDenied",
            "User: arn:aws:iam::1:user/team/ada is not authorized to …",
        ));
        assert_eq!(denied.state, State::Fail);
        assert!(
            denied
                .found
                .starts_with("sqs:GetQueueAttributes is denied: "),
            "{denied:?}"
        );
        let fix = denied.fix.expect("it says who is denied");
        assert!(
            fix.starts_with(
                "aws iam put-user-policy --user-name ada --policy-name cloakroom-doctor "
            ),
            "{fix}"
        );
        assert!(ACTIONS.iter().all(|action| fix.contains(action)), "{fix}");
    }

    #[test]
    fn the_grant_is_to_the_role_that_was_assumed_and_to_nobody_if_none_is_named() {
        let message =
            "User: arn:aws:sts::1:assumed-role/reader/session is not authorized to perform: …";
        let fix = finding(refused(400, "AccessDeniedException", message))
            .fix
            .expect("it says who is denied");
        assert!(
            fix.starts_with("aws iam put-role-policy --role-name reader "),
            "{fix}"
        );
        assert_eq!(finding(refused(403, "", "Forbidden")).fix, None);
    }

    #[test]
    fn a_call_that_the_service_does_not_know_is_skipped_and_not_fine() {
        for (status, code) in [
            (501, "InternalFailure"),
            (400, "UnknownOperationException"),
            (400, "NotImplemented"),
        ] {
            let finding = finding(refused(status, code, "no"));
            assert_eq!(finding.state, State::Skip, "{code}");
            assert_eq!(
                finding.found,
                "not checked: the service does not support this call (sqs:GetQueueAttributes)"
            );
        }
    }

    #[test]
    fn refused_credentials_end_the_examination() {
        for code in [
            "UnrecognizedClientException",
            "SignatureDoesNotMatch",
            "ExpiredToken",
        ] {
            let Stop(last, _) = refused(403, code, "the token is invalid")
                .expect_err("all calls would end the same");
            assert_eq!((last.state, last.subject), (State::Fail, "credentials"));
            assert_eq!(
                last.found,
                format!("they are rejected: the token is invalid ({code})")
            );
        }
    }

    #[test]
    fn what_else_fails_is_shown_in_its_own_words() {
        let finding = finding(refused(500, "InternalError", "oh"));
        assert_eq!(
            (finding.state, &*finding.found),
            (
                State::Fail,
                "the response is unusable: 500 InternalError: oh"
            )
        );
    }
}
