//! Configuration of events and their listeners.

use std::collections::BTreeMap;

use cloakroom_app::Listeners;
use cloakroom_core::{EventScope, ReplyQueue};

use super::http::base_path;
use super::resources::{bucket, table, url_of_queue};
use super::variable::{ConfigError, Lookup, after_scheme, optional, required};

/// Configuration of the function that publishes the changes of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_DELIVERIES_URL`: queue of deliveries.
    pub deliveries_url: String,
    /// `CLOAKROOM_EVENT_BUS`: name or ARN of the event bus, if there is one.
    pub event_bus: Option<String>,
    /// Path of `CLOAKROOM_PUBLIC_BASE_URL`.
    pub base_path: String,
}

impl PublisherConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            deliveries_url: deliveries_url(lookup)?,
            event_bus: event_bus(lookup)?,
            base_path: base_path(lookup)?,
        })
    }
}

/// Configuration of the function that delivers events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// `CLOAKROOM_DELIVERIES_URL`: queue of deliveries.
    pub deliveries_url: String,
    /// `CLOAKROOM_KEYS_SECRET`: name or ARN of the secret with the deployment's keys.
    pub keys_secret: String,
    /// `CLOAKROOM_REPLY_QUEUES`: URLs of the reply queues, by name.
    pub reply_queues: BTreeMap<ReplyQueue, String>,
}

impl DeliverConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            bucket: bucket(lookup)?,
            deliveries_url: deliveries_url(lookup)?,
            keys_secret: keys_secret(lookup)?,
            reply_queues: reply_queues(lookup)?,
        })
    }
}

/// Reads the listeners that a deployment permits.
pub(super) fn listeners(lookup: Lookup<'_>) -> Result<Listeners, ConfigError> {
    let want = "terminal or all";
    let scope = optional(
        lookup,
        "CLOAKROOM_EVENT_BUS_EVENTS",
        want,
        |text| match text {
            "terminal" => Some(EventScope::Terminal),
            "all" => Some(EventScope::All),
            _ => None,
        },
    )?;
    Ok(Listeners {
        reply_queues: reply_queues(lookup)?.into_keys().collect(),
        bus: event_bus(lookup)?.map(|_| scope.unwrap_or(EventScope::Terminal)),
    })
}

pub(super) fn deliveries_url(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    url_of_queue(lookup, "CLOAKROOM_DELIVERIES_URL")
}

pub(super) fn keys_secret(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the name or ARN of the secret with the deployment's keys";
    required(lookup, "CLOAKROOM_KEYS_SECRET", want, |text| {
        Some(text.to_owned())
    })
}

fn event_bus(lookup: Lookup<'_>) -> Result<Option<String>, ConfigError> {
    let want = "the name or ARN of an event bus";
    optional(lookup, "CLOAKROOM_EVENT_BUS", want, |text| {
        Some(text.to_owned())
    })
}

/// Reads the reply queues: `NAME=URL`, separated by commas. A URL alone is named like its queue.
fn reply_queues(lookup: Lookup<'_>) -> Result<BTreeMap<ReplyQueue, String>, ConfigError> {
    let want = "comma-separated NAME=URL of SQS queues, or their URLs or ARNs alone";
    let queues = optional(lookup, "CLOAKROOM_REPLY_QUEUES", want, |text| {
        text.split(',')
            .map(|entry| reply_queue(entry.trim()))
            .collect::<Option<_>>()
    })?;
    Ok(queues.unwrap_or_default())
}

fn reply_queue(entry: &str) -> Option<(ReplyQueue, String)> {
    let (name, place) = match entry.split_once('=') {
        Some((name, place)) => (name, place),
        None => {
            let name = entry.rsplit([':', '/']).next()?;
            (name.strip_suffix(".fifo").unwrap_or(name), entry)
        }
    };
    Some((name.parse().ok()?, queue_place(place)?))
}

/// Returns the URL of a queue that is named by URL or ARN.
fn queue_place(place: &str) -> Option<String> {
    if let Some(arn) = place.strip_prefix("arn:") {
        let parts: Vec<_> = arn.split(':').collect();
        let [partition, "sqs", region, account, name] = parts[..] else {
            return None;
        };
        let domain = if partition == "aws-cn" {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        return Some(format!("https://sqs.{region}.{domain}/{account}/{name}"));
    }
    after_scheme(place).map(|_| place.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Listeners, ConfigError> {
        listeners(&|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nobody_listens_unless_the_deployment_says_so() {
        let none = read(&[]).expect("valid");
        assert!(none.reply_queues.is_empty() && none.bus.is_none());
        let bus = read(&[("CLOAKROOM_EVENT_BUS", "default")]).expect("valid");
        assert_eq!(bus.bus, Some(EventScope::Terminal));
        let all = [
            ("CLOAKROOM_EVENT_BUS", "default"),
            ("CLOAKROOM_EVENT_BUS_EVENTS", "all"),
        ];
        assert_eq!(read(&all).expect("valid").bus, Some(EventScope::All));
        let scope_alone = read(&[("CLOAKROOM_EVENT_BUS_EVENTS", "all")]);
        assert_eq!(scope_alone.expect("valid").bus, None);
        assert!(read(&[("CLOAKROOM_EVENT_BUS_EVENTS", "some")]).is_err());
    }

    #[test]
    fn a_reply_queue_is_named_or_has_the_name_of_its_queue() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/answers";
        for (text, name, place) in [
            (format!("orders={url}"), "orders", url.to_owned()),
            (url.to_owned(), "answers", url.to_owned()),
            (
                "arn:aws:sqs:eu-west-1:123456789012:answers.fifo".to_owned(),
                "answers",
                format!("{url}.fifo"),
            ),
            (
                "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:answers".to_owned(),
                "answers",
                "https://sqs.us-gov-west-1.amazonaws.com/123456789012/answers".to_owned(),
            ),
            (
                "arn:aws-cn:sqs:cn-north-1:123456789012:answers".to_owned(),
                "answers",
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/answers".to_owned(),
            ),
            (
                "http://localhost:4566/000000000000/answers".to_owned(),
                "answers",
                "http://localhost:4566/000000000000/answers".to_owned(),
            ),
        ] {
            let queues =
                reply_queues(&|name| (name == "CLOAKROOM_REPLY_QUEUES").then(|| text.clone()));
            let want = BTreeMap::from([(name.parse().expect("a name"), place)]);
            assert_eq!(queues.expect("valid"), want, "{text}");
        }
        let both = "a=https://x/a, b=https://x/b";
        let queues = read(&[("CLOAKROOM_REPLY_QUEUES", both)]).expect("valid");
        let names = ["a", "b"].map(|name| name.parse().expect("a name"));
        assert_eq!(queues.reply_queues, names.into());
        for bad in [
            "orders",
            "a b=https://x/y",
            "arn:aws:sns:x:1:y",
            ",",
            "=https://x/y",
        ] {
            assert!(read(&[("CLOAKROOM_REPLY_QUEUES", bad)]).is_err(), "{bad}");
        }
    }
}
