//! `StartMessageMoveTask`, whose task is complete when it responds, and `ListMessageMoveTasks`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::sqs::error::SqsError;
use crate::sqs::protocol::{arn_to_name, check_range, name_to_arn, parse};
use crate::sqs::server::Server;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    #[serde(default)]
    source_arn: String,
    destination_arn: Option<String>,
    max_results: Option<i64>,
}

fn name_in(arn: &str, parameter: &str) -> Result<String, SqsError> {
    arn_to_name(arn).map(str::to_owned).ok_or_else(|| {
        SqsError::invalid(format!(
            "Value for parameter {parameter} is invalid. Reason: not a queue's ARN."
        ))
    })
}

pub(super) async fn start(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let input: Input = parse(body)?;
    let source = name_in(&input.source_arn, "SourceArn")?;
    let destination = match &input.destination_arn {
        Some(arn) => Some(name_in(arn, "DestinationArn")?),
        None => None,
    };
    let (task, destinations) = server
        .store(move |store, now| store.move_messages(&source, destination.as_deref(), now))
        .await?;
    for queue in destinations {
        server.waiters.notify(&queue);
    }
    Ok(json!({ "TaskHandle": task.to_string() }))
}

pub(super) async fn list(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let input: Input = parse(body)?;
    let source = name_in(&input.source_arn, "SourceArn")?;
    let max = check_range(input.max_results.unwrap_or(1), 1..=10, "MaxResults")?;
    let tasks = server
        .store(move |store, _| store.move_tasks(&source, max))
        .await?;
    let results: Vec<Value> = tasks
        .into_iter()
        .map(|task| {
            let mut result = json!({
                "Status": "COMPLETED",
                "SourceArn": input.source_arn,
                "StartedTimestamp": task.started_at,
                "ApproximateNumberOfMessagesMoved": task.moved,
                "ApproximateNumberOfMessagesToMove": task.moved,
            });
            if let Some(destination) = task.destination {
                result["DestinationArn"] = json!(name_to_arn(&destination));
            }
            result
        })
        .collect();
    Ok(json!({ "Results": results }))
}
