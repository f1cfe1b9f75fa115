//! Connection pool of all clients.

use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::tuning::validated_once;

/// Time after which an idle connection is closed. When a frozen function resumes, its connections are mostly dead.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the HTTP client of all SDK clients. They share the trusted roots, and connections to the same host.
pub(super) fn client() -> SharedHttpClient {
    let builder = Builder::new().pool_idle_timeout(POOL_IDLE_TIMEOUT);
    validated_once(
        builder
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https(),
    )
}
