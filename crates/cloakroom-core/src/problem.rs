//! Problem documents (RFC 9457): the body of every response with status 400 or above.
//!
//! The policy: a 4xx means that the same request will fail again, and states what to do instead. A 5xx or 429 means
//! that the outcome is unknown, and that the client should retry. `detail` is for users and contains no internals: no
//! SDK error text, no bucket, table or queue name. Details for operators go to the log, once, where the error is
//! handled.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::view::JobView;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $status:literal, $title:literal;)*) => {
        /// Codes of the service's own problems. The document of a failed job may have its handler's code instead.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the stable kebab-case code.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Returns the HTTP status. For a failed job, it is the default that a handler can override.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// Returns a short text that is the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body, upload or command exceeds its limit.
    PayloadTooLarge = "payload-too-large", 413, "The payload is too large";
    /// The body is not JSON.
    MalformedJson = "malformed-json", 400, "The body is not well-formed JSON";
    /// The URI is longer than the HTTP server accepts.
    UriTooLong = "uri-too-long", 414, "The URI is too long";
    /// The headers are more or longer than the HTTP server accepts.
    HeadersTooLarge = "headers-too-large", 431, "The headers are too large";
    /// The path does not exist.
    NotFound = "not-found", 404, "The path does not exist";
    /// The path does not support the method.
    MethodNotAllowed = "method-not-allowed", 405, "The method is not allowed";
    /// The gateway throttles the caller. The functions never return this code themselves.
    TooManyRequests = "too-many-requests", 429, "Too many requests";
    /// The gateway requires credentials. The functions never return this code themselves.
    Unauthorized = "unauthorized", 401, "The caller is unknown";
    /// The caller has no access to this service, or the gateway passed the request on without an identity.
    Forbidden = "forbidden", 403, "Access is denied";
    /// A service that Cloakroom needs is throttled or unavailable.
    TemporarilyUnavailable = "temporarily-unavailable", 503, "The service is temporarily unavailable";
    /// Internal error of the service.
    InternalError = "internal-error", 500, "The service failed";
    /// The request is malformed: its headers, its query, or its structure.
    InvalidRequest = "invalid-request", 400, "The request is not valid";
    /// A precondition of the request failed (RFC 9110, section 13.1). The request had no effect.
    PreconditionFailed = "precondition-failed", 412, "A precondition failed";
    /// No command of this type is registered.
    UnknownCommand = "unknown-command", 404, "The command is unknown";
    /// The key is not valid.
    InvalidIdempotencyKey = "invalid-idempotency-key", 400, "The Idempotency-Key is not valid";
    /// The time is malformed or too late.
    InvalidNotBefore = "invalid-not-before", 400, "The Not-Before is not valid";
    /// The correlation id is not valid.
    InvalidCorrelationId = "invalid-correlation-id", 400, "The Correlation-Id is not valid";
    /// The URL of the webhook is malformed or not allowed.
    InvalidCallbackUrl = "invalid-callback-url", 400, "The Callback-Url is not valid";
    /// The deployment has no reply queue of this name.
    UnknownReplyQueue = "unknown-reply-queue", 422, "The reply queue is unknown";
    /// The ticket of a shared link is wrong, altered or expired.
    InvalidTicket = "invalid-ticket", 401, "The ticket is not valid";
    /// The job has no delivery with this id.
    UnknownDelivery = "unknown-delivery", 404, "The delivery is unknown";
    /// A later event of the job has replaced the one of the delivery.
    DeliveryOvertaken = "delivery-overtaken", 409, "The delivery was overtaken";
    /// The command requires a key.
    IdempotencyKeyRequired = "idempotency-key-required", 400, "An Idempotency-Key is required";
    /// The command accepts other media types.
    UnsupportedMediaType = "unsupported-media-type", 415, "The media type is not supported";
    /// The payload does not match the command's schema.
    InvalidPayload = "invalid-payload", 422, "The payload is not valid";
    /// The key was used for another command.
    IdempotencyKeyReused = "idempotency-key-reused", 422, "The Idempotency-Key was used for another command";
    /// No finished upload has this id.
    UploadNotFound = "upload-not-found", 422, "The upload was not found";
    /// The result has expired, but the job has not.
    ResultExpired = "result-expired", 410, "The result has expired";
    /// The multipart upload does not exist or has expired.
    UnknownUpload = "unknown-upload", 404, "The upload is unknown";
    /// The job does not exist or has expired.
    UnknownJob = "unknown-job", 404, "The job is unknown";
    /// The job failed.
    JobFailed = "job-failed", 400, "The job failed";
    /// The job was cancelled.
    JobCancelled = "job-cancelled", 410, "The job was cancelled";
    /// The job is not a process, and accepts no signals.
    NotAProcess = "not-a-process", 409, "The job is not a process";
    /// The job has ended and can't be cancelled.
    JobFinished = "job-finished", 409, "The job is finished";
}

