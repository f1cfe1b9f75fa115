//! Baseline of status: one read, and its item as JSON.

mod clients;

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::presigning::PresigningConfig;
use clients::{Bucket, variable};
use lambda_http::{Body, Error, Request, RequestExt as _, Response, run, service_fn};
use serde_json::{Map, Value};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sdk = clients::sdk();
    let dynamodb = clients::dynamodb(&sdk);
    let (table, bucket) = (variable("CLOAKROOM_TABLE"), Bucket::new(sdk));
    let status = async |request: Request| -> Result<Response<Body>, Error> {
        let id = request
            .raw_http_path()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let got = dynamodb
            .get_item()
            .table_name(&table)
            .key("pk", AttributeValue::S(format!("job#default#{id}")))
            .consistent_read(true)
            .send()
            .await?;
        let Some(item) = got.item else {
            return Ok(Response::builder().status(404).body(Body::Empty)?);
        };
        let text = |name: &str| match item.get(name) {
            Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text.as_str()),
            _ => None,
        };
        let names = [
            "id",
            "client_job_id",
            "type",
            "status",
            "attempt",
            "created_at",
            "updated_at",
            "expires_at",
        ];
        let mut job: Map<String, Value> = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), text(name)?.into())))
            .collect();
        if let Some(key) = text("result_key") {
            let valid = PresigningConfig::expires_in(Duration::from_secs(300))?;
            let link = bucket
                .client()
                .get_object()
                .bucket(&bucket.name)
                .key(key)
                .presigned(valid)
                .await?;
            job.insert("result_url".to_owned(), link.uri().into());
        }
        let over = text("status") == Some("succeeded");
        Ok(Response::builder()
            .status(if over { 200 } else { 202 })
            .header("content-type", "application/json")
            .header(
                "etag",
                format!("\"{}\"", text("version").unwrap_or_default()),
            )
            .header("retry-after", 1)
            .body(Body::from(Value::Object(job).to_string()))?)
    };
    run(service_fn(status)).await
}
