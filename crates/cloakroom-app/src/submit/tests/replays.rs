//! Submissions with a key that has a job, and conditions on that job.

use super::*;
use crate::meter::Fact;

#[tokio::test(start_paused = true)]
async fn another_command_under_the_same_key_is_refused_and_leaves_the_first_ones_payload_alone() {
    let (room, runs) = room();
    room.send("note.keep", Some("k"), &large())
        .await
        .expect("accepted");
    let other = large().replace("x\"", "y\"");
    assert_eq!(
        room.send("note.keep", Some("k"), &other).await,
        Err(SubmitError::KeyReused)
    );
    assert_eq!(
        room.send("note.keep", Some("k"), "{ }").await,
        Err(SubmitError::KeyReused)
    );
    room.work_until_idle().await;
    assert_eq!(
        (runs.load(Ordering::SeqCst), room.memory.only_job().status),
        (1, Status::Succeeded)
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_job_is_replaced_and_its_old_message_never_runs_the_new_one() {
    let (room, runs) = room();
    let old = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("accepted")
        .job;
    tokio::time::advance(old.expires_at.since(old.created_at)).await;
    let new = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("accepted");
    assert_eq!((new.replayed, new.job.id), (false, old.id));
    assert_eq!(room.memory.messages().0, 2);
    room.work_until_idle().await;
    assert_eq!(
        (runs.load(Ordering::SeqCst), room.memory.only_job().attempt),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn another_query_under_the_same_key_is_refused() {
    let (room, _) = room();
    room.send_body("file.keep", Some("k"), "text=a", png(b"x"))
        .await
        .expect("accepted");
    assert_eq!(
        room.send_body("file.keep", Some("k"), "text=b", png(b"x"))
            .await,
        Err(SubmitError::KeyReused)
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_replayed_as_it_is() {
    let (room, runs) = room();
    let job = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("accepted")
        .job;
    let cancelled = room
        .submit
        .shared
        .store
        .change(&job.key(), &Transition::withdraw(room.host.now()))
        .await
        .expect("memory");
    assert!(matches!(cancelled, Change::Made(_)));
    let replayed = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("known");
    assert_eq!(
        (replayed.replayed, replayed.job.status),
        (true, Status::Cancelled)
    );
    room.work_until_idle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_records_a_job_again_by_itself_answers_with_that_job() {
    for key in [None, Some("k")] {
        let (room, runs) = room();
        room.memory.fail("accept", Fault::Twice);
        let submitted = room.send("note.keep", key, "{}").await.expect("accepted");
        // Under a key its own record looks like that of another request.
        assert_eq!(
            (submitted.replayed, submitted.job.status),
            (key.is_some(), Status::Accepted)
        );
        assert_eq!(room.memory.calls(), ["accept", "send"]);
        room.work_until_idle().await;
        assert_eq!(
            (runs.load(Ordering::SeqCst), room.memory.only_job().status),
            (1, Status::Succeeded)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_request_under_an_id_that_was_drawn_is_not_taken_for_its_own() {
    let (room, _) = room();
    room.memory.meanwhile("accept", |_| {});
    room.memory.fail("accept", Fault::After);
    room.send("note.keep", None, "{}")
        .await
        .expect_err("its answer was lost");
    let mut again = room.memory.only_job();
    again.updated_at = again.updated_at.after(Duration::from_secs(1));
    let mut submission = room.clone();
    submission.submit.shared.host = Arc::new(TestHost::new(7));
    room.memory.meanwhile("accept", move |jobs| {
        jobs.insert(again.key(), again.clone());
    });
    // The same draw, and a record that is not the same.
    let answer = submission.send("note.keep", None, "{}").await;
    assert_eq!(answer, Err(SubmitError::UploadNotFound));
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_a_job_that_begins_later_sends_a_message_for_what_is_left_of_the_wait() {
    let (room, _) = room();
    let not_before = room.host.now().after(Duration::from_secs(600));
    let submission = Submission {
        client_job_id: Some("k".parse().expect("a key")),
        not_before: Some(not_before),
        ..Room::submission("note.keep", json("{}"))
    };
    room.submit
        .submit(submission.clone())
        .await
        .expect("accepted");
    tokio::time::advance(Duration::from_secs(200)).await;
    for not_before in [Some(not_before), None] {
        room.memory.purge();
        let again = Submission {
            not_before,
            ..submission.clone()
        };
        assert!(room.submit.submit(again).await.expect("known").replayed);
        assert_eq!(
            room.memory.messages().1,
            Some(tokio::time::Instant::now() + Duration::from_secs(400))
        );
    }
    tokio::time::advance(Duration::from_secs(400)).await;
    room.meter.take();
    room.work_until_idle().await;
    assert_eq!(room.memory.only_job().attempt, 1);
    let began = Fact::Started {
        queue_delay: Duration::ZERO,
    };
    assert!(room.meter.facts().contains(&began), "after it was to begin");
}

/// Submits with the key `k`, if the condition holds.
async fn sent_if(
    room: &Room,
    text: impl Into<Bytes>,
    holds: Condition<'_>,
) -> Result<Submitted, SubmitError> {
    let submission = Submission {
        client_job_id: Some("k".parse().expect("a key")),
        ..Room::submission("note.keep", json(text))
    };
    room.submit.submit_if(submission, holds).await
}

#[tokio::test(start_paused = true)]
async fn another_payload_under_a_key_is_rejected_whatever_the_condition() {
    let (room, _) = room();
    sent_if(&room, "{}", &|_| true).await.expect("accepted");
    for holds in [true, false] {
        let answer = sent_if(&room, r#"{"text":"other"}"#, &move |_| holds).await;
        assert_eq!(answer, Err(SubmitError::KeyReused), "{holds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_condition_is_asked_of_the_job_that_the_key_names_or_of_none() {
    let (room, _) = room();
    assert_eq!(
        sent_if(&room, "{}", &|job| job.is_some()).await,
        Err(SubmitError::Conflict)
    );
    assert_eq!(room.memory.calls(), ["load"], "nothing is recorded");
    assert!(
        !sent_if(&room, "{}", &|job| job.is_none())
            .await
            .expect("accepted")
            .replayed
    );
    room.memory.purge();
    room.memory.calls();
    assert_eq!(
        sent_if(&room, "{}", &|job| job.is_none()).await,
        Err(SubmitError::Conflict)
    );
    assert_eq!(room.memory.messages().0, 0);
    assert!(
        sent_if(&room, "{}", &|job| job.is_some())
            .await
            .expect("known")
            .replayed
    );
    assert_eq!(
        room.memory.messages().0,
        1,
        "the request that recorded it may have died before it sent the message"
    );
    assert_eq!(
        sent_if(&room, "{ }", &|job| job.is_some()).await,
        Err(SubmitError::KeyReused)
    );
    room.work_until_idle().await;
    let job = room.memory.only_job();
    assert_eq!(job.status, Status::Succeeded, "its payload was sent again");
    room.memory.calls();
    assert!(
        sent_if(&room, "{}", &|job| job.is_some())
            .await
            .expect("known")
            .replayed
    );
    assert_eq!(room.memory.calls(), ["load"]);
    let expires_at = room.memory.only_job().expires_at;
    tokio::time::advance(expires_at.since(room.host.now())).await;
    assert_eq!(
        sent_if(&room, "{}", &|job| job.is_some()).await,
        Err(SubmitError::Conflict),
        "it is forgotten"
    );
    assert!(
        !sent_if(&room, "{}", &|job| job.is_none())
            .await
            .expect("accepted")
            .replayed
    );
}

#[tokio::test(start_paused = true)]
async fn a_conditional_request_stores_its_payload_only_with_a_message_that_needs_it() {
    let (room, _) = room();
    let exists = |job: Option<&Job>| job.is_some();
    for (text, holds, stored) in [
        (large(), &(|_: Option<&Job>| true) as Condition<'_>, true),
        (large(), &|_| false, false),
        (large().replace("x\"", "y\""), &exists, false),
        (large(), &exists, true),
    ] {
        room.memory.calls();
        let answer = sent_if(&room, text, holds).await;
        assert_eq!(answer.is_ok(), stored, "{answer:?}");
        assert_eq!(room.memory.calls().contains(&"put"), stored, "{answer:?}");
    }
    room.work_until_idle().await;
    room.memory.calls();
    let replayed = sent_if(&room, large(), &exists).await.expect("known");
    assert_eq!(replayed.job.status, Status::Succeeded);
    assert_eq!(room.memory.calls(), ["load"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_has_the_trace_of_the_request_that_sends_it() {
    let (room, _) = room();
    let exists = |job: Option<&Job>| job.is_some();
    for (request, holds) in [
        ("first", &(|_: Option<&Job>| true) as Condition<'_>),
        ("second", &|_| true),
        ("conditional", &exists),
    ] {
        let trace = RequestTrace {
            traceparent: Some(format!("parent of the {request}")),
            tracestate: Some(format!("state of the {request}")),
            request_id: Some(format!("id of the {request}")),
            xray: Some(format!("header of the {request}")),
        };
        let submission = Submission {
            client_job_id: Some("k".parse().expect("a key")),
            trace: trace.clone(),
            ..Room::submission("note.keep", json("{}"))
        };
        let submitted = room.submit.submit_if(submission, holds).await;
        assert!(submitted.is_ok(), "{submitted:?}");
        let message = room.memory.receive(Duration::from_secs(1)).expect("sent");
        let sent = Envelope::read(&message.body).expect("ours");
        let sent = RequestTrace {
            traceparent: sent.traceparent,
            tracestate: sent.tracestate,
            request_id: sent.request_id,
            xray: room.memory.xray(),
        };
        assert_eq!(sent, trace);
    }
}

#[tokio::test(start_paused = true)]
async fn a_condition_holds_of_what_another_recorded_meanwhile() {
    let (room, _) = room();
    let job = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("accepted")
        .job;
    let (other, _) = self::room();
    other.memory.meanwhile("accept", move |jobs| {
        jobs.insert(job.key(), job.clone());
    });
    assert_eq!(
        sent_if(&other, "{}", &|job| job.is_none()).await,
        Err(SubmitError::Conflict)
    );
    assert_eq!(other.memory.messages().0, 0);
}

#[tokio::test(start_paused = true)]
async fn an_expired_record_that_another_replaces_meanwhile_is_that_ones() {
    let (room, runs) = room();
    let old = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("accepted")
        .job;
    tokio::time::advance(old.expires_at.since(old.created_at)).await;
    room.memory.purge();
    let now = room.host.now();
    room.memory.meanwhile("accept", move |jobs| {
        for job in jobs.values_mut() {
            (job.created_at, job.ready_at, job.expires_at) =
                (now, now, now.after(Duration::from_secs(86_400)));
        }
    });
    let submitted = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("known");
    assert!(submitted.replayed && submitted.job.created_at == now);
    room.work_until_idle().await;
    assert_eq!(
        (runs.load(Ordering::SeqCst), room.memory.only_job().status),
        (1, Status::Succeeded)
    );
}
