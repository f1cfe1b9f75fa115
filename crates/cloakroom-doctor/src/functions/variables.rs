//! Variables of a function, parsed like the functions parse them when they start.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom_app::http_settings::{Authorizer, HttpSettings, TENANT_CLAIM};
use cloakroom_aws::config::{
    ConfigError, DeadLettersConfig, DeliverConfig, JobListenersConfig, JobsConfig, Lookup,
    MeterConfig, PublisherConfig, SubmitConfig, SweeperConfig, WorkerConfig, http_settings,
};

use super::kind::Kind;

/// Parsed variables of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: Kind,
    /// Variables that other functions share, in a normalized form.
    pub(super) shared: BTreeMap<&'static str, String>,
    pub(super) lease_and_margin: Option<(Duration, Duration)>,
}

/// Parses variables like the functions do when they start.
pub(super) fn parse(kind: Kind, lookup: Lookup<'_>) -> Result<Told, ConfigError> {
    let mut lease_and_margin = None;
    let mut shared = vec![];
    match kind {
        Kind::Submit => {
            let (config, http) = (SubmitConfig::from_env(lookup)?, http_settings(lookup)?);
            shared.extend(callers(http));
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (QUEUE, config.queue_url),
            ]);
            shared.extend([
                (NAMESPACE, namespace(lookup)),
                (DIAGNOSTICS, on_or_off(config.diagnostics)),
            ]);
            shared.extend(listeners(lookup));
        }
        Kind::Worker => {
            let config = WorkerConfig::from_env(lookup)?;
            lease_and_margin = Some((config.settings.lease, config.settings.margin));
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (QUEUE, config.queue_url),
            ]);
            shared.push((DIAGNOSTICS, on_or_off(config.diagnostics)));
            // It derives ids and permits listeners when it accepts the commands of producers.
            if config.producers.is_some() {
                shared.push((NAMESPACE, namespace(lookup)));
                shared.extend(listeners(lookup));
            }
        }
        Kind::Status | Kind::Events => {
            let (config, http) = (JobsConfig::from_env(lookup)?, http_settings(lookup)?);
            shared.extend(callers(http));
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (NAMESPACE, namespace(lookup)),
            ]);
            if let Some(JobListenersConfig {
                deliveries_url,
                keys_secret,
                ..
            }) = config.listeners
            {
                shared.extend([(DELIVERIES, deliveries_url), (KEYS, keys_secret)]);
            }
        }
        Kind::DeadLetters => {
            let config = DeadLettersConfig::from_env(lookup)?;
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (DEAD_LETTERS, config.dead_letters_url),
            ]);
        }
        Kind::Sweeper => {
            let config = SweeperConfig::from_env(lookup)?;
            shared.extend([
                (TABLE, config.table),
                (QUEUE, config.queue_url),
                (LISTS, config.lists_url),
            ]);
        }
        Kind::Publisher => {
            let config = PublisherConfig::from_env(lookup)?;
            shared.extend([
                (TABLE, config.table),
                (DELIVERIES, config.deliveries_url),
                (EVENT_BUS, config.event_bus.unwrap_or_default()),
            ]);
        }
        Kind::Deliver => {
            let config = DeliverConfig::from_env(lookup)?;
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (DELIVERIES, config.deliveries_url),
                (KEYS, config.keys_secret),
                (REPLY_QUEUES, text(lookup, REPLY_QUEUES)),
            ]);
        }
    }
    let MeterConfig { service, .. } = MeterConfig::from_env(lookup)?;
    shared.push((SERVICE, service));
    Ok(Told {
        kind,
        shared: shared.into_iter().collect(),
        lease_and_margin,
    })
}

/// Normalizes the namespace for comparison. The parser has accepted it as a UUID, with capitals or braces.
fn namespace(lookup: Lookup<'_>) -> String {
    let text = lookup(NAMESPACE).unwrap_or_default();
    uuid::Uuid::try_parse(text.trim()).map_or(text, |uuid| uuid.to_string())
}

/// Returns the listeners that a function permits. The parser has accepted them.
fn listeners(lookup: Lookup<'_>) -> [(&'static str, String); 2] {
    [REPLY_QUEUES, EVENT_BUS].map(|name| (name, text(lookup, name)))
}

fn text(lookup: Lookup<'_>, name: &str) -> String {
    lookup(name).unwrap_or_default().trim().to_owned()
}

pub(super) const TABLE: &str = "CLOAKROOM_TABLE";
pub(super) const BUCKET: &str = "CLOAKROOM_BUCKET";
pub(super) const SERVICE: &str = "CLOAKROOM_SERVICE";
pub(super) const QUEUE: &str = "CLOAKROOM_QUEUE_URL";
pub(crate) const DEAD_LETTERS: &str = "CLOAKROOM_DEAD_LETTERS_URL";
pub(super) const LISTS: &str = "CLOAKROOM_LISTS_URL";
pub(super) const DELIVERIES: &str = "CLOAKROOM_DELIVERIES_URL";
pub(super) const KEYS: &str = "CLOAKROOM_KEYS_SECRET";
pub(super) const REPLY_QUEUES: &str = "CLOAKROOM_REPLY_QUEUES";
pub(super) const EVENT_BUS: &str = "CLOAKROOM_EVENT_BUS";
pub(super) const NAMESPACE: &str = "CLOAKROOM_NAMESPACE";
pub(super) const DIAGNOSTICS: &str = "CLOAKROOM_DIAGNOSTICS";
pub(super) const AUTHORIZER: &str = "CLOAKROOM_AUTHORIZER";
pub(super) const CLAIM: &str = "CLOAKROOM_TENANT_CLAIM";
pub(super) const AUDIENCE: &str = "CLOAKROOM_TOKEN_AUDIENCE";

fn callers(http: HttpSettings) -> [(&'static str, String); 3] {
    let audience = http.token_audience.join(",");
    [
        (AUTHORIZER, http.authorizer.as_str().to_owned()),
        (CLAIM, http.tenant_claim),
        (AUDIENCE, audience),
    ]
}

fn on_or_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

/// Returns the default of a variable. An empty value counts as unset.
pub(super) fn default_of(variable: &str) -> Option<String> {
    let value = match variable {
        "CLOAKROOM_INLINE_LIMIT_BYTES" => cloakroom_app::submit::INLINE_LIMIT.to_string(),
        "CLOAKROOM_LEASE_SECONDS" => cloakroom_app::work::WorkerSettings::default()
            .lease
            .as_secs()
            .to_string(),
        DIAGNOSTICS | "CLOAKROOM_WEBHOOKS" => "off".to_owned(),
        "CLOAKROOM_EVENT_BUS_EVENTS" => "terminal".to_owned(),
        AUTHORIZER => Authorizer::default().as_str().to_owned(),
        CLAIM => TENANT_CLAIM.to_owned(),
        "CLOAKROOM_LONGEST_WAIT_SECONDS" => cloakroom_app::jobs::LONGEST_WAIT.as_secs().to_string(),
        "CLOAKROOM_PUBLIC_BASE_URL" => "/".to_owned(),
        "CLOAKROOM_CORS_ORIGINS"
        | "CLOAKROOM_PRODUCERS"
        | "CLOAKROOM_PRODUCER_BUCKETS"
        | REPLY_QUEUES
        | EVENT_BUS => String::new(),
        _ => return None,
    };
    Some(value)
}
