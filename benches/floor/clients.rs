//! The SDK's clients, as the functions have them: one pool of connections, AWS-LC, the same retries and times.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

pub(crate) async fn load() -> SdkConfig {
    let http = Builder::new().pool_idle_timeout(Duration::from_secs(20));
    let times = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(9));
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https())
        .retry_config(RetryConfig::standard())
        .timeout_config(times.build())
        .load()
        .await
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}
