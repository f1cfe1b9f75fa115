//! Clients of what stands in for AWS. A file of several test programs: the harness knows no AWS.

#![allow(dead_code, reason = "not every program uses all of it")]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use cloakroom_aws::{Clients, Local};
use cloakroom_embedded::Services;

/// The project's own clients of the embedded services.
pub(crate) fn clients(services: &Services) -> Clients {
    clients_at([
        services.dynamodb_url(),
        services.sqs_url(),
        services.s3_url(),
    ])
}

/// The project's own clients of DynamoDB, SQS and S3 at these URLs.
pub(crate) fn clients_at([dynamodb_url, sqs_url, s3_url]: [&str; 3]) -> Clients {
    Clients::local(&Local {
        dynamodb_url,
        sqs_url,
        s3_url,
        region: Services::REGION,
        access_key: Services::ACCESS_KEY,
        secret_key: Services::SECRET_KEY,
    })
}

/// The SDK, for what the project's clients don't do.
pub(crate) async fn sdk_at(url: &str) -> SdkConfig {
    let credentials = Credentials::new(
        Services::ACCESS_KEY,
        Services::SECRET_KEY,
        None,
        None,
        "given",
    );
    let sdk = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(url);
    sdk.region(Region::new(Services::REGION))
        .credentials_provider(credentials)
        .load()
        .await
}
