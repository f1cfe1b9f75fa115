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

#[cfg(test)]
mod tests {
    use cloakroom_core::WebhookListener;

    use super::*;

    fn completed(listeners: &Listeners, asked: &EventContext) -> Option<EventContext> {
        let completed = listeners.complete(Some(Box::new(asked.clone())));
        completed.expect("permitted").map(|context| *context)
    }

    #[test]
    fn a_job_without_listeners_records_nothing_of_them() {
        let none = Listeners::default();
        assert_eq!(none.complete(None), Ok(None));
        let mut asked = EventContext {
            traceparent: Some("00-1".to_owned()),
            ..EventContext::default()
        };
        assert_eq!(completed(&none, &asked), None);
        let id = || Some("order-1042".parse().expect("an id"));
        for (correlation_id, causation_id) in [(id(), None), (None, id())] {
            (asked.correlation_id, asked.causation_id) = (correlation_id, causation_id);
            let want = EventContext {
                traceparent: None,
                ..asked.clone()
            };
            assert_eq!(completed(&none, &asked), Some(want));
        }
    }

    #[test]
    fn a_job_with_a_webhook_alone_records_its_trace() {
        let asked = EventContext {
            traceparent: Some("00-1".to_owned()),
            webhook: Some(WebhookListener {
                url: "https://a.example/".to_owned(),
                scope: EventScope::Terminal,
            }),
            ..EventContext::default()
        };
        assert_eq!(completed(&Listeners::default(), &asked), Some(asked));
    }

    #[test]
    fn a_job_has_the_bus_of_its_deployment_and_a_reply_queue_that_exists() {
        let queue: ReplyQueue = "orders".parse().expect("a name");
        let asked = EventContext {
            traceparent: Some("00-1".to_owned()),
            reply_to: Some(queue.clone()),
            ..EventContext::default()
        };
        let another = ["order", "orders2"].map(|name| name.parse().expect("a name"));
        for reply_queues in [BTreeSet::new(), BTreeSet::from(another)] {
            let listeners = Listeners {
                reply_queues,
                bus: None,
            };
            let unknown = listeners.complete(Some(Box::new(asked.clone())));
            assert_eq!(unknown, Err(SubmitError::UnknownReplyQueue));
        }
        let mut listeners = Listeners {
            reply_queues: BTreeSet::from([queue]),
            bus: None,
        };
        assert_eq!(completed(&listeners, &asked), Some(asked.clone()));
        listeners.bus = Some(EventScope::All);
        let with_bus = |asked| EventContext {
            bus: Some(EventScope::All),
            ..asked
        };
        assert_eq!(completed(&listeners, &asked), Some(with_bus(asked.clone())));
        let alone = EventContext {
            reply_to: None,
            ..asked
        };
        let heard = completed(&listeners, &alone).expect("listeners");
        assert_eq!(heard.traceparent.as_deref(), Some("00-1"), "by the bus");
        let every = listeners.complete(None).expect("permitted");
        assert_eq!(every.map(|it| *it), Some(with_bus(EventContext::default())));
    }
}
