//! Configuration of dead-letters.

use super::resources::{bucket, table, url_of_queue};
use super::variable::{ConfigError, Lookup};

/// Configuration of the function that ends the jobs of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLettersConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// `CLOAKROOM_DEAD_LETTERS_URL`
    pub dead_letters_url: String,
}

impl DeadLettersConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let dead_letters_url = url_of_queue(lookup, "CLOAKROOM_DEAD_LETTERS_URL")?;
        Ok(Self {
            table: table(lookup)?,
            bucket: bucket(lookup)?,
            dead_letters_url,
        })
    }
}
