//! The pool of connections of all clients.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;

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

/// An HTTP client that is validated for the first of the services' clients alone. The SDK validates it for each: it builds all
/// that a connection needs, so that the trusted roots are read before the first call, and drops it.
pub(super) fn validated_once(shared: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(ValidatedOnce {
        shared,
        validated: AtomicBool::new(false),
    })
}

#[derive(Debug)]
struct ValidatedOnce {
    shared: SharedHttpClient,
    validated: AtomicBool,
}

impl HttpClient for ValidatedOnce {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.shared.http_connector(settings, components)
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        if self.validated.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.shared.validate_base_client_config(components, bag)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.shared.validate_final_config(components, bag)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.shared.connector_metadata()
    }
}
