use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::envelope::RequestTrace;
use crate::submit::{Body, Submission};
use crate::testing::{Nothing, Room};
use crate::{Command, HandlerError, JobContext, Output};

const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_well_formed_traceparent_is_read_and_any_other_is_none() {
    let trace = TraceContext::parse(GOOD).expect("good");
    assert_eq!((trace.as_str(), trace.to_string().as_str()), (GOOD, GOOD));
    assert!(
        TraceContext::parse(&format!("cc{}-what-comes", &GOOD[2..])).is_some(),
        "a later version"
    );
    let longest = format!("cc{}-{}", &GOOD[2..], "x".repeat(200));
    assert_eq!(longest.len(), 256);
    assert!(TraceContext::parse(&longest).is_some());
    for bad in [
        "",
        "x",
        &GOOD.to_uppercase(),
        &GOOD[..54],
        &format!("{GOOD}-00"),
        &format!("{longest}x"),
        &format!("ff{}", &GOOD[2..]),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    ] {
        assert_eq!(TraceContext::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_child_is_another_span_of_the_same_trace_and_keeps_that_it_is_recorded() {
    let later = format!("cc{}ff-what-comes", &GOOD[2..53]);
    for (parent, flags) in [
        (GOOD, "01"),
        (&later, "01"),
        (&format!("{}00", &GOOD[..53]), "00"),
    ] {
        let child = TraceContext::parse(parent).expect("good").child(0xfeed);
        assert_eq!(
            child.as_str(),
            format!("00-0af7651916cd43dd8448eb211c80319c-000000000000feed-{flags}")
        );
    }
}

#[test]
fn what_begins_here_is_well_formed_whatever_is_drawn() {
    for random in [0, 1, 1 << 64, (1 << 64) | 1, u128::MAX] {
        let begun = TraceContext::new(random);
        assert_eq!(
            TraceContext::parse(begun.as_str()).as_ref(),
            Some(&begun),
            "{random:x}"
        );
        assert!(
            begun.as_str().ends_with("-00"),
            "nobody recorded it: {begun}"
        );
        let child = begun.child(random);
        assert_eq!(TraceContext::parse(child.as_str()), Some(child));
    }
}

/// Returns the trace that the handler sees in each of two attempts.
async fn seen_in_two_attempts(trace: RequestTrace) -> Vec<(TraceContext, Option<String>)> {
    let seen = Arc::new(Mutex::new(vec![]));
    let noted = Arc::clone(&seen);
    let note = move |_: Nothing, job: JobContext| {
        let noted = Arc::clone(&noted);
        async move {
            let trace = TraceContext::parse(job.traceparent()).expect("well-formed");
            assert_eq!(job.trace_id(), trace.trace_id());
            noted
                .lock()
                .expect("one at a time")
                .push((trace, job.tracestate().map(ToOwned::to_owned)));
            if job.attempt() == 1 {
                Err(HandlerError::retryable("again"))
            } else {
                Ok(Output::none())
            }
        }
    };
    let room = Room::new(vec![Command::json("trace.note", note)]);
    let submission = Submission {
        trace,
        ..Room::submission(
            "trace.note",
            Body::Sent {
                content_type: None,
                bytes: Bytes::from_static(b"{}"),
            },
        )
    };
    room.submit.submit(submission).await.expect("accepted");
    room.work_until_idle().await;
    let seen = std::mem::take(&mut *seen.lock().expect("nobody works"));
    assert_eq!(seen.len(), 2);
    seen
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_a_step_of_its_own_in_the_requests_trace() {
    let sent = RequestTrace {
        traceparent: Some(GOOD.into()),
        tracestate: Some("rojo=1".into()),
        ..RequestTrace::default()
    };
    let seen = seen_in_two_attempts(sent).await;
    for (trace, state) in &seen {
        assert_eq!(
            (&trace.as_str()[..35], &trace.as_str()[52..]),
            (&GOOD[..35], "-01")
        );
        assert_eq!(state.as_deref(), Some("rojo=1"));
        assert_ne!(trace.as_str(), GOOD);
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_trace_begins_one() {
    for (trace, state) in seen_in_two_attempts(RequestTrace::default()).await {
        assert_eq!((&trace.as_str()[52..], state), ("-00", None));
    }
}
