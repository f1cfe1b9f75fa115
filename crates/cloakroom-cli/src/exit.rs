//! Exit codes of the program, for scripts.

use std::fmt::Write as _;
use std::process::ExitCode;

use cloakroom_app::ports::PortError;
use cloakroom_client::{Error, Status};

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Success = 0,
    JobFailed = 1,
    /// Also the code that clap uses.
    Usage = 2,
    Cancelled = 3,
    Refused = 4,
    Unavailable = 5,
    Unknown = 6,
    /// Only from `doctor`.
    Unfit = 7,
    /// 128 plus the number of SIGINT, as in a shell.
    Interrupted = 130,
}

/// Exit codes with their meaning, as `--help` shows them.
pub(crate) const CODES: [(Exit, &str); 9] = [
    (
        Exit::Success,
        "success: the command was accepted, or is done",
    ),
    (Exit::JobFailed, "the job failed"),
    (
        Exit::Usage,
        "the command line, a file or a URL is not valid",
    ),
    (Exit::Cancelled, "the job was cancelled"),
    (Exit::Refused, "the service rejected the request: change it"),
    (
        Exit::Unavailable,
        "the outcome is unknown, or the job has not ended: retry later",
    ),
    (Exit::Unknown, "the job is unknown or has expired"),
    (Exit::Unfit, "the doctor found a problem to fix"),
    (Exit::Interrupted, "interrupted; an accepted job continues"),
];

/// Returns the exit codes as a paragraph of `--help`.
pub(crate) fn help() -> String {
    CODES
        .iter()
        .fold("Exit codes:".to_owned(), |mut text, (exit, meaning)| {
            write!(text, "\n  {:>3}  {meaning}", *exit as u8)
                .expect("writing to a string can't fail");
            text
        })
}

/// Failure of the program: its exit code, and a message for a person.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }
}

/// Converts the error of an AWS service that an operator's command called.
impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let exit = match error {
            PortError::Unavailable { .. } => Exit::Unavailable,
            PortError::Misconfigured { .. } | PortError::Unreadable { .. } => Exit::Usage,
        };
        Self {
            exit,
            message: format!("failed to {error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let fields = error
            .problem()
            .into_iter()
            .flat_map(|problem| &problem.errors);
        let mut message = format!("failed to {error}");
        for field in fields {
            let separator = if field.pointer.is_empty() { "" } else { ": " };
            write!(message, "; {}{separator}{}", field.pointer, field.detail)
                .expect("writing to a string can't fail");
        }
        Self {
            exit: Exit::from_error(&error),
            message,
        }
    }
}

impl Exit {
    pub(crate) fn from_error(error: &Error) -> Self {
        match error {
            Error::Problem(problem) if problem.code == "unknown-job" => Self::Unknown,
            Error::Problem(_) => Self::Refused,
            Error::JobFailed(_) => Self::JobFailed,
            Error::JobCancelled(_) => Self::Cancelled,
            Error::Unavailable { .. } | Error::Transport { .. } | Error::Protocol(_) => {
                Self::Unavailable
            }
            Error::Input { .. } => Self::Usage,
        }
    }

    pub(crate) fn from_status(status: Status) -> Self {
        match status {
            Status::Failed => Self::JobFailed,
            Status::Cancelled => Self::Cancelled,
            Status::Accepted
            | Status::Running
            | Status::Retrying
            | Status::Cancelling
            | Status::Succeeded => Self::Success,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_client::Problem;

    use super::*;
    use cloakroom_core::Code;

    fn problem(code: Code) -> Box<Problem> {
        Box::new(Problem::new(code, "not so"))
    }

    #[test]
    fn every_error_has_its_code() {
        let cases = [
            (Error::JobFailed(problem(Code::JobFailed)), 1),
            (
                Error::Input {
                    what: "a file".to_owned(),
                    reason: "it does not exist".to_owned(),
                },
                2,
            ),
            (Error::JobCancelled(problem(Code::JobCancelled)), 3),
            (Error::Problem(problem(Code::InvalidPayload)), 4),
            (Error::Problem(problem(Code::JobFinished)), 4),
            (
                Error::Unavailable {
                    attempts: 8,
                    reason: "503".to_owned(),
                    retry_after: None,
                },
                5,
            ),
            (
                Error::Transport {
                    what: "read",
                    reason: "it broke".to_owned(),
                },
                5,
            ),
            (Error::Protocol("<html>".to_owned()), 5),
            (Error::Problem(problem(Code::UnknownJob)), 6),
        ];
        for (error, code) in cases {
            assert_eq!(Exit::from_error(&error) as u8, code, "{error}");
        }
    }

    #[test]
    fn a_refusal_names_what_is_wrong_with_which_member() {
        let mut problem = problem(Code::InvalidPayload);
        problem.errors = vec![cloakroom_core::problem::FieldError::new(
            "/width",
            "want 1 to 4096",
        )];
        let failure = Failure::from(Error::Problem(problem));
        assert_eq!(
            failure.message,
            "failed to complete the request: not so (422 invalid-payload); /width: want 1 to 4096"
        );
    }
}
