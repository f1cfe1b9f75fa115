//! Port for payloads in the buckets of producers.

use async_trait::async_trait;
use bytes::Bytes;

use super::error::PortError;

/// Outcome of fetching a payload from a producer's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchedPayload {
    /// The whole payload.
    Whole(Bytes),
    /// The object does not exist, or no longer.
    Gone,
    /// The payload exceeds the limit. Contains its length in bytes. It was not read.
    TooLarge(u64),
}

/// Storage of payloads that are too large for a producer's message.
#[async_trait]
pub trait ProducerPayloads: Send + Sync {
    /// Reads a whole object of at most `limit` bytes.
    async fn fetch(&self, bucket: &str, key: &str, limit: u64)
    -> Result<FetchedPayload, PortError>;
}
