//! A typed client of a Cloakroom service: submits a command, waits until its job has ended, and gets the result.
//!
//! A command that takes and returns JSON is submitted with types of your own:
//!
//! ```no_run
//! # #[derive(serde::Serialize)] struct Order { article: String, amount: u32 }
//! # #[derive(serde::Deserialize)] struct Receipt { total: u32 }
//! # async fn example() -> Result<(), cloakroom_client::Error> {
//! use cloakroom_client::Client;
//!
//! let client = Client::new("http://127.0.0.1:9000")?;
//! let order = Order { article: "hat".into(), amount: 3 };
//! let job = client.submit::<Receipt>("order.place", &order).key("order-1042").await?;
//! let receipt = job.result().await?;
//! println!("{}", receipt.total);
//! # Ok(())
//! # }
//! ```
//!
//! [`Submission`] describes every other command: a body of bytes, a file, a query string.
//!
//! ```no_run
//! # async fn example() -> Result<(), cloakroom_client::Error> {
//! use cloakroom_client::{Client, Submission};
//!
//! let client = Client::new("http://127.0.0.1:9000")?;
//! let photo = Submission::file("thumbnail.create", "image/png", "photo.png").query("width", 100);
//! let submitted = client.send(photo).await?;
//! let job = client.wait(&submitted.job.id, |job| eprintln!("{}", job.status.as_str())).await?;
//! println!("{:?}", job.result);
//! # Ok(())
//! # }
//! ```
//!
//! Each call is retried if the service is unavailable, throttles or can't be reached. Retries follow `Retry-After`, within the
//! limits of the [`Builder`]. [`Error`] says what the caller can do next. A job is identified by its id, or by its URL below the
//! client's base URL.

mod answer;
mod builder;
mod cancel;
mod client;
mod clock;
mod content;
mod deliveries;
mod documents;
mod download;
mod error;
mod events;
mod find;
mod follow;
mod headers;
mod history;
mod input;
mod links;
mod parts;
mod poll;
mod progress;
mod renewals;
mod result;
mod retries;
mod retry;
mod settings;
mod submission;
mod submit;
mod typed;
mod upload;
mod uploading;
mod wait;

pub use builder::{Builder, is_same_origin};
pub use client::Client;
pub use cloakroom_core::delivery::DeliveryAttempt;
pub use cloakroom_core::view::{
    DeliveryView, ErrorView, HistoryView, JobView, Links, ProgressView, StepView,
};
pub use cloakroom_core::{Cause, DeliveryState, Problem, RetryPolicy, Status, Timestamp, redact};
pub use clock::{Clock, Sleep};
pub use documents::{Scope, SharedLink};
pub use download::Download;
pub use error::Error;
pub use input::Input;
pub use poll::{Ask, Poll, Snapshot};
pub use result::JobResult;
pub use retry::Retry;
pub use submission::{CallbackEvents, Key, Payload, Submission};
pub use submit::Submitted;
pub use typed::{Job, Submit};
pub use uploading::Uploading;
