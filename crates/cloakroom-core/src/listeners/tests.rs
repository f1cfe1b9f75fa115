use super::*;

#[test]
fn a_context_listens_to_the_most_that_any_of_its_listeners_wants() {
    use EventScope::{All, Terminal};
    let webhook = |scope| WebhookListener {
        url: "https://a.example/".to_owned(),
        scope,
    };
    let queue: ReplyQueue = "orders".parse().expect("a name");
    for (scope, bus, want, want_with_reply) in [
        (None, None, None, Some(Terminal)),
        (None, Some(Terminal), Some(Terminal), Some(Terminal)),
        (None, Some(All), Some(All), Some(All)),
        (Some(Terminal), None, Some(Terminal), Some(Terminal)),
        (
            Some(Terminal),
            Some(Terminal),
            Some(Terminal),
            Some(Terminal),
        ),
        (Some(Terminal), Some(All), Some(All), Some(All)),
        (Some(All), None, Some(All), Some(All)),
        (Some(All), Some(Terminal), Some(All), Some(All)),
        (Some(All), Some(All), Some(All), Some(All)),
    ] {
        for (reply_to, want) in [(None, want), (Some(queue.clone()), want_with_reply)] {
            let context = EventContext {
                webhook: scope.map(webhook),
                reply_to,
                bus,
                ..EventContext::default()
            };
            assert_eq!(context.scope(), want, "{context:?}");
        }
    }
}

#[test]
fn the_terminal_scope_includes_only_the_end() {
    for status in Status::ALL {
        assert_eq!(EventScope::Terminal.includes(status), status.is_terminal());
        assert!(EventScope::All.includes(status));
    }
}

#[test]
fn a_scope_is_spelled_as_it_is_stored() {
    for scope in [EventScope::Terminal, EventScope::All] {
        let stored = serde_json::to_value(scope).expect("JSON");
        assert_eq!(stored, scope.as_str());
    }
}

/// All later versions must be able to read it.
#[test]
fn a_context_of_version_1_is_read() {
    let text = r#"{"correlation_id":"order-1042","causation_id":"j/3","traceparent":"00-a-b-01","webhook":{"url":"https://a.example/?k=1","scope":"all"},"reply_to":"orders","bus":"terminal"}"#;
    let context: EventContext = serde_json::from_str(text).expect("a context");
    assert_eq!(serde_json::to_string(&context).expect("JSON"), text);
    assert_eq!(
        serde_json::from_str::<EventContext>(r#"{"of_tomorrow":1}"#).expect("read"),
        EventContext::default()
    );
}
