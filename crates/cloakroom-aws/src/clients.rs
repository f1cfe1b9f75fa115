//! The SDK's clients, over one pool of connections.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one try of a call may take.
const ATTEMPT: Duration = Duration::from_secs(3);
/// How long a call may take with all its tries: well below the 29 s of a gateway.
const OPERATION: Duration = Duration::from_secs(9);
/// How long one try, and all of it, may take where bytes are moved: a large object is put, or copied.
const TRANSFER: Duration = Duration::from_secs(25);
/// How often a call is tried.
const TRIES: u32 = 3;
/// How long an idle connection is kept. Those that a frozen function wakes with are dead more often than not.
const IDLE: Duration = Duration::from_secs(20);

/// What clients are built from. Building this builds none.
#[derive(Debug, Clone)]
pub struct Clients {
    sdk: SdkConfig,
    endpoints: Option<Endpoints>,
    path_style: bool,
    /// Sees every call; only tests have one.
    interceptor: Option<SharedInterceptor>,
}

#[derive(Debug, Clone)]
struct Endpoints {
    dynamodb: String,
    sqs: String,
    s3: String,
}

/// Services that are not AWS's own.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// The URL of what serves DynamoDB.
    pub dynamodb_url: &'a str,
    /// The URL of what serves SQS.
    pub sqs_url: &'a str,
    /// The URL of what serves S3: asked by path (`/bucket/key`), as there is no name for each bucket.
    pub s3_url: &'a str,
    /// As in `us-east-1`.
    pub region: &'a str,
    /// What requests are signed by.
    pub access_key: &'a str,
    /// Its secret.
    pub secret_key: &'a str,
}

impl Clients {
    /// As the environment says: region, credentials, and `AWS_ENDPOINT_URL` where the services are not AWS's own.
    pub async fn load() -> Self {
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client());
        let sdk = loader.retry_config(retries()).timeout_config(timeouts(ATTEMPT, OPERATION)).load().await;
        let path_style = sdk.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        Self::over(sdk, None, path_style)
    }

    /// Over services elsewhere, whatever the environment says.
    pub fn local(local: &Local<'_>) -> Self {
        let credentials = Credentials::new(local.access_key, local.secret_key, None, None, "given");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(local.region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client())
            .retry_config(retries())
            .timeout_config(timeouts(ATTEMPT, OPERATION))
            .build();
        let endpoints =
            Endpoints { dynamodb: local.dynamodb_url.into(), sqs: local.sqs_url.into(), s3: local.s3_url.into() };
        Self::over(sdk, Some(endpoints), true)
    }

    fn over(sdk: SdkConfig, endpoints: Option<Endpoints>, path_style: bool) -> Self {
        Self { sdk, endpoints, path_style, interceptor: None }
    }

    /// Clients that are built from now on count their calls here.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn counted_by(mut self, calls: &crate::testing::CallCounter) -> Self {
        self.interceptor = Some(SharedInterceptor::new(calls.clone()));
        self
    }

    /// Clients that are built from now on have one call spoilt.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn spoilt_by(mut self, spoiler: &crate::testing::Spoiler) -> Self {
        self.interceptor = Some(SharedInterceptor::new(spoiler.clone()));
        self
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::config::Builder::from(&self.sdk);
        if let Some(endpoints) = &self.endpoints {
            config.set_endpoint_url(Some(endpoints.dynamodb.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        let mut config = aws_sdk_sqs::config::Builder::from(&self.sdk);
        if let Some(endpoints) = &self.endpoints {
            config.set_endpoint_url(Some(endpoints.sqs.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    /// Always as the environment says: nothing local stands in for it.
    pub(crate) fn scheduler(&self) -> aws_sdk_scheduler::Client {
        aws_sdk_scheduler::Client::new(&self.sdk)
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let mut config = aws_sdk_s3::config::Builder::from(&self.sdk);
        config.set_force_path_style(Some(self.path_style)).set_timeout_config(Some(timeouts(TRANSFER, TRANSFER)));
        if let Some(endpoints) = &self.endpoints {
            config.set_endpoint_url(Some(endpoints.s3.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_s3::Client::from_conf(config.build())
    }
}

/// What `doctor` alone needs.
#[cfg(feature = "doctor")]
impl Clients {
    pub(crate) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// Always as the environment says: nothing local stands in for Lambda.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.sdk)
    }
}

/// For a call that waits for so long before it answers.
pub(crate) fn patient(wait: Duration) -> aws_sdk_sqs::config::Builder {
    aws_sdk_sqs::config::Builder::new().timeout_config(timeouts(wait + ATTEMPT, wait + OPERATION))
}

/// One for all clients: the trusted roots are read once, and connections to the same host are shared.
fn http_client() -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new().pool_idle_timeout(IDLE);
    builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(TRIES)
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}
