//! Converts the event of a table's stream to the jobs that were accepted.

use cloakroom_app::Publisher;
use cloakroom_app::core::{Job, JobKey};
use cloakroom_aws::stream::job_of_image;
use lambda_http::tracing;
use serde_json::{Value, json};

/// Returns the jobs whose records were written as `accepted`. Returns `None` for an event of another source.
pub fn accepted(event: &Value) -> Option<Vec<JobKey>> {
    let records = event["Records"].as_array()?;
    if !records
        .iter()
        .all(|record| record["eventSource"] == "aws:dynamodb")
    {
        return None;
    }
    // The template's filter only passes these records. A stream that is configured differently may contain any.
    let images = records.iter().map(|record| &record["dynamodb"]["NewImage"]);
    Some(
        images
            .filter(|image| image["status"]["S"] == "accepted")
            .filter_map(job)
            .collect(),
    )
}

/// Publishes the changes in an event, in order. Returns the partial batch response: after a failure, the stream delivers
/// the failed record and all later ones again.
///
/// A record that can't be read is skipped, because it would stop its shard. So is a renewal of a lease without progress,
/// which changes nothing that concerns a listener.
pub async fn publish(publisher: &Publisher, event: &Value) -> Value {
    for record in event["Records"].as_array().into_iter().flatten() {
        let images = &record["dynamodb"];
        let job = match job_of_image(&images["NewImage"]) {
            Ok(job) => job,
            Err(reason) => {
                tracing::error!(reason, "skipped a record of the stream that can't be read");
                continue;
            }
        };
        let before = job_of_image(&images["OldImage"]).ok();
        if before.is_some_and(|before| !is_reported(&before, &job)) {
            continue;
        }
        if let Err(error) = publisher.publish(&job).await {
            tracing::error!(%error, job_id = %job.id, "failed to publish a change; the stream will deliver it again");
            let failed = json!({ "itemIdentifier": images["SequenceNumber"] });
            return json!({ "batchItemFailures": [failed] });
        }
    }
    json!({ "batchItemFailures": [] })
}

fn is_reported(before: &Job, after: &Job) -> bool {
    before.created_at != after.created_at
        || before.status != after.status
        || before.attempt != after.attempt
        || before.progress != after.progress
}

fn job(image: &Value) -> Option<JobKey> {
    let text = |name: &str| image[name]["S"].as_str();
    let key = text("tenant").zip(text("id"));
    let key = key.and_then(|(tenant, id)| {
        Some(JobKey {
            tenant: tenant.parse().ok()?,
            id: id.parse().ok()?,
        })
    });
    if key.is_none() {
        tracing::error!("a record of the stream has no valid job; it is skipped");
    }
    key
}

#[cfg(test)]
mod tests {
    use cloakroom_app::testing::{Fault, Listening};
    use serde_json::json;

    use super::*;

