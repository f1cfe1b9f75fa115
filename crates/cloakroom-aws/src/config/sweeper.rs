//! Configuration of the sweeper.

use super::resources::{queue_url, table, url_of_queue};
use super::variable::{ConfigError, Lookup};

/// Configuration of the function that ends abandoned jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweeperConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_QUEUE_URL`
    pub queue_url: String,
    /// `CLOAKROOM_LISTS_URL`: the sweeper's own queue.
    pub lists_url: String,
}

impl SweeperConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let lists_url = url_of_queue(lookup, "CLOAKROOM_LISTS_URL")?;
        Ok(Self {
            table: table(lookup)?,
            queue_url: queue_url(lookup)?,
            lists_url,
        })
    }
}
