//! A typed client of a Cloakroom service: submit a command, come back when told to, take the result.
//!
//! ```no_run
//! # async fn example() -> Result<(), cloakroom_client::Error> {
//! use cloakroom_client::{Client, Submission};
//!
//! let client = Client::new("http://127.0.0.1:9000")?;
//! let photo = Submission::file("thumbnail.create", "image/png", "photo.png").query("width", 100);
//! let submitted = client.submit(photo).await?;
//! let job = client.wait(&submitted.job.id, |job| eprintln!("{}", job.status.as_str())).await?;
//! println!("{:?}", job.result);
//! # Ok(())
//! # }
//! ```
//!
//! Every call asks again when the service is away, throttled or unreachable, as told by `Retry-After` and within the
//! limits of the [`Builder`]; [`Error`] says what is left to the caller. A job is named by its id, or by its URL below
//! the client's base URL.

mod answer;
mod builder;
mod cancel;
mod client;
mod clock;
mod content;
mod download;
mod error;
mod find;
mod history;
mod input;
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
mod upload;
mod uploading;
mod wait;

pub use builder::{Builder, is_same_origin};
pub use client::Client;
pub use cloakroom_core::view::{ErrorView, HistoryView, JobView, Links, ProgressView, StepView};
pub use cloakroom_core::{Problem, RetryPolicy, Status, Timestamp, redact};
pub use clock::{Clock, Sleep};
pub use download::Download;
pub use error::Error;
pub use input::Input;
pub use poll::{Ask, Poll, Snapshot};
pub use result::JobResult;
pub use retry::Retry;
pub use submission::{Key, Payload, Submission};
pub use submit::Submitted;
pub use uploading::Uploading;
