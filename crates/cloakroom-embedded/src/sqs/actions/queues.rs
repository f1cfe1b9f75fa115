//! `CreateQueue`, `GetQueueUrl`, `ListQueues`, `GetQueueAttributes`, `SetQueueAttributes`, `PurgeQueue`,
//! `DeleteQueue`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::sqs::error::{Kind, SqsError};
use crate::sqs::protocol::{parse, queue_name};
use crate::sqs::server::Server;
use crate::sqs::settings::{AttributeMap, Settings, standard_only};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    #[serde(default)]
    queue_name: String,
    #[serde(default)]
    attributes: AttributeMap,
}

pub(super) async fn create(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let Named {
        queue_name: name,
        attributes,
    } = parse(body)?;
    if name
        .split_once('.')
        .is_some_and(|(_, suffix)| suffix == "fifo")
    {
        return Err(standard_only());
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !(1..=80).contains(&name.len()) || !name.chars().all(legal) {
        return Err(SqsError::invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        ));
    }
    Settings::read(&attributes)?;
    let url = server.queue_url(&name);
    server
        .store(move |store, now| store.create_queue(&name, &attributes, now))
        .await?;
    Ok(json!({ "QueueUrl": url }))
}

pub(super) async fn url(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let name = parse::<Named>(body)?.queue_name;
    let url = server.queue_url(&name);
    server
        .store(move |store, _| store.queue_exists(&name))
        .await?;
    Ok(json!({ "QueueUrl": url }))
}

pub(super) async fn list(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        #[serde(default)]
        queue_name_prefix: String,
    }
    let prefix = parse::<Input>(body)?.queue_name_prefix;
    let names = server
        .store(move |store, _| store.queue_names(&prefix))
        .await?;
    let urls: Vec<String> = names.iter().map(|name| server.queue_url(name)).collect();
    Ok(json!({ "QueueUrls": urls }))
}

pub(super) async fn attributes(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        #[serde(default)]
        attribute_names: Vec<String>,
    }
    /// Attributes that AWS supports, but that have no default.
    const OPTIONAL: [&str; 6] = [
        "RedrivePolicy",
        "RedriveAllowPolicy",
        "Policy",
        "KmsMasterKeyId",
        "KmsDataKeyReusePeriodSeconds",
        "SqsManagedSseEnabled",
    ];
    let queue = queue_name(body)?;
    let names = parse::<Input>(body)?.attribute_names;
    let mut attributes = server
        .store(move |store, now| store.queue_attributes(&queue, now))
        .await?;
    for name in &names {
        if name != "All" && !attributes.contains_key(name) && !OPTIONAL.contains(&name.as_str()) {
            let message = format!("Unknown Attribute {name}.");
            return Err(SqsError::new(Kind::InvalidAttributeName, message));
        }
    }
    if !names.iter().any(|name| name == "All") {
        attributes.retain(|name, _| names.contains(name));
    }
    Ok(if attributes.is_empty() {
        json!({})
    } else {
        json!({ "Attributes": attributes })
    })
}

pub(super) async fn set(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let queue = queue_name(body)?;
    let changes = parse::<Named>(body)?.attributes;
    server
        .store(move |store, now| store.set_queue(&queue, changes, now))
        .await?;
    Ok(json!({}))
}

pub(super) async fn purge(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let queue = queue_name(body)?;
    server.store(move |store, _| store.purge(&queue)).await?;
    Ok(json!({}))
}

pub(super) async fn delete(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let queue = queue_name(body)?;
    server
        .store(move |store, _| store.delete_queue(&queue))
        .await?;
    Ok(json!({}))
}
