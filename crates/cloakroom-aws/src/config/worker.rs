//! Configuration of the worker.

use std::time::Duration;

use cloakroom_app::Listeners;
use cloakroom_app::intake::ProducerTenants;
use cloakroom_app::work::WorkerSettings;
use cloakroom_core::Namespace;

use super::events::listeners;
use super::resources::{bucket, diagnostics, inline_limit, namespace, queue_url, table};
use super::variable::{ConfigError, Lookup, optional, within};

/// Configuration of the function that runs jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_QUEUE_URL`
    pub queue_url: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// Timing of the worker. `CLOAKROOM_LEASE_SECONDS` sets the lease.
    pub settings: WorkerSettings,
    /// `CLOAKROOM_DIAGNOSTICS`: whether the diagnostic command is available.
    pub diagnostics: bool,
    /// Settings for producers. `None` if producers are not accepted.
    pub producers: Option<ProducersConfig>,
    /// Memory in bytes that all attempts of the process may need together. Derived from
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, which Lambda sets, less the memory of the process itself. `None` means no
    /// limit.
    pub memory: Option<u64>,
}

/// Settings for producers: programs that send commands to the queue themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducersConfig {
    /// `CLOAKROOM_PRODUCERS`: tenant of their jobs, or `*` if each message names its tenant.
    pub tenants: ProducerTenants,
    /// `CLOAKROOM_PRODUCER_BUCKETS`: buckets in which they may store payloads.
    pub buckets: Vec<String>,
    /// `CLOAKROOM_NAMESPACE`, with the same value as for submit.
    pub namespace: Namespace,
    /// `CLOAKROOM_INLINE_LIMIT_BYTES`
    pub inline_limit: usize,
    /// Listeners that the deployment permits.
    pub listeners: Listeners,
}

impl WorkerConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            queue_url: queue_url(lookup)?,
            bucket: bucket(lookup)?,
            settings: WorkerSettings {
                lease: lease(lookup)?,
                ..WorkerSettings::default()
            },
            diagnostics: diagnostics(lookup)?,
            producers: producers(lookup)?,
            memory: memory(lookup)?,
        })
    }
}

fn producers(lookup: Lookup<'_>) -> Result<Option<ProducersConfig>, ConfigError> {
    let want = "the tenant of producers' commands, or * if each message names its tenant";
    let tenants = optional(lookup, "CLOAKROOM_PRODUCERS", want, |text| match text {
        "*" => Some(ProducerTenants::Named),
        name => name.parse().ok().map(ProducerTenants::One),
    })?;
    let Some(tenants) = tenants else {
        return Ok(None);
    };
    let bucket = bucket(lookup)?;
    let want = "comma-separated names of S3 buckets, without the service's own";
    let buckets = optional(lookup, "CLOAKROOM_PRODUCER_BUCKETS", want, |text| {
        let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
        // A reference to the service's own bucket could read another tenant's payload.
        names
            .iter()
            .all(|name| !name.is_empty() && *name != bucket)
            .then_some(names)
    })?;
    let (namespace, inline_limit) = (namespace(lookup)?, inline_limit(lookup)?);
    Ok(Some(ProducersConfig {
        tenants,
        buckets: buckets.unwrap_or_default(),
        namespace,
        inline_limit,
        listeners: listeners(lookup)?,
    }))
}

fn lease(lookup: Lookup<'_>) -> Result<Duration, ConfigError> {
    let seconds = optional(
        lookup,
        "CLOAKROOM_LEASE_SECONDS",
        "a number of seconds from 3 to 900",
        |text| within(text, 3, 900),
    )?;
    Ok(seconds.map_or(WorkerSettings::default().lease, Duration::from_secs))
}

/// Returns the function's memory, less an eighth (at least 64 MiB) for the process itself.
fn memory(lookup: Lookup<'_>) -> Result<Option<u64>, ConfigError> {
    let whole = optional(
        lookup,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "the function's memory in MB",
        |text| within(text, 1_u64, 1_000_000),
    )?;
    Ok(whole.map(|mb| (mb - (mb / 8).max(64).min(mb / 2)) * 1024 * 1024))
}
