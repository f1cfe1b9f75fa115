//! Interceptors for tests, and items without a table.
//!
//! [`CallCounter`] counts the calls that reach AWS, so that a test can check what a flow costs. [`FaultInjector`] lets
//! one call fail, or crashes its caller, before or after its effect.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cloakroom_core::Job;
use serde_json::{Value, json};

use crate::record;

/// Records each completed call in order, for example `DynamoDB.PutItem`. Each attempt counts. Clones share one list. See
/// [`Clients::with_call_counter`](crate::Clients::with_call_counter).
#[derive(Debug, Clone, Default)]
pub struct CallCounter(Arc<Mutex<Vec<String>>>);

impl CallCounter {
    /// Returns the calls since the last `take`.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(
            &mut *self
                .0
                .lock()
                .expect("nothing panics while it holds the list"),
        )
    }
}

#[dyn_dispatch_hint]
impl Intercept for CallCounter {
    fn name(&self) -> &'static str {
        "CallCounter"
    }

    // Not before the call, because presigned requests also get that far.
    fn read_after_transmit(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let call = bag
            .load::<Metadata>()
            .map(|of| format!("{}.{}", of.service(), of.name()));
        self.0
            .lock()
            .expect("nothing panics while it holds the list")
            .extend(call);
        Ok(())
    }
}

/// Fault in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call is not sent, and fails.
    FailBefore,
    /// The call takes effect, and fails.
    FailAfter,
    /// The caller panics before the call is sent.
    CrashBefore,
    /// The caller panics after the call took effect.
    CrashAfter,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 4] = [
        Self::FailBefore,
        Self::FailAfter,
        Self::CrashBefore,
        Self::CrashAfter,
    ];
}

/// Injects a fault into one call. Clones share it. For
/// [`Clients::with_fault_injector`](crate::Clients::with_fault_injector).
#[derive(Debug, Clone)]
pub struct FaultInjector(Arc<(Fault, AtomicUsize)>);

impl FaultInjector {
    /// Creates an injector for the n-th call from now, counted from 1. 0 injects no fault.
    pub fn new(fault: Fault, n: usize) -> Self {
        Self(Arc::new((fault, AtomicUsize::new(n))))
    }

    /// Returns true if the fault was injected.
    pub fn has_fired(&self) -> bool {
        self.0.1.load(Ordering::SeqCst) == 0
    }

    /// Makes a call that no SDK client makes, with the fault if it is due. `failure` returns the error of a call that fails.
    pub async fn around<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        failure: impl Fn() -> E,
    ) -> Result<T, E> {
        self.inject(true).map_err(|_| failure())?;
        let answer = call.await;
        self.inject(false).map_err(|_| failure())?;
        answer
    }

    fn inject(&self, before: bool) -> Result<(), BoxError> {
        let (fault, left) = &*self.0;
        let here = matches!(fault, Fault::FailBefore | Fault::CrashBefore) == before;
        let counted = |left: usize| left.checked_sub(1);
        if !here || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted) != Ok(1) {
            return Ok(());
        }
        match fault {
            Fault::FailBefore | Fault::FailAfter => Err("this call has an injected fault".into()),
            // Does not run the panic hook, because the panic is intended.
            Fault::CrashBefore | Fault::CrashAfter => {
                std::panic::resume_unwind(Box::new("the caller dies"))
            }
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for FaultInjector {
    fn name(&self) -> &'static str {
        "FaultInjector"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.inject(true)
    }

    fn read_after_transmit(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.inject(false)
    }
}

/// Converts a job to an item.
pub fn to_item(job: &Job) -> HashMap<String, AttributeValue> {
    record::write(job)
}

/// Returns the image of a job's item, as the table's stream shows it.
///
/// # Panics
/// Never: the types of a record's attributes are known.
pub fn image_of(job: &Job) -> Value {
    let members = to_item(job)
        .into_iter()
        .map(|(name, value)| (name, image(&value)));
    Value::Object(members.collect())
}

/// Returns a value of an item as the table's stream shows it.
///
/// # Panics
/// If no record has values of its type.
pub fn image(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(is) => json!({ "BOOL": is }),
        AttributeValue::B(bytes) => json!({ "B": BASE64.encode(bytes.as_ref()) }),
        AttributeValue::L(all) => json!({ "L": all.iter().map(image).collect::<Vec<_>>() }),
        other => panic!("records have no {other:?}"),
    }
}

/// Parses an item as a job. Returns the reason as text if that fails.
#[expect(
    clippy::implicit_hasher,
    reason = "an item is what the SDK makes of one"
)]
pub fn job_from_item(item: &HashMap<String, AttributeValue>) -> Result<Job, String> {
    record::read(item).map_err(|error| error.to_string())
}
