//! Entry points of the Lambda functions: each is one function here, and a binary of three lines in a service.
//!
//! Each starts its log, reads its configuration from the environment, and answers events until the process ends. Between the
//! events and the use cases stand `gateway` (API Gateway and the router), [`batch`] (a queue and its messages) and [`stream`]
//! (a table's stream and its jobs).

pub mod batch;
mod dead_letters;
mod gateway;
mod log;
mod start;
mod status;
pub mod stream;
mod submit;
mod sweeper;
mod tenant;
#[cfg(feature = "handlers")]
mod worker;

pub use dead_letters::dead_letters;
pub use gateway::{behind_gateway, site};
pub use lambda_http::Error;
pub use status::status;
pub use submit::submit;
pub use sweeper::sweeper;
#[cfg(feature = "handlers")]
pub use worker::worker;
