//! Configuration of status.

use cloakroom_core::Namespace;

use super::events::{deliveries_url, keys_secret};
use super::http::base_path;
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
    /// Deliveries and shared links. `None` if the deployment has none.
    pub listeners: Option<JobListenersConfig>,
}

/// Configuration of deliveries and shared links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobListenersConfig {
    /// `CLOAKROOM_DELIVERIES_URL`: queue of deliveries.
    pub deliveries_url: String,
    /// `CLOAKROOM_KEYS_SECRET`: name or ARN of the secret with the deployment's keys.
    pub keys_secret: String,
    /// Path of `CLOAKROOM_PUBLIC_BASE_URL`.
    pub base_path: String,
}

impl JobsConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            bucket: bucket(lookup)?,
            namespace: namespace(lookup)?,
            listeners: listeners(lookup)?,
        })
    }
}

fn listeners(lookup: Lookup<'_>) -> Result<Option<JobListenersConfig>, ConfigError> {
    if lookup("CLOAKROOM_DELIVERIES_URL").is_none_or(|url| url.trim().is_empty()) {
        return Ok(None);
    }
    Ok(Some(JobListenersConfig {
        deliveries_url: deliveries_url(lookup)?,
        keys_secret: keys_secret(lookup)?,
        base_path: base_path(lookup)?,
    }))
}
