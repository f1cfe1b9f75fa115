//! Who makes the calls that every job needs. The SDK puts this together anew for every try, of some ten parts and twice, which is
//! a twentieth of a call's instructions. A constant says as much to whoever reads a trail of calls.

use aws_runtime::user_agent::UserAgentInterceptor;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{
    Intercept, disable_interceptor, dyn_dispatch_hint,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Sets `User-Agent` instead of the SDK's own interceptor. No signature covers the header. Not for a client that presigns: the
/// user of a link names itself.
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
