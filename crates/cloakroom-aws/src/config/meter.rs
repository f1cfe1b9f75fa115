//! Configuration of metrics.

use super::variable::{ConfigError, Lookup, optional};

/// Configuration of metrics. Every variable has a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterConfig {
    /// `CLOAKROOM_SERVICE`: name of the service in the metrics.
    pub service: String,
    /// `AWS_LAMBDA_LOG_LEVEL`, which Lambda sets: the minimum level of lines in the log, in capitals.
    pub level: String,
}

impl MeterConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let level = lookup("AWS_LAMBDA_LOG_LEVEL").filter(|level| !level.is_empty());
        let level = level.map_or_else(|| "INFO".to_owned(), |level| level.to_ascii_uppercase());
        Ok(Self {
            service: service(lookup)?,
            level,
        })
    }
}

fn service(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the name of the service in its metrics: 1 to 128 letters, digits, dots, hyphens and underscores";
    let service = optional(lookup, "CLOAKROOM_SERVICE", want, |text| {
        let good = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
            && text.len() <= 128;
        good.then(|| text.to_owned())
    })?;
    Ok(service.unwrap_or_else(|| "cloakroom".to_owned()))
}
