use super::*;
use crate::job::tests::accepted;
use crate::{EventContext, Success, Timestamp};

#[test]
fn the_event_of_a_job_is_a_cloud_event_with_the_job_as_data() {
    let mut job = accepted(Timestamp::from_seconds(1_795_240_000));
    job.version = 7;
    job.updated_at = Timestamp::from_seconds(1_795_248_000);
    let event = serde_json::to_value(CloudEvent::from_job(&job, "/v1")).expect("JSON");
    let view = serde_json::to_value(JobView::from_job(&job, "/v1")).expect("JSON");
    let id = job.id.to_string();
    let want = serde_json::json!({
        "specversion": "1.0", "id": format!("{id}/7"), "source": format!("/v1/jobs/{id}"),
        "type": "cloakroom.job.accepted", "subject": id, "time": "2026-11-21T08:00:00.000Z",
        "datacontenttype": "application/json", "sequence": "7", "correlationid": id, "data": view,
    });
    assert_eq!(event, want);
    job.events = Some(Box::new(EventContext {
        correlation_id: Some("order-1042".parse().expect("an id")),
        causation_id: Some("j/3".parse().expect("an id")),
        traceparent: Some("00-a-b-01".to_owned()),
        ..EventContext::default()
    }));
    let event = CloudEvent::from_job(&job, "");
    assert_eq!(
        (event.correlationid, event.causationid, event.traceparent),
        (
            "order-1042".to_owned(),
            Some("j/3".to_owned()),
            Some("00-a-b-01".to_owned())
        )
    );
}

#[test]
fn the_end_of_the_job_causes_the_events_that_its_handler_published() {
    let mut job = accepted(Timestamp::from_seconds(1_795_240_000));
    (job.version, job.updated_at) = (7, Timestamp::from_seconds(1_795_248_000));
    job.events = Some(Box::new(EventContext {
        correlation_id: Some("order-1042".parse().expect("an id")),
        causation_id: Some("j/3".parse().expect("an id")),
        traceparent: Some("00-a-b-01".to_owned()),
        ..EventContext::default()
    }));
    let published = [("a.made", 1), ("b.made", 2)].map(|(kind, n)| PublishedEvent {
        kind: kind.to_owned(),
        data: serde_json::json!({ "n": n }),
    });
    job.success = Some(Success {
        published: published.into(),
        ..Success::default()
    });
    let events = serde_json::to_value(CloudEvent::published(&job, "/v1")).expect("JSON");
    let id = job.id.to_string();
    let want = [(0, "a.made", 1), (1, "b.made", 2)].map(|(at, kind, n)| {
        serde_json::json!({
            "specversion": "1.0", "id": format!("{id}/7/{at}"), "source": format!("/v1/jobs/{id}"),
            "type": kind, "subject": id, "time": "2026-11-21T08:00:00.000Z",
            "datacontenttype": "application/json", "sequence": "7", "correlationid": "order-1042",
            "causationid": format!("{id}/7"), "traceparent": "00-a-b-01", "data": { "n": n },
        })
    });
    assert_eq!(events, serde_json::json!(want));
}
