use aws_lambda_events::sqs::SqsBatchResponse;
use cloakroom_app::delivery::Delivery;
use cloakroom_app::sweep::Rounds;
use cloakroom_aws::{Clients, SweeperConfig};
use lambda_http::lambda_runtime::service_fn;
use lambda_http::{Error, LambdaEvent};
use serde_json::Value;

use crate::{batch, start, stream};

/// Runs the function behind the table's stream and the sweeper's own queue, which ends abandoned jobs.
///
/// # Errors
/// Returns an error of the Lambda runtime. An invalid configuration ends the process with one line in the log.
pub fn sweeper() -> Result<(), Error> {
    start::run(&[], async {
        let config = start::configured(SweeperConfig::from_env);
        let rounds = cloakroom_aws::rounds(&config, &Clients::from_function_env(), start::meter());
        let sweep = async |event: LambdaEvent<Value>| sweep(&rounds, event.payload).await;
        start::answer(service_fn(sweep)).await
    })
}

/// Handles an event of the table's stream or of the sweeper's own queue.
async fn sweep(rounds: &Rounds, event: Value) -> Result<SqsBatchResponse, Error> {
    if let Some(jobs) = stream::accepted(&event) {
        // An error fails the whole batch. The stream delivers it again for as long as it retains records.
        rounds.begin(&jobs).await?;
        return Ok(SqsBatchResponse::default());
    }
    let lists = serde_json::from_value(event)?;
    let resume = async |lists: &[Delivery]| rounds.resume(lists).await;
    Ok(batch::handle(lists, resume).await)
}

#[cfg(test)]
mod tests {
    use cloakroom_app::testing::{Nothing, Room, nothing};
    use cloakroom_app::{Command, Host as _};
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_batch_of_the_stream_that_is_on_no_list_comes_again() {
        let room = Room::new(vec![Command::json("act", nothing::<Nothing>)]);
        let rounds = Rounds {
            sweeper: room.sweeper.clone(),
            lists: room.memory.clone(),
        };
        let job = room.send("act", None, "{}").await.expect("accepted").job;
        room.memory.purge();
        let image = json!({
            "tenant": { "S": job.tenant },
            "id": { "S": job.id },
            "status": { "S": "accepted" },
        });
        let record = json!({ "eventSource": "aws:dynamodb", "dynamodb": { "NewImage": image } });
        let event = json!({ "Records": [record] });
        room.memory.down(&["send"]);
        assert!(sweep(&rounds, event.clone()).await.is_err());
        assert_eq!(room.memory.messages().0, 0);
        room.memory.calm();
        let response = sweep(&rounds, event).await.expect("begun");
        assert!(response.batch_item_failures.is_empty());
        assert_eq!(room.memory.messages().0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_stays_until_its_jobs_have_ended() {
        let room = Room::new(vec![Command::json("act", nothing::<Nothing>)]);
        let rounds = Rounds {
            sweeper: room.sweeper.clone(),
            lists: room.memory.clone(),
        };
        let mut records = vec![];
        for (name, ends) in [("open", false), ("ended", true)] {
            let job = room.send("act", None, "{}").await.expect("accepted").job;
            if ends {
                room.jobs.cancel(&job.key()).await.expect("cancelled");
            }
            let sent_at = room.host.now().as_seconds_ceil();
            let list = json!({ "v": 1, "jobs": [[job.tenant, job.id]], "sent_at": sent_at });
            records.push(json!({
                "messageId": name,
                "receiptHandle": name,
                "eventSource": "aws:sqs",
                "body": list.to_string(),
            }));
        }
        let response = sweep(&rounds, json!({ "Records": records })).await;
        let kept = response.expect("resumed").batch_item_failures;
        let kept: Vec<_> = kept.iter().map(|it| it.item_identifier.as_str()).collect();
        assert_eq!(kept, ["open"]);
    }
}
