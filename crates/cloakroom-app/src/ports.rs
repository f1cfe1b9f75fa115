//! Ports: interfaces of the use cases to the outside world. One call is one conditional write, one message, or one
//! object.
//!
//! Error policy: a port fails with [`PortError`], which states whether the effect may have happened. The adapter's own
//! error text only goes to the log. A client sees "temporarily unavailable", and retries its request.

mod dead_letters;
mod deliveries;
mod error;
mod jobs;
pub mod keys;
mod listeners;
mod objects;
mod parts;
mod producers;
mod queue;
mod uploads;

pub use dead_letters::DeadLetterStore;
pub use deliveries::{DeliveryStore, StoredDeliveries};
pub use error::{PortError, ReadError};
pub use jobs::{Acceptance, Change, JobStore};
pub use listeners::{EventBus, KeyStore, Reply, ReplyQueues, WebhookSender};
pub(crate) use objects::collect_pieces;
pub use objects::{ObjectInfo, ObjectReader, Objects, Pieces, SourceAborted};
pub use parts::{Part, PartTerms, PartUploads};
pub use producers::{FetchedPayload, ProducerPayloads};
pub(crate) use queue::json_body;
pub use queue::{LONGEST_DELAY, Queue, QueueState};
pub use uploads::{PartsRecord, UploadLink, UploadTerms};
