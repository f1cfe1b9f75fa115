//! SDK clients that share one pool of connections.

mod http;
mod tuning;

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{
    Credentials, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tuning::ConstantUserAgent;

use crate::config::{Lookup, environment};

/// Timeout of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout of one attempt of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// Timeout of a call with all its attempts: well below the 29 s of a gateway.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(9);
/// Timeout of an attempt and of the whole call for transfers: putting or copying a large object.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(25);
/// Maximum number of attempts of a call.
const MAX_ATTEMPTS: u32 = 3;

/// Configuration from which the SDK clients are built. Creating this value builds no client.
#[derive(Debug, Clone)]
pub struct Clients {
    sdk: SdkConfig,
    endpoints: Endpoints,
    path_style: bool,
    /// Observer of every call, for tests only.
    interceptor: Option<SharedInterceptor>,
}

/// Endpoints of services that differ from the SDK's.
#[derive(Debug, Clone, Default)]
struct Endpoints {
    dynamodb: Option<String>,
    sqs: Option<String>,
    s3: Option<String>,
    scheduler: Option<String>,
    // Without the feature, no client reads these two.
    #[cfg_attr(not(feature = "listeners"), allow(dead_code))]
    eventbridge: Option<String>,
    #[cfg_attr(not(feature = "listeners"), allow(dead_code))]
    secrets_manager: Option<String>,
}

/// Services other than AWS's own.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// URL of the DynamoDB service.
    pub dynamodb_url: &'a str,
    /// URL of the SQS service.
    pub sqs_url: &'a str,
    /// URL of the S3 service, with buckets in the path (`/bucket/key`), because there is no host name for each bucket.
    pub s3_url: &'a str,
    /// Region, for example `us-east-1`.
    pub region: &'a str,
    /// Access key that signs requests.
    pub access_key: &'a str,
    /// Secret key that signs requests.
    pub secret_key: &'a str,
}

impl Clients {
    /// Reads the environment: region, credentials, and `AWS_ENDPOINT_URL` for services other than AWS's own.
    pub async fn load() -> Self {
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http::client());
        let sdk = loader
            .retry_config(retry_config())
            .timeout_config(timeout_config(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            .load()
            .await;
        Self::from_profile(sdk, &environment)
    }

    /// Uses what the SDK has loaded. It reads the endpoint of each service itself.
    fn from_profile(sdk: SdkConfig, lookup: Lookup<'_>) -> Self {
        let path_style = sdk.endpoint_url().is_some() || lookup("AWS_ENDPOINT_URL_S3").is_some();
        Self::new(sdk, Endpoints::default(), path_style)
    }

    /// Reads a function's environment, in which Lambda sets region and credentials. Unlike [`load`](Self::load), it
    /// reads no files and uses no other sign-in and no metadata service, and it does not link that code.
    pub fn from_function_env() -> Self {
        Self::from_variables(&environment)
    }

    fn from_variables(lookup: Lookup<'_>) -> Self {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let is_on = |name: &str| set(name).map(|value| value.eq_ignore_ascii_case("true"));
        let mut sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(
                EnvironmentVariableCredentialsProvider::new(),
            ))
            .http_client(http::client())
            .retry_config(retry_config())
            .timeout_config(timeout_config(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT));
        sdk.set_region(set("AWS_REGION").map(Region::new))
            .set_endpoint_url(set("AWS_ENDPOINT_URL"))
            .set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT"))
            .set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"));
        let endpoints = Endpoints {
            dynamodb: set("AWS_ENDPOINT_URL_DYNAMODB"),
            sqs: set("AWS_ENDPOINT_URL_SQS"),
            s3: set("AWS_ENDPOINT_URL_S3"),
            scheduler: set("AWS_ENDPOINT_URL_SCHEDULER"),
            eventbridge: set("AWS_ENDPOINT_URL_EVENTBRIDGE"),
            secrets_manager: set("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        };
        let path_style = set("AWS_ENDPOINT_URL").is_some() || endpoints.s3.is_some();
        Self::new(sdk.build(), endpoints, path_style)
    }

    /// Creates clients for other services, regardless of the environment.
    pub fn local(local: &Local<'_>) -> Self {
        let credentials = Credentials::new(local.access_key, local.secret_key, None, None, "given");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(local.region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http::client())
            .retry_config(retry_config())
            .timeout_config(timeout_config(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            // These services use this machine's clock. After that clock was set back, the SDK's correction based on an
            // earlier `Date` would invalidate the signature of the next call.
            .disable_clock_skew_correction(true)
            .build();
        let endpoints = Endpoints {
            dynamodb: Some(local.dynamodb_url.into()),
            sqs: Some(local.sqs_url.into()),
            s3: Some(local.s3_url.into()),
            ..Endpoints::default()
        };
        Self::new(sdk, endpoints, true)
    }

    fn new(sdk: SdkConfig, endpoints: Endpoints, path_style: bool) -> Self {
        Self {
            sdk,
            endpoints,
            path_style,
            interceptor: None,
        }
    }

    /// Counts the calls of clients that are built after this.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn with_call_counter(mut self, calls: &crate::testing::CallCounter) -> Self {
        self.interceptor = Some(SharedInterceptor::new(calls.clone()));
        self
    }

    /// Uses this HTTP client in clients that are built after this, instead of connecting to a service.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn with_http_client(
        mut self,
        http: aws_smithy_runtime_api::client::http::SharedHttpClient,
    ) -> Self {
        self.sdk = self.sdk.into_builder().http_client(http).build();
        self
    }

    /// Injects a fault into one call of the clients that are built after this.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn with_fault_injector(mut self, injector: &crate::testing::FaultInjector) -> Self {
        self.interceptor = Some(SharedInterceptor::new(injector.clone()));
        self
    }

    /// Uses this URL of EventBridge in clients that are built after this.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn with_eventbridge_url(mut self, url: &str) -> Self {
        self.endpoints.eventbridge = Some(url.to_owned());
        self
    }

