use super::*;

#[test]
fn a_context_listens_to_the_most_that_any_of_its_listeners_wants() {
    let webhook = |scope| {
        Some(WebhookListener {
            url: "https://a.example/".to_owned(),
            scope,
        })
    };
    let nobody = EventContext::default();
    assert_eq!(nobody.scope(), None);
    let reply = EventContext {
        reply_to: Some("orders".parse().expect("a name")),
        ..nobody.clone()
    };
    assert_eq!(reply.scope(), Some(EventScope::Terminal));
    for (scope, want) in [
        (EventScope::Terminal, EventScope::Terminal),
        (EventScope::All, EventScope::All),
    ] {
        let context = EventContext {
            webhook: webhook(scope),
            ..reply.clone()
        };
        assert_eq!(context.scope(), Some(want));
        let bus = EventContext {
            bus: Some(scope),
            ..reply.clone()
        };
        assert_eq!(bus.scope(), Some(want));
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
