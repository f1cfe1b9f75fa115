//! Clients of the embedded services. Several test programs include this file, because the harness does not depend on
//! AWS.

#![allow(dead_code, reason = "not every program uses all of it")]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use cloakroom_aws::{Clients, Local};
use cloakroom_embedded::Services;

/// Returns the project's own clients for the embedded services.
pub(crate) fn clients(services: &Services) -> Clients {
    clients_at([
        services.dynamodb_url(),
        services.sqs_url(),
        services.s3_url(),
    ])
}

/// Returns the project's own clients for DynamoDB, SQS and S3 at these URLs.
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

/// Returns the configuration of the SDK, for calls that the project's clients don't support.
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
