//! The pool of connections of all clients.

use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::tuning::validated_once;

/// Time after which an idle connection is closed. A frozen function mostly wakes with dead connections.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// One for all clients: the trusted roots are read once, and connections to the same host are shared.
pub(super) fn client() -> SharedHttpClient {
    let builder = Builder::new().pool_idle_timeout(POOL_IDLE_TIMEOUT);
    validated_once(
        builder
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https(),
    )
}
