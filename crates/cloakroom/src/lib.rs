//! HTTP APIs that accept work now and run it later, on AWS.
//!
//! A command is an `async fn` with a typed payload and a typed result:
//!
//! ```
//! use cloakroom::{Command, HandlerError, JobContext, Service, service};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// Payload of the command. Its JSON Schema is part of the OpenAPI document.
//! #[derive(Deserialize, JsonSchema)]
//! struct Order {
//!     article: String,
//!     amount: u32,
//! }
//!
//! /// Result of the command.
//! #[derive(Serialize, JsonSchema)]
//! struct Receipt {
//!     total: u32,
//! }
//!
//! async fn place(order: Order, job: JobContext) -> Result<Receipt, HandlerError> {
//!     if order.article != "coat hanger" {
//!         return Err(HandlerError::terminal("there is no such article").code("no-such-article").status(404));
//!     }
//!     job.progress(50.0, "counting");
//!     Ok(Receipt { total: 7 * order.amount })
//! }
//!
//! /// Lists the commands of the service.
//! fn orders() -> Service {
//!     service![Command::json("order.place", place).attempts(5).key_required()]
//! }
//! # _ = orders();
//! ```
//!
//! `POST /commands/order.place` validates the payload, stores a job and responds with 202 and the job's `Location`. A worker runs
//! the handler. `GET` on the `Location` returns the status, the progress, and at the end the result or the error.
//!
//! # Guarantees
//!
//! - An accepted job ends: it succeeds, fails or is cancelled, whatever crashes.
//! - An attempt that crashes, times out or fails with a retryable error is retried with backoff, up to the command's
//!   [`attempts`](Command::attempts).
//! - A lease protects each attempt, and only the holder of the lease can record its outcome. A job has one outcome.
//! - A handler may run more than once for a job. Pass [`JobContext::idempotency_token`] to other services, so that they apply each
//!   effect once.
//! - Submissions with the same `Idempotency-Key` are one job.
//!
//! # Programs
//!
//! A service is a handful of programs of one line each, which share the list of commands:
//!
//! | program | its `main` | purpose |
//! |---|---|---|
//! | `src/main.rs` | [`cli::main`]`(orders())` | runs the whole service on this machine, and manages deployments |
//! | `src/bin/submit.rs` | [`lambda::submit`]`(orders())` | Lambda function that accepts commands and uploads |
//! | `src/bin/worker.rs` | [`lambda::worker`]`(orders())` | Lambda function that runs handlers |
//! | `src/bin/status.rs` | [`lambda::status`]`()` | Lambda function that returns jobs and results, and cancels jobs |
//! | `src/bin/dead-letters.rs` | [`lambda::dead_letters`]`()` | Lambda function that ends the jobs of dead letters |
//! | `src/bin/notify.rs` | [`lambda::notify`]`()` | Lambda functions that notify the listeners of jobs |
//! | `src/bin/sweeper.rs` | [`lambda::sweeper`]`()` | Lambda function that ends abandoned jobs |
//!
//! `cloakroom new` creates a project with these programs and the stack that deploys them.
//!
//! # Handlers
//!
//! The first argument of a handler is its payload. Up to four more arguments are extracted from the job.
//!
//! | for | use |
//! |---|---|
//! | progress, cancellation, the job's id and attempt | [`JobContext`] |
//! | events of the service's own, for the event bus and the reply queue | [`JobContext::publish`] |
//! | a database, or a client of another service | [`State`] and [`Service::with_state`] |
//! | a body of bytes, whole or piece by piece | [`Command::binary`], [`BodyStream`], [`BodyFile`] |
//! | a result that is not JSON, or the location of a resource | [`Output`] |
//! | errors that a retry does not fix | [`HandlerError::terminal`] |
//! | long computations | [`blocking`] |
//! | checks that a schema can't express | [`Command::validate`] |
//! | timeouts, tracing and metrics of your own | [`Command::layer`] |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `cli` (default) | [`cli`]: the program of the service, with the dev runner |
//! | `lambda` (default) | [`lambda`]: the Lambda functions |
//! | `handlers` (default) | the code of handlers; functions that only accept commands are smaller without it |
//! | `deployments` | the subcommands `doctor`, `redrive` and `explain --stack`, which call AWS |
//! | `testing` | `testing`: the service in memory, for tests |

#[cfg(all(doctest, feature = "cli", feature = "lambda", feature = "testing"))]
mod pages;
#[cfg(feature = "testing")]
pub mod testing;

pub use cloakroom_app::upload::UPLOAD_LIMIT;
pub use cloakroom_app::{
    BodyFile, BodyStream, Command, FromJob, Handler, HandlerError, JobContext, JobParts, Output,
    Payload, Registry as Service, State, StateError, TraceContext, blocking, command, layer,
    output,
};
pub use cloakroom_core::problem::FieldError;
pub use cloakroom_core::{Cause, Digest, Failure, JobId, Resource, Status, Tenant, Timestamp};

/// Creates a service from a list of commands. Its name and version are those of the calling package.
///
/// ```
/// use cloakroom::{Command, HandlerError, service};
///
/// async fn nothing(_: ()) -> Result<(), HandlerError> {
///     Ok(())
/// }
///
/// let orders = service![Command::json("order.place", nothing), Command::json("order.cancel", nothing)];
/// assert_eq!(orders.iter().count(), 2);
/// assert_eq!(orders.about().name, "cloakroom"); // here
/// ```
///
/// # Panics
/// Panics at start if two commands have the same name.
#[macro_export]
macro_rules! service {
    ($($command:expr),* $(,)?) => {
        $crate::Service::new(::std::vec![$($command),*])
            .with_name(::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION"))
    };
}

/// Lambda functions of a service. Each is the whole `main` of a program.
///
/// ```no_run
/// # fn orders() -> cloakroom::Service { cloakroom::service![] }
/// fn main() -> cloakroom::lambda::Result {
///     cloakroom::lambda::submit(orders())
/// }
/// ```
#[cfg(feature = "lambda")]
pub mod lambda {
    #[cfg(feature = "handlers")]
    pub use cloakroom_lambda::worker;
    pub use cloakroom_lambda::{Error, dead_letters, notify, status, submit, sweeper};

    /// Result of a function's `main`.
    pub type Result = std::result::Result<(), Error>;
}

/// Program of a service: the dev runner, and commands for a deployment.
///
/// ```no_run
/// # fn orders() -> cloakroom::Service { cloakroom::service![] }
/// fn main() -> std::process::ExitCode {
///     cloakroom::cli::main(orders())
/// }
/// ```
#[cfg(feature = "cli")]
pub mod cli {
    pub use cloakroom_cli::main;
}
