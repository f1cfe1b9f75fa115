//! Resources and switches that several functions share.

use cloakroom_app::submit::INLINE_LIMIT;
use cloakroom_core::Namespace;
use uuid::Uuid;

use super::variable::{ConfigError, Lookup, after_scheme, optional, required, within};

pub(super) fn table(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    required(
        lookup,
        "CLOAKROOM_TABLE",
        "the name of the DynamoDB table",
        |text| Some(text.to_owned()),
    )
}

pub(super) fn queue_url(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    url_of_queue(lookup, "CLOAKROOM_QUEUE_URL")
}

pub(super) fn url_of_queue(lookup: Lookup<'_>, name: &'static str) -> Result<String, ConfigError> {
    required(lookup, name, "the http(s) URL of the SQS queue", |text| {
        after_scheme(text).map(|_| text.to_owned())
    })
}

pub(super) fn bucket(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    required(
        lookup,
        "CLOAKROOM_BUCKET",
        "the name of the S3 bucket",
        |text| Some(text.to_owned()),
    )
}

pub(super) fn namespace(lookup: Lookup<'_>) -> Result<Namespace, ConfigError> {
    let want =
        "a UUID that stays the same for the life of the deployment (job ids are derived from it)";
    required(lookup, "CLOAKROOM_NAMESPACE", want, |text| {
        Uuid::try_parse(text).ok().map(Namespace::from_uuid)
    })
}

pub(super) fn inline_limit(lookup: Lookup<'_>) -> Result<usize, ConfigError> {
    let limit = optional(
        lookup,
        "CLOAKROOM_INLINE_LIMIT_BYTES",
        "a number of bytes from 0 to 1000000",
        |text| within(text, 0, 1_000_000),
    )?;
    Ok(limit.unwrap_or(INLINE_LIMIT))
}

pub(super) fn diagnostics(lookup: Lookup<'_>) -> Result<bool, ConfigError> {
    switch(lookup, "CLOAKROOM_DIAGNOSTICS")
}

/// Reads a variable that is on or off. The default is off.
pub(super) fn switch(lookup: Lookup<'_>, name: &'static str) -> Result<bool, ConfigError> {
    let on = optional(lookup, name, "on or off", |text| match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    })?;
    Ok(on.unwrap_or(false))
}
