//! What reaches AWS, counted: so that a test can hold what a flow costs.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Notes each answered call, in order, as in `DynamoDB.PutItem`; a repeated try is a call of its own. Its clones share
/// one list. Made for [`Clients::counted_by`](crate::Clients::counted_by).
#[derive(Debug, Clone, Default)]
pub struct CallCounter(Arc<Mutex<Vec<String>>>);

impl CallCounter {
    /// The calls since this was asked last.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the list.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("nothing panics while it holds the list"))
    }
}

#[dyn_dispatch_hint]
impl Intercept for CallCounter {
    fn name(&self) -> &'static str {
        "CallCounter"
    }

    // Not before the call: a presigned request gets that far, and is never sent.
    fn read_after_transmit(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let call = bag.load::<Metadata>().map(|of| format!("{}.{}", of.service(), of.name()));
        self.0.lock().expect("nothing panics while it holds the list").extend(call);
        Ok(())
    }
}
