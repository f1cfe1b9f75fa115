//! Configuration of the HTTP API.

use std::time::Duration;

use cloakroom_app::http_settings::{Authorizer, Cors, HttpSettings, TENANT_CLAIM};

use super::variable::{ConfigError, Lookup, after_scheme, optional, within};

/// Reads the HTTP settings. Every variable has a default.
///
/// - `CLOAKROOM_PUBLIC_BASE_URL`: public base URL of the API, or its path;
/// - `CLOAKROOM_CORS_ORIGINS`: origins whose pages may call the API;
/// - `CLOAKROOM_AUTHORIZER`: kind of authorizer in the gateway;
/// - `CLOAKROOM_TENANT_CLAIM`: token claim that identifies the tenant;
/// - `CLOAKROOM_TOKEN_AUDIENCE`: ids of the app clients whose tokens are accepted;
/// - `CLOAKROOM_LONGEST_WAIT_SECONDS`: maximum duration of a long poll.
pub fn http_settings(lookup: Lookup<'_>) -> Result<HttpSettings, ConfigError> {
    Ok(HttpSettings {
        base_path: base_path(lookup)?,
        cors: cors(lookup)?,
        authorizer: authorizer(lookup)?,
        tenant_claim: tenant_claim(lookup)?,
        token_audience: token_audience(lookup)?,
        longest_wait: longest_wait(lookup)?,
    })
}

pub(super) fn base_path(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the URL of the API for clients (https://api.example.com/v1), or its path (/v1)";
    let path = optional(lookup, "CLOAKROOM_PUBLIC_BASE_URL", want, |text| {
        let path = match after_scheme(text) {
            Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
            None => text.starts_with('/').then_some(text)?,
        };
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#\\\"<>".contains(&b));
        // Two slashes at the start would turn a link into one to another site.
        (plain && !path.starts_with("//")).then(|| path.trim_end_matches('/').to_owned())
    })?;
    Ok(path.unwrap_or_default())
}

fn cors(lookup: Lookup<'_>) -> Result<Cors, ConfigError> {
    let want = "*, or comma-separated origins (https://app.example.com, without a path)";
    let origins = optional(lookup, "CLOAKROOM_CORS_ORIGINS", want, |text| {
        if text == "*" {
            return Some(Cors::Any);
        }
        let origin = |text: &str| {
            let host = after_scheme(text)?;
            let plain = host
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"/?#\\\"<>@*,".contains(&b));
            plain.then(|| text.to_ascii_lowercase())
        };
        text.split(',')
            .map(|text| origin(text.trim()))
            .collect::<Option<_>>()
            .map(Cors::Only)
    })?;
    Ok(origins.unwrap_or_default())
}

fn authorizer(lookup: Lookup<'_>) -> Result<Authorizer, ConfigError> {
    let authorizer = optional(
        lookup,
        "CLOAKROOM_AUTHORIZER",
        "none, iam, jwt, api-key or custom",
        |text| {
            Authorizer::ALL
                .into_iter()
                .find(|known| known.as_str() == text)
        },
    )?;
    Ok(authorizer.unwrap_or_default())
}

fn tenant_claim(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the name of a claim, without spaces, such as custom:tenant";
    let claim = optional(lookup, "CLOAKROOM_TENANT_CLAIM", want, |text| {
        text.bytes()
            .all(|b| b.is_ascii_graphic())
            .then(|| text.to_owned())
    })?;
    Ok(claim.unwrap_or_else(|| TENANT_CLAIM.to_owned()))
}

fn token_audience(lookup: Lookup<'_>) -> Result<Vec<String>, ConfigError> {
    let want = "comma-separated ids of app clients";
    let audience = optional(lookup, "CLOAKROOM_TOKEN_AUDIENCE", want, |text| {
        let ids: Vec<_> = text.split(',').map(|id| id.trim().to_owned()).collect();
        ids.iter()
            .all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic()))
            .then_some(ids)
    })?;
    Ok(audience.unwrap_or_default())
}

fn longest_wait(lookup: Lookup<'_>) -> Result<Duration, ConfigError> {
    let longest = cloakroom_app::jobs::LONGEST_WAIT;
    let seconds = optional(
        lookup,
        "CLOAKROOM_LONGEST_WAIT_SECONDS",
        "a number of seconds from 0 to 25",
        |text| within(text, 0, longest.as_secs()),
    )?;
    Ok(seconds.map_or(longest, Duration::from_secs))
}