    /// Builds a client of DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::config::Builder::from(&self.sdk);
        config.set_stalled_stream_protection(Some(no_stalled_stream_protection()));
        config.push_interceptor(SharedInterceptor::permanent(ConstantUserAgent));
        if let Some(url) = &self.endpoints.dynamodb {
            config.set_endpoint_url(Some(url.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// Builds a client of SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let mut config = aws_sdk_sqs::config::Builder::from(&self.sdk);
        config.set_stalled_stream_protection(Some(no_stalled_stream_protection()));
        config.push_interceptor(SharedInterceptor::permanent(ConstantUserAgent));
        if let Some(url) = &self.endpoints.sqs {
            config.set_endpoint_url(Some(url.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    /// Builds a client of EventBridge.
    #[cfg(feature = "listeners")]
    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        let mut config = aws_sdk_eventbridge::config::Builder::from(&self.sdk);
        if let Some(url) = &self.endpoints.eventbridge {
            config.set_endpoint_url(Some(url.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_eventbridge::Client::from_conf(config.build())
    }

    /// Builds a client of Secrets Manager.
    #[cfg(feature = "listeners")]
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let mut config = aws_sdk_secretsmanager::config::Builder::from(&self.sdk);
        if let Some(url) = &self.endpoints.secrets_manager {
            config.set_endpoint_url(Some(url.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// Builds a client of EventBridge Scheduler. The embedded services don't include it.
    pub(crate) fn scheduler(&self) -> aws_sdk_scheduler::Client {
        let mut config = aws_sdk_scheduler::config::Builder::from(&self.sdk);
        if let Some(url) = &self.endpoints.scheduler {
            config.set_endpoint_url(Some(url.clone()));
        }
        aws_sdk_scheduler::Client::from_conf(config.build())
    }

    /// Builds a client of S3.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let mut config = aws_sdk_s3::config::Builder::from(&self.sdk);
        config
            .set_force_path_style(Some(self.path_style))
            .set_timeout_config(Some(timeout_config(TRANSFER_TIMEOUT, TRANSFER_TIMEOUT)));
        if let Some(url) = &self.endpoints.s3 {
            config.set_endpoint_url(Some(url.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_s3::Client::from_conf(config.build())
    }
}

impl Clients {
    /// Returns the SDK configuration that all clients share.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }
}

/// Returns the timeouts of a call for which SQS may take up to `wait` to respond (long polling).
pub(crate) fn long_poll_config(wait: Duration) -> aws_sdk_sqs::config::Builder {
    aws_sdk_sqs::config::Builder::new().timeout_config(timeout_config(
        wait + ATTEMPT_TIMEOUT,
        wait + OPERATION_TIMEOUT,
    ))
}

/// Disables the protection against stalled streams. Without streams, the timeout of an attempt takes effect sooner.
fn no_stalled_stream_protection() -> StalledStreamProtectionConfig {
    StalledStreamProtectionConfig::disabled()
}

fn retry_config() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS)
}

fn timeout_config(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

#[cfg(test)]
mod tests;
