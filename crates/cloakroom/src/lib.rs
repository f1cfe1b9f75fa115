//! HTTP APIs that accept work now and do it later, on AWS.
//!
//! ```
//! use cloakroom::{Command, HandlerError, JobContext, Service, service};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// What a client sends. Its JSON Schema is served in the OpenAPI document.
//! #[derive(Deserialize, JsonSchema)]
//! struct Order {
//!     article: String,
//!     amount: u32,
//! }
//!
//! /// The result.
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
//! /// The commands of the service: the only list of them.
//! fn orders() -> Service {
//!     service![Command::json("order.place", place).attempts(5).key_required()]
//! }
//! # _ = orders();
//! ```
//!
//! `POST /commands/order.place` then answers 202 with a `Location`, and the handler runs later: as often as it takes, never twice
//! at once, and at most once to its end. A service is a handful of programs, each of one line:
//!
//! - `src/main.rs` runs the service on this machine: [`cli::main`]`(orders())`
//! - one program a Lambda function: [`lambda::submit`]`(orders())`, [`lambda::worker`]`(orders())`, [`lambda::status`]`()`,
//!   [`lambda::dead_letters`]`()` and [`lambda::sweeper`]`()`
//!
//! and `testing` (a feature) runs it in memory, in a test.
//!
//! | a handler needs | see |
//! |---|---|
//! | a database, a client of another service | [`State`] and [`Service::with_state`] |
//! | a body of bytes, whole or piece by piece | [`Command::binary`], [`BodyStream`], [`BodyFile`] |
//! | a result that is not JSON | [`Output`] |
//! | to say that another attempt is in vain | [`HandlerError::terminal`] |
//! | to compute for long | [`blocking`] |
//! | checks that a schema can't express | [`Command::validate`] |
//! | timeouts, tracing, metrics of its own | [`Command::layer`] |

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
pub use cloakroom_core::{Digest, Failure, JobId, Resource, Status, Tenant, Timestamp};

/// Lists the commands of a service. Its name and version are those of the package that calls the macro.
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
/// At start, when two commands have the same name.
#[macro_export]
macro_rules! service {
    ($($command:expr),* $(,)?) => {
        $crate::Service::new(::std::vec![$($command),*])
            .with_name(::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION"))
    };
}

/// The Lambda functions of a service, each the whole of a program's `main`.
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
    pub use cloakroom_lambda::{Error, dead_letters, status, submit, sweeper};

    /// Result of a function's `main`.
    pub type Result = std::result::Result<(), Error>;
}

/// The program of a service: the dev runner, and what talks to a deployment.
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
