//! Entry points of the Lambda functions. Each one is a function in this crate, and a binary of three lines in a
//! service.
//!
//! Each function starts its log, reads its configuration from the environment, and handles events until the process
//! ends. Adapters connect events and use cases: `gateway` (API Gateway and the router), [`batch`] (a queue and its
//! messages) and [`stream`] (a table's stream and its jobs).

pub mod batch;
mod dead_letters;
mod gateway;
mod log;
mod notify;
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
pub use notify::notify;
pub use status::status;
pub use submit::submit;
pub use sweeper::sweeper;
#[cfg(feature = "handlers")]
pub use worker::worker;