impl Code {
    /// Returns the stable URI of the problem type.
    pub fn type_uri(self) -> String {
        format!("urn:cloakroom:problem:{}", self.as_str())
    }
}

/// A problem document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable URI of the problem type.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// Short text that is the same for every problem of the type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Explanation of this occurrence, and what to do about it.
    pub detail: String,
    /// Path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable kebab-case code.
    pub code: String,
    /// Errors in members of the payload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The job that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Box<JobView>>,
}

/// An error in one member of a payload or in a query parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) to the member. For a query parameter, `/` and its name.
    pub pointer: String,
    /// Description for users.
    pub detail: String,
}

impl FieldError {
    /// Creates an error in the member at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }

    /// Creates an error in a member of the document itself.
    pub fn in_member(name: &str, detail: impl Into<String>) -> Self {
        Self::new(format!("/{}", reference_token(name)), detail)
    }
}

/// Escapes the name of a member for a JSON Pointer (RFC 6901, section 3).
pub fn reference_token(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

impl Problem {
    /// Creates a problem of the service itself.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            type_uri: code.type_uri(),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            instance: None,
            code: code.as_str().to_owned(),
            errors: Vec::new(),
            job: None,
        }
    }

    /// Creates the response to polls of a failed or cancelled job. Returns `None` for other jobs.
    pub fn from_job(job: JobView) -> Option<Self> {
        let mut problem = match (job.status, &job.error) {
            (crate::Status::Cancelled, _) => Self::new(
                Code::JobCancelled,
                "the job was cancelled; if it is still needed, submit it again under a new key",
            ),
            (crate::Status::Failed, Some(error)) => {
                let mut problem = Self::new(Code::JobFailed, error.detail.clone());
                problem.status = error.status;
                problem.code.clone_from(&error.code);
                problem
            }
            _ => return None,
        };
        // Not the link, which may contain a ticket.
        problem.instance = job.links.history.as_ref().map(|_| job.links.this.clone());
        problem.job = Some(Box::new(job));
        Some(problem)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_problem_says_what_its_code_does() {
        for &code in Code::ALL {
            let problem = Problem::new(code, "this time");
            assert_eq!(
                problem.type_uri,
                format!("urn:cloakroom:problem:{}", code.as_str())
            );
            assert_eq!(
                (problem.title.as_str(), problem.status),
                (code.title(), code.status())
            );
            assert_eq!(
                (problem.code.as_str(), problem.detail.as_str()),
                (code.as_str(), "this time")
            );
            assert_eq!(
                (problem.instance, problem.errors, problem.job),
                (None, vec![], None)
            );
        }
    }

    #[test]
    fn codes_are_different_kebab_case_words_with_statuses_of_errors() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{code:?}"
            );
            assert!(matches!(code.status(), 400..=599), "{code:?}");
        }
    }

    #[test]
    fn an_error_of_a_field_tells_where_and_what() {
        let error = FieldError::new("/a/0", "must be a number");
        assert_eq!(
            (error.pointer.as_str(), error.detail.as_str()),
            ("/a/0", "must be a number")
        );
        assert_eq!(
            FieldError::in_member("a/b~c", "is unknown").pointer,
            "/a~1b~0c"
        );
    }

    #[test]
    fn members_that_do_not_apply_are_left_out() {
        let problem =
            serde_json::to_value(Problem::new(Code::UnknownJob, "no such job")).expect("JSON");
        let names: Vec<_> = problem
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            HashSet::from_iter(names),
            HashSet::from(["type", "title", "status", "detail", "code"])
        );
    }
}
