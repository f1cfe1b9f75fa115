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
    use std::time::Duration;

    use cloakroom_app::core::{DeliveryState, Progress, Status};
    use cloakroom_app::testing::{Fault, Listening};
    use cloakroom_aws::testing::image_of;
    use serde_json::json;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// Returns a change as the stream shows it. Its place in the stream is the job's version.
    fn change(before: Option<&Job>, after: &Job) -> Value {
        json!({ "eventName": "MODIFY", "eventSource": "aws:dynamodb", "dynamodb": {
            "OldImage": before.map(image_of), "NewImage": image_of(after), "SequenceNumber": after.version.to_string(),
        } })
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

    #[tokio::test]
    async fn a_poisoned_record_is_skipped_and_stops_no_other() {
        let room = Listening::default();
        let (first, last) = (room.job(Status::Running, 2), room.job(Status::Succeeded, 3));
        let mut damaged = room.job(Status::Succeeded, 3);
        damaged.tenant = "damaged".parse().expect("a name");
        room.memory.damage(&damaged.key());
        let poison = |name: &str, value: Value| {
            let mut poisoned = change(None, &last);
            poisoned["dynamodb"]["NewImage"][name] = value;
            poisoned
        };
        let records = [
            json!({}),
            json!({ "eventSource": "aws:dynamodb", "dynamodb": {} }),
            poison("status", json!({ "S": "of a later version" })),
            poison("version", json!({ "S": "3" })),
            poison("pk", json!({ "M": {} })),
            change(None, &first),
            poison("events", json!({ "S": "{" })),
            change(None, &damaged),
            change(Some(&first), &last),
        ];
        let answer = publish(&room.publisher, &json!({ "Records": records })).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
        let log = room.publisher.deliveries(&last).await.expect("read");
        let ids: Vec<_> = log.deliveries.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["2-webhook", "3-webhook"]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_the_failed_record_and_all_later_ones_come_again() {
        let room = Listening::default();
        let jobs = [
            room.job(Status::Accepted, 1),
            room.job(Status::Running, 2),
            room.job(Status::Succeeded, 3),
        ];
        let records = jobs.each_ref().map(|job| change(None, job));
        // The first change is load, save, send.
        room.memory.fail_nth(4, Fault::Before);
        let answer = publish(&room.publisher, &json!({ "Records": records })).await;
        assert_eq!(
            answer,
            json!({ "batchItemFailures": [{ "itemIdentifier": "2" }] })
        );
        let answer = publish(&room.publisher, &json!({ "Records": records[1..] })).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
        room.deliver_all().await;
        let posted = room.memory.posted();
        let ids = posted
            .iter()
            .map(|it| it.header("webhook-id").expect("an id"));
        let versions: Vec<_> = ids.filter_map(|id| id.rsplit('/').next()).collect();
        assert_eq!(versions, ["1", "2", "3"]);
        let log = room.publisher.deliveries(&jobs[2]).await.expect("read");
        let delivered = |it: &_| matches!(it, DeliveryState::Delivered);
        assert!(
            log.deliveries.iter().all(|it| delivered(&it.state)),
            "{log:?}"
        );
    }

    #[tokio::test]
    async fn a_change_is_an_event_unless_it_renews_a_lease_alone() {
        type Edit = fn(&mut Job);

        fn report(job: &mut Job) -> &mut Progress {
            job.progress.as_mut().expect("a report")
        }
        let cases: [(Edit, bool); 7] = [
            (|_| {}, false),
            (|job| job.progress = None, true),
            (|job| report(job).percent = 60.0, true),
            (|job| report(job).message = Some("half".to_owned()), true),
            (|job| job.attempt += 1, true),
            (|job| job.status = Status::Succeeded, true),
            // Another job, under the id of one that has expired.
            (|job| job.created_at = job.created_at.after(DAY), true),
        ];
        for (n, (edit, concerns)) in cases.into_iter().enumerate() {
            let room = Listening::default();
            let mut before = room.job(Status::Running, 2);
            before.progress = Some(Progress {
                percent: 50.0,
                message: None,
            });
            let mut after = before.clone();
            after.version += 1;
            edit(&mut after);
            let records = [change(Some(&before), &after)];
            publish(&room.publisher, &json!({ "Records": records })).await;
            let log = room.publisher.deliveries(&after).await.expect("read");
            assert_eq!(log.deliveries.len(), usize::from(concerns), "case {n}");
        }
    }
}
