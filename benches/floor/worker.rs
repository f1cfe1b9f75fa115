//! Baseline of the worker: two conditional updates per message, all messages concurrently. The job itself does nothing.

mod clients;

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue::{B, L, N, S};
use aws_sdk_dynamodb::types::ReturnValue::AllNew;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clients::{Bucket, variable};
use futures::future::join_all;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sdk = clients::sdk();
    let dynamodb = clients::dynamodb(&sdk);
    let (table, bucket) = (variable("CLOAKROOM_TABLE"), Bucket::new(sdk));
    let work = async |event: LambdaEvent<SqsEvent>| -> Result<SqsBatchResponse, Error> {
        let deadline = event.context.deadline;
        let each = event
            .payload
            .records
            .iter()
            .map(|message| one(&dynamodb, &table, &bucket, message, deadline));
        let mut response = SqsBatchResponse::default();
        for (ended, message) in join_all(each).await.into_iter().zip(&event.payload.records) {
            if ended.is_err() {
                response.add_failure(message.message_id.clone().unwrap_or_default());
            }
        }
        Ok(response)
    };
    run(service_fn(work)).await
}

const CLAIMABLE: &str = "attribute_exists(pk) AND v <= :one AND expires_at > :now_s AND \
    #status IN (:from_0, :from_1, :from_2) AND created_at = :incarnation AND ready_at <= :now AND \
    attempt < :attempts_below";
const CLAIM: &str = "SET version = version + :one, updated_at = :now, expires_at = :now_s + retention, \
    #status = :from_1, history = list_append(if_not_exists(history, :none), :history), lease_ends_at = :ends_at, \
    lease_token = :token, lease_message = :message, attempt = attempt + :one, \
    started_at = if_not_exists(started_at, :now), ready_at = :ready_at \
    REMOVE progress, progress_message, estimated_finish_at";
const HELD: &str = "attribute_exists(pk) AND v <= :one AND expires_at > :now_s AND \
    #status IN (:from_0, :from_1) AND lease_token = :held_by";
const SETTLE: &str = "SET version = version + :one, updated_at = :now, expires_at = :now_s + retention, \
    #status = :status, history = list_append(if_not_exists(history, :none), :history), finished_at = :now, \
    #result = :result, result_type = :result_type, result_bytes = :result_bytes \
    REMOVE result_key, result_length, result_sha256, result_seconds, #resource";
const SETTLE_STORED: &str = "SET version = version + :one, updated_at = :now, expires_at = :now_s + retention, \
    #status = :status, history = list_append(if_not_exists(history, :none), :history), finished_at = :now, \
    #result = :result, result_type = :result_type, result_key = :result_key, result_length = :result_length, \
    result_sha256 = :result_sha256 REMOVE result_bytes, result_seconds, #resource";
/// Maximum length of a result in its record, in bytes.
const INLINE_RESULT: usize = 32 * 1024;

async fn one(
    dynamodb: &Client,
    table: &str,
    bucket: &Bucket,
    message: &SqsMessage,
    deadline: u64,
) -> Result<(), Error> {
    let command: Value = serde_json::from_str(message.body.as_deref().unwrap_or_default())?;
    let job = command["job"].as_str().unwrap_or_default().to_owned();
    let pk = format!("job#default#{job}");
    let token = Uuid::new_v4().to_string();
    let claim = dynamodb
        .update_item()
        .table_name(table)
        .key("pk", S(pk.clone()));
    claimed(claim, &command, message, token.clone(), deadline).await?;
    let payload = payload(bucket, &command).await?;
    let result = payload["result"].to_string();
    let now = now_ms();
    let settle = dynamodb
        .update_item()
        .table_name(table)
        .key("pk", S(pk))
        .condition_expression(HELD);
    let settle = if result.len() > INLINE_RESULT {
        let key = format!("results/1d/default/{job}/{token}");
        stored(settle, bucket, key, result).await?
    } else {
        settle
            .update_expression(SETTLE)
            .expression_attribute_values(":result", S("inline".to_owned()))
            .expression_attribute_values(":result_bytes", B(Blob::new(result)))
    };
    settled(settle, token, now).await?;
    if let Some(key) = command["payload"]["key"].as_str() {
        bucket
            .client()
            .delete_object()
            .bucket(&bucket.name)
            .key(key)
            .send()
            .await?;
    }
    Ok(())
}

