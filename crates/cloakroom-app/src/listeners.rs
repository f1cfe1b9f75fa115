//! Listeners that a deployment permits.

use std::collections::BTreeSet;

use cloakroom_core::listeners::EventScope;
use cloakroom_core::{EventContext, ReplyQueue};

use crate::submit::SubmitError;

/// Listeners that a deployment permits, and those that every job has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listeners {
    /// Reply queues by name.
    pub reply_queues: BTreeSet<ReplyQueue>,
    /// Changes of every job that the event bus receives. `None` if there is no bus.
    pub bus: Option<EventScope>,
}

impl Listeners {
    /// Completes the listeners of a submission with those that every job has. Returns `None` if there is nothing to
    /// record: then the job costs nothing more.
    pub(crate) fn complete(
        &self,
        asked: Option<Box<EventContext>>,
    ) -> Result<Option<Box<EventContext>>, SubmitError> {
        let mut context = asked.unwrap_or_default();
        if let Some(queue) = &context.reply_to
            && !self.reply_queues.contains(queue)
        {
            return Err(SubmitError::UnknownReplyQueue);
        }
        context.bus = self.bus;
        if context.scope().is_none() {
            // The trace is only of use to a listener.
            context.traceparent = None;
        }
        Ok((*context != EventContext::default()).then_some(context))
    }
}
