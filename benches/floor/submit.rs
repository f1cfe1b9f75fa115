//! Baseline of submit: the same calls as Cloakroom's in straight-line code. No log, no routes, no problems, no metrics.

mod clients;

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue::{B, N, S};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::MessageSystemAttributeNameForSends::AwsTraceHeader;
use aws_sdk_sqs::types::MessageSystemAttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clients::{Bucket, variable};
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Maximum length of a payload in its message, in bytes: similar to Cloakroom's.
const INLINE: usize = 400_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sdk = clients::sdk();
    let mut config = aws_sdk_sqs::config::Builder::from(&sdk);
    config.set_endpoint_url(std::env::var("AWS_ENDPOINT_URL_SQS").ok());
    let (dynamodb, sqs) = (
        clients::dynamodb(&sdk),
        aws_sdk_sqs::Client::from_conf(config.build()),
    );
    let (table, queue) = (variable("CLOAKROOM_TABLE"), variable("CLOAKROOM_QUEUE_URL"));
    let bucket = Bucket::new(sdk);
    let submit = async |request: Request| -> Result<Response<Body>, Error> {
        let key = request
            .headers()
            .get("idempotency-key")
            .and_then(|key| key.to_str().ok())
            .unwrap_or_default();
        let content = request.body().as_ref();
        let body = std::str::from_utf8(content)?;
        let _payload: Value = serde_json::from_str(body)?;
        let digest = Sha256::digest(body);
        let id = Uuid::new_v4().to_string();
        let now = now_ms();
        let (now_text, now_s) = (now.to_string(), (now / 1000).to_string());
        dynamodb
            .put_item()
            .table_name(&table)
            .item("pk", S(format!("job#default#{id}")))
            .item("v", N("1".to_owned()))
            .item("tenant", S("default".to_owned()))
            .item("id", S(id.clone()))
            .item("client_job_id", S(key.to_owned()))
            .item("type", S("diagnostic.run".to_owned()))
            .item("fingerprint", B(Blob::new(digest.as_slice())))
            .item("retention", N("86400".to_owned()))
            .item("status", S("accepted".to_owned()))
            .item("version", N("1".to_owned()))
            .item("attempt", N("0".to_owned()))
            .item("ready_at", N(now_text.clone()))
            .item("created_at", N(now_text.clone()))
            .item("updated_at", N(now_text))
            .item("expires_at", N((now / 1000 + 86400).to_string()))
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", N(now_s))
            .return_values_on_condition_check_failure(AllOld)
            .send()
            .await?;
        let payload = if body.len() > INLINE {
            let key = format!("payloads/default/{id}/{}", hex::encode(digest));
            let put = bucket
                .client()
                .put_object()
                .bucket(&bucket.name)
                .key(&key)
                .content_type("application/json");
            let put = put.checksum_sha256(BASE64.encode(digest));
            put.body(ByteStream::from(content.to_vec())).send().await?;
            json!({"key": key})
        } else {
            json!({"text": body})
        };
        let message = json!({
            "v": 1, "tenant": "default", "job": id, "accepted_at": u64::try_from(now)?, "type": "diagnostic.run",
            "content_type": "application/json", "payload": payload, "sha256": hex::encode(digest),
            "traceparent": "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00", "request_id": id,
        });
        let trace = request
            .headers()
            .get("x-amzn-trace-id")
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default();
        let trace = MessageSystemAttributeValue::builder()
            .data_type("String")
            .string_value(trace)
            .build()?;
        sqs.send_message()
            .queue_url(&queue)
            .message_group_id("default")
            .message_body(message.to_string())
            .message_system_attributes(AwsTraceHeader, trace)
            .send()
            .await?;
        let job =
            json!({"id": id, "client_job_id": key, "type": "diagnostic.run", "status": "accepted"});
        Ok(Response::builder()
            .status(202)
            .header("location", format!("/jobs/{id}"))
            .header("retry-after", 1)
            .header("content-type", "application/json")
            .body(Body::from(job.to_string()))?)
    };
    run(service_fn(submit)).await
}

fn now_ms() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis()
}