    /// Returns the image of a job with this version, status, attempt and progress, whose listener is the bus.
    fn image(version: u64, status: &str, attempt: u32, progress: &str) -> Value {
        json!({
            "pk": { "S": "job#acme#0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11" },
            "v": { "N": "1" }, "tenant": { "S": "acme" },
            "id": { "S": "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11" }, "type": { "S": "diagnostic.run" },
            "fingerprint": { "B": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" },
            "retention": { "N": "86400" }, "status": { "S": status },
            "version": { "N": version.to_string() }, "attempt": { "N": attempt.to_string() },
            "progress": { "N": progress }, "ready_at": { "N": "1795248000000" },
            "created_at": { "N": "1795248000000" }, "updated_at": { "N": "1795248000000" },
            "expires_at": { "N": "1795334400" }, "events": { "S": r#"{"bus":"all"}"# },
        })
    }

    fn change(old: Option<Value>, new: Value, number: u64) -> Value {
        let mut record = json!({
            "eventSource": "aws:dynamodb",
            "dynamodb": { "NewImage": new, "SequenceNumber": number.to_string() },
        });
        if let Some(old) = old {
            record["dynamodb"]["OldImage"] = old;
        }
        record
    }

    /// Publishes changes. Returns the sequence number of the first that failed, and the versions on the bus.
    async fn published(room: &Listening, changes: &[Value]) -> (Value, Vec<String>) {
        let response = publish(&room.publisher, &json!({ "Records": changes })).await;
        let bus = room.memory.bus().into_iter().map(|event| event.sequence);
        let failures = &response["batchItemFailures"];
        assert!(failures.as_array().is_some_and(|all| all.len() <= 1));
        (failures[0]["itemIdentifier"].clone(), bus.collect())
    }

    #[tokio::test]
    async fn a_change_is_published_if_it_concerns_a_listener() {
        let room = Listening::default();
        let before = image(2, "running", 1, "10");
        let mut other = image(3, "running", 1, "10");
        other["created_at"]["N"] = json!("1795248000001");
        for (after, concerns) in [
            (image(3, "running", 1, "10"), false),
            (image(3, "running", 1, "20"), true),
            (image(3, "running", 2, "10"), true),
            (image(3, "succeeded", 1, "10"), true),
            (other, true),
        ] {
            let change = change(Some(before.clone()), after, 1);
            let (failed, bus) = published(&room, std::slice::from_ref(&change)).await;
            assert_eq!(
                (failed, bus.len()),
                (Value::Null, usize::from(concerns)),
                "{change}"
            );
        }
        let first = change(None, image(1, "accepted", 0, "0"), 1);
        assert_eq!(published(&room, &[first]).await.1, ["1"]);
    }

    #[tokio::test]
    async fn changes_are_published_in_order_up_to_the_first_that_fails() {
        let room = Listening::default();
        let changes = [
            change(None, image(1, "accepted", 0, "0"), 11),
            change(None, json!({ "v": { "N": "1" } }), 12),
            change(None, image(2, "running", 1, "0"), 13),
            change(None, image(3, "succeeded", 1, "0"), 14),
        ];
        let (failed, bus) = published(&room, &changes).await;
        assert_eq!(failed, Value::Null);
        assert_eq!(bus, ["1", "2", "3"], "without the one that can't be read");
        room.memory.fail_nth(1, Fault::Before);
        let (failed, bus) = published(&room, &changes).await;
        assert_eq!((failed, bus), (json!("13"), vec!["1".to_owned()]));
    }

    fn record(status: &str) -> Value {
        json!({
            "eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventVersion": "1.1",
            "dynamodb": {
                "Keys": { "pk": { "S": "job#acme#0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11" } },
                "NewImage": {
                    "pk": { "S": "job#acme#0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11" },
                    "tenant": { "S": "acme" },
                    "id": { "S": "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11" },
                    "status": { "S": status }
                },
                "StreamViewType": "NEW_AND_OLD_IMAGES"
            }
        })
    }

    #[test]
    fn the_jobs_that_were_accepted_are_told_and_no_others() {
        let deleted =
            json!({ "eventName": "REMOVE", "eventSource": "aws:dynamodb", "dynamodb": {} });
        let upload = json!({ "eventSource": "aws:dynamodb", "dynamodb": { "NewImage": { "job": { "S": "x" } } } });
        let event = json!({ "Records": [record("accepted"), record("running"), deleted, upload] });
        let jobs = accepted(&event).expect("a stream's event");
        let [job] = &jobs[..] else { panic!("{jobs:?}") };
        assert_eq!(
            (job.tenant.as_str(), job.id.to_string().as_str()),
            ("acme", "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11")
        );
    }

    #[test]
    fn a_queues_event_is_none_of_a_stream_and_a_damaged_record_is_passed_over() {
        assert_eq!(
            accepted(&json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "1" }] })),
            None
        );
        assert_eq!(accepted(&json!({})), None);
        let mut damaged = record("accepted");
        damaged["dynamodb"]["NewImage"]["id"] = json!({ "S": "no id" });
        assert_eq!(
            accepted(&json!({ "Records": [damaged, record("accepted")] })).map(|jobs| jobs.len()),
            Some(1)
        );
    }
}
