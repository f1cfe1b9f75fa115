//! Configuration of status.

use cloakroom_core::Namespace;

use super::resources::{bucket, namespace, table};
use super::variable::{ConfigError, Lookup};

/// Configuration of polling, finding and cancelling jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// `CLOAKROOM_NAMESPACE`
    pub namespace: Namespace,
}

impl JobsConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            bucket: bucket(lookup)?,
            namespace: namespace(lookup)?,
        })
    }
}
