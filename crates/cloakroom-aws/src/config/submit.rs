//! Configuration of submit.

use cloakroom_app::Listeners;
use cloakroom_core::Namespace;

use super::events::listeners;
use super::resources::{bucket, diagnostics, inline_limit, namespace, queue_url, switch, table};
use super::variable::{ConfigError, Lookup, optional, required};

/// Configuration of the function that accepts commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_QUEUE_URL`
    pub queue_url: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// `CLOAKROOM_NAMESPACE`
    pub namespace: Namespace,
    /// `CLOAKROOM_INLINE_LIMIT_BYTES`
    pub inline_limit: usize,
    /// Scheduler of messages with a long delay. `None` if only the queue delays messages.
    pub schedule: Option<ScheduleConfig>,
    /// `CLOAKROOM_DIAGNOSTICS`: whether the diagnostic command is available.
    pub diagnostics: bool,
    /// Listeners that the deployment permits.
    pub listeners: Listeners,
    /// `CLOAKROOM_WEBHOOKS`: whether a function of the deployment sends webhooks.
    pub webhooks: bool,
}

/// Configuration of messages with a long delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// `CLOAKROOM_SCHEDULE_GROUP`: `EventBridge` Scheduler group of the schedules.
    pub group: String,
    /// `CLOAKROOM_SCHEDULE_ROLE_ARN`: role that the scheduler assumes.
    pub role_arn: String,
    /// `CLOAKROOM_SCHEDULE_QUEUE_ARN`: queue of commands.
    pub queue_arn: String,
}

impl SubmitConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            queue_url: queue_url(lookup)?,
            bucket: bucket(lookup)?,
            namespace: namespace(lookup)?,
            inline_limit: inline_limit(lookup)?,
            schedule: schedule(lookup)?,
            diagnostics: diagnostics(lookup)?,
            listeners: listeners(lookup)?,
            webhooks: switch(lookup, "CLOAKROOM_WEBHOOKS")?,
        })
    }
}

fn schedule(lookup: Lookup<'_>) -> Result<Option<ScheduleConfig>, ConfigError> {
    let name = |text: &str| Some(text.to_owned());
    let Some(group) = optional(
        lookup,
        "CLOAKROOM_SCHEDULE_GROUP",
        "the name of the group of schedules",
        name,
    )?
    else {
        return Ok(None);
    };
    let arn = |name, want| {
        required(lookup, name, want, |text| {
            text.starts_with("arn:").then(|| text.to_owned())
        })
    };
    let role_arn = arn(
        "CLOAKROOM_SCHEDULE_ROLE_ARN",
        "the ARN of the role with which schedules send messages",
    )?;
    let queue_arn = arn("CLOAKROOM_SCHEDULE_QUEUE_ARN", "the ARN of the SQS queue")?;
    Ok(Some(ScheduleConfig {
        group,
        role_arn,
        queue_arn,
    }))
}
