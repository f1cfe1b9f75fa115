//! The SDK's clients, over one pool of connections.

mod http;
mod user_agent;

use std::env;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{
    Credentials, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use user_agent::UserAgent;

use crate::config::{Lookup, environment};

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

/// What clients are built from. Building this builds none.
#[derive(Debug, Clone)]
pub struct Clients {
    sdk: SdkConfig,
    endpoints: Endpoints,
    path_style: bool,
    /// Sees every call; only tests have one.
    interceptor: Option<SharedInterceptor>,
}

/// Where services are, if not where the SDK finds them.
#[derive(Debug, Clone, Default)]
struct Endpoints {
    dynamodb: Option<String>,
    sqs: Option<String>,
    s3: Option<String>,
    scheduler: Option<String>,
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
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http::client());
        let sdk = loader
            .retry_config(retries())
            .timeout_config(timeouts(ATTEMPT, OPERATION))
            .load()
            .await;
        let path_style =
            sdk.endpoint_url().is_some() || env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        Self::over(sdk, Endpoints::default(), path_style)
    }

    /// As a function's environment says, where Lambda itself sets region and credentials. The same as [`load`](Self::load), but
    /// that nothing is looked for elsewhere: files, other sign-ins and machines' own services are not asked, and not linked.
    pub fn of_function() -> Self {
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
            .retry_config(retries())
            .timeout_config(timeouts(ATTEMPT, OPERATION));
        sdk.set_region(set("AWS_REGION").map(Region::new))
            .set_endpoint_url(set("AWS_ENDPOINT_URL"))
            .set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT"))
            .set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"));
        let endpoints = Endpoints {
            dynamodb: set("AWS_ENDPOINT_URL_DYNAMODB"),
            sqs: set("AWS_ENDPOINT_URL_SQS"),
            s3: set("AWS_ENDPOINT_URL_S3"),
            scheduler: set("AWS_ENDPOINT_URL_SCHEDULER"),
        };
        let path_style = set("AWS_ENDPOINT_URL").is_some() || endpoints.s3.is_some();
        Self::over(sdk.build(), endpoints, path_style)
    }

    /// Over services elsewhere, whatever the environment says.
    pub fn local(local: &Local<'_>) -> Self {
        let credentials = Credentials::new(local.access_key, local.secret_key, None, None, "given");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(local.region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http::client())
            .retry_config(retries())
            .timeout_config(timeouts(ATTEMPT, OPERATION))
            // These services have this machine's clock. What the SDK makes of a `Date` from before that clock was set back
            // would spoil the signature of the next call.
            .disable_clock_skew_correction(true)
            .build();
        let endpoints = Endpoints {
            dynamodb: Some(local.dynamodb_url.into()),
            sqs: Some(local.sqs_url.into()),
            s3: Some(local.s3_url.into()),
            scheduler: None,
        };
        Self::over(sdk, endpoints, true)
    }

    fn over(sdk: SdkConfig, endpoints: Endpoints, path_style: bool) -> Self {
        Self {
            sdk,
            endpoints,
            path_style,
            interceptor: None,
        }
    }

    /// Clients that are built from now on count their calls here.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn counted_by(mut self, calls: &crate::testing::CallCounter) -> Self {
        self.interceptor = Some(SharedInterceptor::new(calls.clone()));
        self
    }

    /// Clients that are built from now on are answered by this, and reach nobody.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn answered_by(
        mut self,
        http: aws_smithy_runtime_api::client::http::SharedHttpClient,
    ) -> Self {
        self.sdk = self.sdk.into_builder().http_client(http).build();
        self
    }

    /// Clients that are built from now on have one call spoilt.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn spoilt_by(mut self, spoiler: &crate::testing::Spoiler) -> Self {
        self.interceptor = Some(SharedInterceptor::new(spoiler.clone()));
        self
    }

    /// Client of DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::config::Builder::from(&self.sdk);
        config.set_stalled_stream_protection(Some(unwatched()));
        config.push_interceptor(SharedInterceptor::permanent(UserAgent));
        if let Some(url) = &self.endpoints.dynamodb {
            config.set_endpoint_url(Some(url.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// Client of SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let mut config = aws_sdk_sqs::config::Builder::from(&self.sdk);
        config.set_stalled_stream_protection(Some(unwatched()));
        config.push_interceptor(SharedInterceptor::permanent(UserAgent));
        if let Some(url) = &self.endpoints.sqs {
            config.set_endpoint_url(Some(url.clone()));
        }
        if let Some(interceptor) = &self.interceptor {
            config.push_interceptor(interceptor.clone());
        }
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    /// Always as the environment says: nothing local stands in for it.
    pub(crate) fn scheduler(&self) -> aws_sdk_scheduler::Client {
        let mut config = aws_sdk_scheduler::config::Builder::from(&self.sdk);
        if let Some(url) = &self.endpoints.scheduler {
            config.set_endpoint_url(Some(url.clone()));
        }
        aws_sdk_scheduler::Client::from_conf(config.build())
    }

    /// Client of S3.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let mut config = aws_sdk_s3::config::Builder::from(&self.sdk);
        config
            .set_force_path_style(Some(self.path_style))
            .set_timeout_config(Some(timeouts(TRANSFER, TRANSFER)));
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
    /// Configuration of the SDK that all clients share.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }
}

/// For a call that waits for so long before it answers.
pub(crate) fn patient(wait: Duration) -> aws_sdk_sqs::config::Builder {
    aws_sdk_sqs::config::Builder::new().timeout_config(timeouts(wait + ATTEMPT, wait + OPERATION))
}

/// Where nothing is streamed, a try's own timeout ends one that stalls sooner than the SDK's watch over its bytes would.
fn unwatched() -> StalledStreamProtectionConfig {
    StalledStreamProtectionConfig::disabled()
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

#[cfg(test)]
mod tests;
