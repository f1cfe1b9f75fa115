//! The demo service: one file a command, and one list of them.
//!
//! To add a command, write a file like this one and add a line to [`service`]:
//!
//! ```
//! //! `greeting.send`: says hello.
//!
//! use cloakroom::{Command, HandlerError, JobContext};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! /// Person to greet.
//! #[derive(Debug, Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Greeting {
//!     #[schemars(length(min = 1))]
//!     name: String,
//! }
//!
//! async fn send(greeting: Greeting, job: JobContext) -> Result<String, HandlerError> {
//!     job.progress(50.0, "thinking of something nice");
//!     Ok(format!("Hello, {}!", greeting.name))
//! }
//!
//! /// Defines the command.
//! pub fn command() -> Command {
//!     Command::json("greeting.send", send).attempts(5)
//! }
//! # assert!(command().check("", br#"{"name":"Ada"}"#).is_ok() && command().check("", br#"{"name":""}"#).is_err());
//! ```
//!
//! A body that does not match the payload type is rejected before anything is stored. The function may run more than once for
//! one job (see [`cloakroom::JobContext::idempotency_token`]); it is stopped when it exceeds its timeout.

#[cfg(test)]
mod bench;
mod copy;
mod diagnostic;
mod thumbnail;

pub use thumbnail::memory::estimate as thumbnail_memory;

/// Lists the commands. The diagnostic ones occupy workers, panic and end processes on request.
pub fn service() -> cloakroom::Service {
    cloakroom::service![thumbnail::command(), copy::command(), diagnostic::command()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnostics_are_served_only_where_they_are_allowed() {
        let names = |diagnostics| {
            service()
                .with_diagnostics(diagnostics)
                .iter()
                .map(|it| it.name().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["thumbnail.create"]);
        assert_eq!(
            names(true),
            ["diagnostic.copy", "diagnostic.run", "thumbnail.create"]
        );
    }

    #[test]
    fn each_command_has_its_limits() {
        let limits = |name: &str| {
            let commands = service();
            let command = commands
                .iter()
                .find(|it| it.name().as_str() == name)
                .expect("it is served");
            let limits = command.limits();
            let retry = (
                limits.retry.max_attempts,
                limits.retry.base.as_secs(),
                limits.retry.cap.as_secs(),
            );
            (
                limits.upload,
                limits.timeout.as_secs(),
                retry,
                command.media_types().to_vec(),
            )
        };
        let (upload, timeout, retry, types) = limits("thumbnail.create");
        assert_eq!((upload, timeout, retry.0), (64 * 1024 * 1024, 60, 3));
        assert_eq!(types, ["image/png", "image/jpeg", "image/webp"]);
        let (upload, timeout, _, types) = limits("diagnostic.copy");
        assert_eq!(
            (upload, timeout, types),
            (
                5 * 1024 * 1024 * 1024,
                900,
                vec!["application/octet-stream"]
            )
        );
        let (_, timeout, retry, types) = limits("diagnostic.run");
        assert_eq!(
            (timeout, retry, types),
            (900, (3, 1, 10), vec!["application/json"])
        );
    }
}
