//! Requests to `EventBridge`.

use cloakroom_app::ports::{EventBus as _, PortError};
use cloakroom_app::testing::new_job;
use cloakroom_core::{CloudEvent, Timestamp};

use super::script::{Answer, Script, failed, ok};
use crate::EventBridgeBus;

/// Returns the events of the first `count` versions of a job.
fn events(count: u64) -> Vec<CloudEvent> {
    let mut job = new_job(Timestamp::from_millis(1_795_248_000_120), 1);
    let event = |version| {
        job.version = version;
        CloudEvent::from_job(&job, "/v1")
    };
    (1..=count).map(event).collect()
}

fn bus(answers: impl IntoIterator<Item = Answer>) -> (Script, EventBridgeBus) {
    let script = Script::new(answers);
    let bus = EventBridgeBus::new(&script.clients(), "orders");
    (script, bus)
}

/// Returns the response to a request with these entries: the number of each, or the code of its error.
fn entries(results: &[Result<u32, &str>]) -> Answer {
    let entry = |result: &Result<u32, &str>| match result {
        Ok(n) => serde_json::json!({ "EventId": n.to_string() }),
        Err(code) => serde_json::json!({ "ErrorCode": code, "ErrorMessage": "?" }),
    };
    let entries: Vec<_> = results.iter().map(entry).collect();
    ok(&serde_json::json!({ "FailedEntryCount": 0, "Entries": entries }).to_string())
}

/// Returns the sequence numbers of the events in each request.
fn sequences(script: &Script) -> Vec<Vec<u64>> {
    let requests = script.requests();
    let events = |request: &str| {
        let details = request.lines().filter(|line| line.contains("\"Detail\": "));
        let number = |line: &str| {
            let (_, rest) = line.split_once(r#"\"sequence\":\""#).expect("a sequence");
            let (number, _) = rest.split_once('\\').expect("its end");
            number.parse().expect("a number")
        };
        details.map(number).collect()
    };
    requests.split("POST ").skip(1).map(events).collect()
}

#[tokio::test]
async fn an_event_is_an_entry_with_its_type_job_and_time() {
    let (script, bus) = bus([entries(&[Ok(1)])]);
    bus.put_events(&events(1)).await.expect("put");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn no_event_is_no_request() {
    let (script, bus) = bus([]);
    bus.put_events(&[]).await.expect("put");
    assert_eq!(script.count(), 0);
}

#[tokio::test]
async fn a_request_has_at_most_10_entries() {
    let ten: Vec<_> = (0..10).map(Ok).collect();
    let (script, bus) = bus([entries(&ten), entries(&[Ok(10)])]);
    bus.put_events(&events(11)).await.expect("put");
    let want = [(1..=10).collect(), vec![11]];
    assert_eq!(sequences(&script), want);
}

#[tokio::test]
async fn only_entries_that_were_not_accepted_are_put_again() {
    let (script, bus) = bus([
        entries(&[Ok(1), Err("InternalFailure"), Err("ThrottlingException")]),
        entries(&[Err("InternalFailure"), Ok(3)]),
        entries(&[Ok(2)]),
    ]);
    bus.put_events(&events(3)).await.expect("put");
    assert_eq!(sequences(&script), [vec![1, 2, 3], vec![2, 3], vec![2]]);
}

#[tokio::test]
async fn events_that_are_not_accepted_three_times_are_reported() {
    let refused = || entries(&[Ok(1), Err("InternalFailure")]);
    let last = || entries(&[Err("ThrottlingException")]);
    let (script, bus) = bus([refused(), last(), last()]);
    let put = bus.put_events(&events(2)).await;
    let Err(PortError::Unavailable { service, reason }) = put else {
        panic!("{put:?}")
    };
    assert_eq!(
        (service, reason.as_str()),
        (
            "the event bus",
            "1 events were not accepted: ThrottlingException"
        )
    );
    assert_eq!(script.count(), 3);
}

#[tokio::test]
async fn events_that_are_not_accepted_are_reported_whatever_becomes_of_those_after_them() {
    let mut first: Vec<_> = (1..=9).map(Ok).collect();
    first.push(Err("InternalFailure"));
    let last = || entries(&[Err("InternalFailure")]);
    let (_, bus) = bus([entries(&first), last(), last(), entries(&[Ok(11)])]);
    let put = bus.put_events(&events(11)).await;
    assert!(matches!(put, Err(PortError::Unavailable { .. })), "{put:?}");
}

#[tokio::test]
async fn a_bus_that_is_not_permitted_is_a_misconfiguration() {
    let (_, bus) = bus([failed(400, r#"{"__type":"AccessDeniedException"}"#)]);
    let put = bus.put_events(&events(1)).await;
    assert!(
        matches!(put, Err(PortError::Misconfigured { .. })),
        "{put:?}"
    );
}