/// Claims the job.
async fn claimed(
    claim: UpdateItemFluentBuilder,
    command: &Value,
    message: &SqsMessage,
    token: String,
    deadline: u64,
) -> Result<(), Error> {
    let now = now_ms();
    claim
        .condition_expression(CLAIMABLE)
        .update_expression(CLAIM)
        .expression_attribute_values(":from_0", S("accepted".to_owned()))
        .expression_attribute_values(":from_1", S("running".to_owned()))
        .expression_attribute_values(":from_2", S("retrying".to_owned()))
        .expression_attribute_values(":incarnation", N(command["accepted_at"].to_string()))
        .expression_attribute_values(":attempts_below", N("3".to_owned()))
        .expression_attribute_values(":one", N("1".to_owned()))
        .expression_attribute_values(":none", L(vec![]))
        .expression_attribute_values(":history", L(vec![S(format!("{now} claim"))]))
        .expression_attribute_values(":now", N(now.to_string()))
        .expression_attribute_values(":now_s", N((now / 1000).to_string()))
        .expression_attribute_values(":ready_at", N((now + 30_000).to_string()))
        .expression_attribute_values(":token", S(token))
        .expression_attribute_values(
            ":message",
            S(message.message_id.clone().unwrap_or_default()),
        )
        .expression_attribute_values(":ends_at", N(deadline.to_string()))
        .expression_attribute_names("#status", "status")
        .return_values(AllNew)
        .return_values_on_condition_check_failure(AllOld)
        .send()
        .await?;
    Ok(())
}

/// Returns the payload from the message or the bucket.
async fn payload(bucket: &Bucket, command: &Value) -> Result<Value, Error> {
    let Some(key) = command["payload"]["key"].as_str() else {
        let text = command["payload"]["text"].as_str().unwrap_or_default();
        return Ok(serde_json::from_str(text)?);
    };
    let got = bucket
        .client()
        .get_object()
        .bucket(&bucket.name)
        .key(key)
        .send()
        .await?;
    Ok(serde_json::from_slice(
        &got.body.collect().await?.into_bytes(),
    )?)
}

/// Stores a result in the bucket, and records its key.
async fn stored(
    settle: UpdateItemFluentBuilder,
    bucket: &Bucket,
    key: String,
    result: String,
) -> Result<UpdateItemFluentBuilder, Error> {
    let digest = Sha256::digest(&result);
    let length = result.len().to_string();
    let put = bucket
        .client()
        .put_object()
        .bucket(&bucket.name)
        .key(&key)
        .content_type("application/json");
    let put = put.checksum_sha256(BASE64.encode(digest));
    put.body(ByteStream::from(result.into_bytes()))
        .send()
        .await?;
    Ok(settle
        .update_expression(SETTLE_STORED)
        .expression_attribute_values(":result", S("stored".to_owned()))
        .expression_attribute_values(":result_key", S(key))
        .expression_attribute_values(":result_length", N(length))
        .expression_attribute_values(":result_sha256", B(Blob::new(digest.as_slice()))))
}

/// Records the success of the job.
async fn settled(settle: UpdateItemFluentBuilder, token: String, now: u128) -> Result<(), Error> {
    settle
        .expression_attribute_values(":from_0", S("running".to_owned()))
        .expression_attribute_values(":from_1", S("cancelling".to_owned()))
        .expression_attribute_values(":held_by", S(token))
        .expression_attribute_values(":one", N("1".to_owned()))
        .expression_attribute_values(":none", L(vec![]))
        .expression_attribute_values(":history", L(vec![S(format!("{now} succeed"))]))
        .expression_attribute_values(":now", N(now.to_string()))
        .expression_attribute_values(":now_s", N((now / 1000).to_string()))
        .expression_attribute_values(":status", S("succeeded".to_owned()))
        .expression_attribute_values(":result_type", S("application/json".to_owned()))
        .expression_attribute_names("#status", "status")
        .expression_attribute_names("#result", "result")
        .expression_attribute_names("#resource", "resource")
        .return_values_on_condition_check_failure(AllOld)
        .send()
        .await?;
    Ok(())
}

fn now_ms() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis()
}
