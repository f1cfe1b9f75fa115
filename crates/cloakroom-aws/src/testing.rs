//! What reaches AWS, counted: so that a test can hold what a flow costs. And spoilt: so that a test can show what becomes of a
//! call that fails, or whose caller dies, before its effect or after it. And how records are read and written, without a table.

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
use cloakroom_core::Job;

use crate::record;

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

    // Not before the call: a presigned request gets that far, and is never sent.
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

/// What is done to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// It is never sent, and its caller is told so.
    FailBefore,
    /// It took effect, and its caller is told that it failed.
    FailAfter,
    /// Its caller panics before it is sent.
    DieBefore,
    /// Its caller panics after it took effect.
    DieAfter,
}

impl Spoil {
    /// Every way.
    pub const ALL: [Self; 4] = [
        Self::FailBefore,
        Self::FailAfter,
        Self::DieBefore,
        Self::DieAfter,
    ];
}

/// Spoils one call. Its clones spoil the same one. Made for [`Clients::spoilt_by`](crate::Clients::spoilt_by).
#[derive(Debug, Clone)]
pub struct Spoiler(Arc<(Spoil, AtomicUsize)>);

impl Spoiler {
    /// Spoils the n-th call from now on, from 1 on; 0 is none.
    pub fn new(spoil: Spoil, n: usize) -> Self {
        Self(Arc::new((spoil, AtomicUsize::new(n))))
    }

    /// Whether it was come to.
    pub fn is_done(&self) -> bool {
        self.0.1.load(Ordering::SeqCst) == 0
    }

    fn spoil(&self, before: bool) -> Result<(), BoxError> {
        let (spoil, left) = &*self.0;
        let here = matches!(spoil, Spoil::FailBefore | Spoil::DieBefore) == before;
        let counted = |left: usize| left.checked_sub(1);
        if !here || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted) != Ok(1) {
            return Ok(());
        }
        match spoil {
            Spoil::FailBefore | Spoil::FailAfter => Err("this call was spoilt".into()),
            // No hook is told: it is meant.
            Spoil::DieBefore | Spoil::DieAfter => {
                std::panic::resume_unwind(Box::new("the caller dies"))
            }
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for Spoiler {
    fn name(&self) -> &'static str {
        "Spoiler"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.spoil(true)
    }

    fn read_after_transmit(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.spoil(false)
    }
}

/// A job as it is stored.
pub fn stored(job: &Job) -> HashMap<String, AttributeValue> {
    record::write(job)
}

/// The job of a stored record, or why it is none.
#[expect(
    clippy::implicit_hasher,
    reason = "an item is what the SDK makes of one"
)]
pub fn job_of(item: &HashMap<String, AttributeValue>) -> Result<Job, String> {
    record::read(item).map_err(|error| error.to_string())
}
