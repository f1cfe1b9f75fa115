//! Ports: what the use cases need of the world. Coarse: one call is one conditional write, one message, one object.
//!
//! Error policy: a port fails with [`PortError`], which says whether the effect may have happened. The adapter's own
//! text is for the log alone. A client reads "temporarily unavailable", and sends its request again.

mod dead_letters;
mod error;
mod jobs;
pub mod keys;
mod objects;
mod parts;
mod producers;
mod queue;
mod uploads;

pub use dead_letters::DeadLetterStore;
pub use error::{PortError, ReadError};
pub use jobs::{Acceptance, Change, JobStore};
pub(crate) use objects::collect_pieces;
pub use objects::{ObjectInfo, ObjectReader, Objects, Pieces, SourceAborted};
pub use parts::{Part, PartTerms, PartUploads};
pub use producers::{FetchedPayload, ProducerPayloads};
pub use queue::{LONGEST_DELAY, Queue, QueueState};
pub use uploads::{PartsRecord, UploadLink, UploadTerms};
