//! SDK clients configured like those of the functions: one pool of connections, AWS-LC, the same retries and timeouts,
//! and only the variables that Lambda sets.

use std::env;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

pub(crate) fn sdk() -> SdkConfig {
    let http = Builder::new().pool_idle_timeout(Duration::from_secs(20));
    let times = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(9));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variable("AWS_REGION")))
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ))
        .http_client(
            http.tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .build_https(),
        )
        .retry_config(RetryConfig::standard())
        .timeout_config(times.build())
        .build()
}

pub(crate) fn dynamodb(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let mut config = aws_sdk_dynamodb::config::Builder::from(sdk);
    config.set_endpoint_url(env::var("AWS_ENDPOINT_URL_DYNAMODB").ok());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// Bucket of large payloads and results. Most jobs don't need it, so the client is built at its first use.
pub(crate) struct Bucket {
    pub(crate) name: String,
    sdk: SdkConfig,
    client: OnceLock<aws_sdk_s3::Client>,
}

impl Bucket {
    pub(crate) fn new(sdk: SdkConfig) -> Self {
        Self {
            name: variable("CLOAKROOM_BUCKET"),
            sdk,
            client: OnceLock::new(),
        }
    }

    pub(crate) fn client(&self) -> &aws_sdk_s3::Client {
        self.client.get_or_init(|| {
            let mut config = aws_sdk_s3::config::Builder::from(&self.sdk);
            config.set_endpoint_url(env::var("AWS_ENDPOINT_URL_S3").ok());
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }
}

pub(crate) fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}
