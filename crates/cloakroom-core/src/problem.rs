//! Problem documents (RFC 9457): every answer of status 400 and over.
//!
//! The policy: a 4xx says that asking again changes nothing, and what to do instead; a 5xx or 429 says that the
//! answer is not known, and to ask again. `detail` is for a person and tells nothing of the inside: no SDK text, no
//! bucket, table or queue name. What operators need goes to the log, once, where the error is handled.

use serde::{Deserialize, Serialize};

use crate::view::JobView;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $status:literal, $title:literal;)*) => {
        /// The service's own problems. A failed job's document may carry its handler's code instead.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable kebab-case word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The HTTP status; of a failed job, the one that stands where its handler named none.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// A short text that is the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body, upload or command is over its limit.
    PayloadTooLarge = "payload-too-large", 413, "The payload is too large";
    /// The body is not JSON.
    MalformedJson = "malformed-json", 400, "The body is not well-formed JSON";
    /// The URI is longer than the HTTP server reads.
    UriTooLong = "uri-too-long", 414, "The URI is too long";
    /// The headers are more or longer than the HTTP server reads.
    HeadersTooLarge = "headers-too-large", 431, "The headers are too large";
    /// No such path.
    NotFound = "not-found", 404, "There is nothing here";
    /// The path has other methods.
    MethodNotAllowed = "method-not-allowed", 405, "The method is not allowed here";
    /// The gateway in front takes no more requests of this caller for now; the functions never answer it themselves.
    TooManyRequests = "too-many-requests", 429, "There are too many requests";
    /// The gateway in front asks for credentials; the functions never answer it themselves.
    Unauthorized = "unauthorized", 401, "The caller is not known";
    /// The caller's credentials are not good for this service, or the gateway let it in without saying who it is.
    Forbidden = "forbidden", 403, "The caller is not let in";
    /// Something that the service needs is throttled or away.
    TemporarilyUnavailable = "temporarily-unavailable", 503, "The service is temporarily unavailable";
    /// A fault of the service itself.
    InternalError = "internal-error", 500, "The service failed";
    /// The request can't be read: its headers, its query, or how it is put together.
    InvalidRequest = "invalid-request", 400, "The request is not valid";
    /// A precondition of the request does not hold (RFC 9110, section 13.1): nothing was changed.
    PreconditionFailed = "precondition-failed", 412, "A precondition does not hold";
    /// No command of that type is registered.
    UnknownCommand = "unknown-command", 404, "The command is unknown";
    /// The key breaks its rule.
    InvalidIdempotencyKey = "invalid-idempotency-key", 400, "The Idempotency-Key is not valid";
    /// The time that a job is to wait for can't be read, or is too late.
    InvalidNotBefore = "invalid-not-before", 400, "The Not-Before is not valid";
    /// The command asks for a key.
    IdempotencyKeyRequired = "idempotency-key-required", 400, "An Idempotency-Key is required";
    /// The command takes other media types.
    UnsupportedMediaType = "unsupported-media-type", 415, "The media type is not supported";
    /// The payload is not what the command takes.
    InvalidPayload = "invalid-payload", 422, "The payload is not valid";
    /// The key belongs to another command.
    IdempotencyKeyReused = "idempotency-key-reused", 422, "The Idempotency-Key was used for another command";
    /// No such upload is ready.
    UploadNotFound = "upload-not-found", 422, "The upload was not found";
    /// The result was kept for a shorter time than the job.
    ResultExpired = "result-expired", 410, "The result is no longer kept";
    /// No such upload in parts, or no longer.
    UnknownUpload = "unknown-upload", 404, "The upload is unknown";
    /// No such job, or no longer.
    UnknownJob = "unknown-job", 404, "The job is unknown";
    /// The job failed.
    JobFailed = "job-failed", 400, "The job failed";
    /// The job was cancelled.
    JobCancelled = "job-cancelled", 410, "The job was cancelled";
    /// The job is over and can't be cancelled.
    JobFinished = "job-finished", 409, "The job is finished";
}

impl Code {
    /// The stable URI of the problem's type.
    pub fn type_uri(self) -> String {
        format!("urn:cloakroom:problem:{}", self.as_str())
    }
}

/// A problem document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// The stable URI of the problem's type.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The same for every problem of the type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// Where it occurred: the path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// A stable kebab-case word.
    pub code: String,
    /// What is wrong with which part of the payload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The job that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Box<JobView>>,
}

/// One thing that is wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where: a JSON Pointer (RFC 6901); of a query parameter, its name after a `/`.
    pub pointer: String,
    /// What, fit to show a person.
    pub detail: String,
}

impl FieldError {
    /// A thing that is wrong with the member at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

impl Problem {
    /// A problem of the service's own.
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

    /// What polls answer of a failed or cancelled job; `None` while there is nothing wrong with it.
    pub fn from_job(job: JobView) -> Option<Self> {
        let mut problem = match (job.status, &job.error) {
            (crate::Status::Cancelled, _) => Self::new(
                Code::JobCancelled,
                "the job was cancelled; submit it again under a new key if it is wanted after all",
            ),
            (crate::Status::Failed, Some(error)) => {
                let mut problem = Self::new(Code::JobFailed, error.detail.clone());
                problem.status = error.status;
                problem.code.clone_from(&error.code);
                problem
            }
            _ => return None,
        };
        problem.instance = Some(job.links.this.clone());
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
