//! Tuning of the SDK. Each item states when to remove it.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_runtime::user_agent::UserAgentInterceptor;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{
    Intercept, disable_interceptor, dyn_dispatch_hint,
};
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;

/// Interceptor that sets a constant `User-Agent`, as a replacement for the SDK's own interceptor. No signature covers
/// the header. Not for a client that presigns, because users of a link send their own header.
///
/// The SDK builds two headers of about ten parts in each attempt. According to `benches/guard`, they take a twentieth
/// of a call's instructions.
///
/// Remove it when the SDK builds its headers once per client, or when a client can set its own:
/// <https://github.com/awslabs/aws-sdk-rust/issues/146>.
#[derive(Debug)]
pub(super) struct ConstantUserAgent;

#[dyn_dispatch_hint]
impl Intercept for ConstantUserAgent {
    fn name(&self) -> &'static str {
        "ConstantUserAgent"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state()
            .store_put(disable_interceptor::<UserAgentInterceptor>(
                "a constant is in its place",
            ));
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        call: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        call.request_mut().headers_mut().insert(
            "user-agent",
            concat!("cloakroom/", env!("CARGO_PKG_VERSION")),
        );
        Ok(())
    }
}

/// Wraps an HTTP client that several SDK clients share, so that only the first of them validates it.
///
/// The SDK validates the HTTP client for each of its clients. It builds a connector, which reads the trusted roots
/// before the first call, and drops it (`validate_base_client_config` in aws-smithy-http-client 1.5). Building a client
/// took milliseconds in <https://github.com/awslabs/aws-sdk-rust/issues/975>.
///
/// Remove it when the SDK retains the connector from the validation.
/// <https://github.com/smithy-lang/smithy-rs/pull/4865> plans that for a new connection pool.
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
