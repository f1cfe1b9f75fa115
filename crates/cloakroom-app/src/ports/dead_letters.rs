//! The store of dead letters.

use async_trait::async_trait;

use super::error::PortError;

/// Store of dead letters, for an operator to read and to send back.
#[async_trait]
pub trait DeadLetterStore: Send + Sync {
    /// Stores a message, over any other of its key.
    async fn store(&self, key: &str, body: &str) -> Result<(), PortError>;

    /// Lists the keys of stored dead letters with this prefix, in order, after this one.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError>;

    /// Reads a stored message.
    async fn read(&self, key: &str) -> Result<Option<String>, PortError>;

    /// Removes a stored message.
    async fn remove(&self, key: &str) -> Result<(), PortError>;
}
