//! Port for stored dead letters.

use async_trait::async_trait;

use super::error::PortError;

/// Store of dead letters, which operators read and redrive.
#[async_trait]
pub trait DeadLetterStore: Send + Sync {
    /// Stores a message. Replaces another one with the same key.
    async fn store(&self, key: &str, body: &str) -> Result<(), PortError>;

    /// Lists keys with this prefix in order, starting after the key `after`.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError>;

    /// Reads a stored message; `None` if there is no such message.
    async fn read(&self, key: &str) -> Result<Option<String>, PortError>;

    /// Removes a stored message.
    async fn remove(&self, key: &str) -> Result<(), PortError>;
}
