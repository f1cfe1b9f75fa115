//! Given a submission, when it is sent once, twice, or again after a crash, then there is one job and one run.

mod parts;
mod replays;
mod uploads;
mod validation;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::transition::Transition;
use cloakroom_core::{Digest, Status, Tenant, UploadId};

use super::*;
use crate::body::Expected;
use crate::envelope::{Envelope, RequestTrace};
use crate::host::Host as _;
use crate::payload::PayloadError;
use crate::ports::{Change, LONGEST_DELAY, UploadTerms, keys};
use crate::testing::{Fault, Note, Room, TestHost, nothing, tenant};
use crate::{HandlerError, Output};

/// Returns a deployment whose handlers count their runs.
fn room() -> (Room, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = {
        let runs = Arc::clone(&runs);
        move || {
            let runs = Arc::clone(&runs);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                runs.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let (note, file) = (count.clone(), count.clone());
    let room = Room::new(vec![
        Command::json("note.keep", move |note_: Note| {
            let ran = note();
            async move {
                ran.await;
                Output::json(&note_.text.len())
            }
        }),
        Command::json("note.strict", nothing::<Note>)
            .key_required()
            .body_limit(20),
        Command::binary(
            "file.keep",
            &["image/png", "image/jpeg"],
            move |_: Note, bytes: Bytes| {
                let ran = file();
                async move {
                    ran.await;
                    Ok::<_, HandlerError>(Output::bytes("image/png", bytes))
                }
            },
        ),
    ]);
    (room, runs)
}

fn large() -> String {
    format!("{{\"text\":\"{}\"}}", "x".repeat(INLINE_LIMIT))
}

fn json(text: impl Into<Bytes>) -> Body {
    Body::Sent {
        content_type: None,
        bytes: text.into(),
    }
}

fn png(bytes: &'static [u8]) -> Body {
    Body::Sent {
        content_type: Some("image/png".into()),
        bytes: Bytes::from_static(bytes),
    }
}

#[tokio::test(start_paused = true)]
async fn a_jobs_whole_life_is_three_writes_and_one_message_and_no_reads() {
    let (room, runs) = room();
    let submitted = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("accepted");
    assert_eq!(room.memory.calls(), ["accept", "send"]);
    assert!(!submitted.replayed);
    room.work_until_idle().await;
    assert_eq!(room.memory.calls(), ["change", "change"]);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(
        room.poll(&submitted.job.key()).await.status,
        Status::Succeeded
    );
}

#[tokio::test(start_paused = true)]
async fn a_large_payload_is_checked_in_before_anything_refers_to_it() {
    let (room, runs) = room();
    let submitted = room
        .send("note.keep", Some("k"), &large())
        .await
        .expect("accepted");
    assert_eq!(room.memory.calls(), ["put", "accept", "send"]);
    room.work_until_idle().await;
    assert_eq!(room.memory.calls(), ["change", "open", "change", "delete"]);
    assert_eq!(
        (
            runs.load(Ordering::SeqCst),
            room.poll(&submitted.job.key()).await.status
        ),
        (1, Status::Succeeded)
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_has_the_length_of_its_stored_payload_which_has_its_type() {
    let (mut room, _) = room();
    room.submit.inline_limit = 0;
    let id = upload(&room, b"the picture").await;
    for (body, length, is_text) in [
        (Body::Uploaded(id), 11, false),
        (png(&[0xff; 300]), 300, false),
        (png(b"text"), 4, true),
    ] {
        room.send_body("file.keep", None, "", body)
            .await
            .expect("accepted");
        let message = room.memory.receive(Duration::from_secs(600));
        let envelope = Envelope::read(&message.expect("sent").body);
        let envelope = envelope.expect("ours");
        assert_eq!(envelope.payload_bytes(), length);
        let text = Envelope::claim_check(&envelope.write());
        assert_eq!(text.is_some(), is_text, "{length}");
        let key = envelope.stored_payload_key().expect("it is stored");
        let info = room.submit.objects.info(key).await.expect("memory");
        let info = info.expect("an object");
        assert_eq!(
            (info.content_type.as_str(), info.length),
            ("image/png", length)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_has_the_retention_of_its_command_and_not_of_its_result() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let room = Room::new(vec![
        Command::json("note.keep", nothing::<Note>)
            .retention(days(5))
            .result_retention(days(2)),
    ]);
    let job = room
        .send("note.keep", None, "{}")
        .await
        .expect("accepted")
        .job;
    assert_eq!(job.retention, days(5));
}

#[tokio::test(start_paused = true)]
async fn the_inline_limit_is_of_the_whole_message_and_a_setting() {
    let (mut room, _) = room();
    room.submit.inline_limit = 0;
    room.send("note.keep", None, "{}").await.expect("accepted");
    assert_eq!(room.memory.calls(), ["put", "accept", "send"]);
    room.submit.inline_limit = 10_000;
    // It fits as it is, but not in base64.
    room.send_body("file.keep", None, "", png(&[0xff; 8_000]))
        .await
        .expect("accepted");
    assert_eq!(room.memory.calls(), ["put", "accept", "send"]);
}

/// Submits as a client does that retries after an error. At most one call fails.
async fn retried<F>(submit: impl Fn() -> F) -> Result<Submitted, SubmitError>
where
    F: Future<Output = Result<Submitted, SubmitError>>,
{
    match submit().await {
        Err(SubmitError::Unavailable(_)) => submit().await,
        answered => answered,
    }
}

/// The fault occurs at each call in the life of the job.
#[tokio::test(start_paused = true)]
async fn whichever_call_fails_before_or_after_its_effect_the_job_runs_once_to_its_end() {
    for payload in ["{}", &large()] {
        for key in [Some("k"), None] {
            for fault in [Fault::Before, Fault::Denied, Fault::After] {
                for n in 0.. {
                    let (room, runs) = room();
                    room.memory.fail_nth(n, fault);
                    let submitted = retried(|| room.send("note.keep", key, payload)).await;
                    let submitted = submitted.expect("the second try is accepted");
                    room.work_until_idle().await;
                    let is_last = !room.memory.has_failed();
                    room.memory.calm();
                    let job = room.poll(&submitted.job.key()).await;
                    assert_eq!(
                        job.status,
                        Status::Succeeded,
                        "{key:?} {fault:?} at call {n}"
                    );
                    if key.is_some() {
                        assert_eq!(runs.load(Ordering::SeqCst), 1, "{fault:?} at call {n}");
                    }
                    if is_last {
                        break;
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_at_once_under_one_key_are_one_job_and_one_run() {
    let (room, runs) = room();
    let all =
        futures::future::join_all((0..100).map(|_| room.send("note.keep", Some("k"), "{}"))).await;
    let fresh = all
        .iter()
        .filter(|answer| answer.as_ref().is_ok_and(|submitted| !submitted.replayed))
        .count();
    assert_eq!(
        (fresh, all.iter().filter(|answer| answer.is_err()).count()),
        (1, 0)
    );
    room.work_until_idle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(room.memory.only_job().attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_sends_its_message_again_only_while_the_job_is_accepted() {
    let (room, _) = room();
    room.send("note.keep", Some("k"), "{}")
        .await
        .expect("accepted");
    assert!(
        room.send("note.keep", Some("k"), "{}")
            .await
            .expect("accepted")
            .replayed
    );
    assert_eq!(room.memory.calls(), ["accept", "send", "accept", "send"]);
    room.work_until_idle().await;
    room.memory.calls();
    let replayed = room
        .send("note.keep", Some("k"), "{}")
        .await
        .expect("known");
    assert_eq!(
        (replayed.replayed, replayed.job.status),
        (true, Status::Succeeded)
    );
    assert_eq!(room.memory.calls(), ["accept"]);
}

async fn upload(room: &Room, bytes: &'static [u8]) -> UploadId {
    upload_as(room, "image/png", bytes).await
}

async fn upload_as(room: &Room, content_type: &str, bytes: &'static [u8]) -> UploadId {
    let terms = UploadTerms {
        content_type: content_type.into(),
        length: bytes.len() as u64,
        sha256: None,
    };
    let ready = room.uploads.start(&tenant(), &terms).await.expect("ready");
    room.submit
        .objects
        .put(
            &keys::upload(&tenant(), ready.id),
            content_type,
            Bytes::from_static(bytes),
        )
        .await
        .expect("put");
    ready.id
}

async fn becomes_its_job_whichever_call_fails(upload: impl AsyncFn(&Room) -> UploadId) {
    for fault in [Fault::Before, Fault::Denied, Fault::After, Fault::Twice] {
        for key in [Some("k"), None] {
            for n in 0.. {
                let (room, runs) = room();
                let id = upload(&room).await;
                room.memory.fail_nth(n, fault);
                let submitted =
                    retried(|| room.send_body("file.keep", key, "", Body::Uploaded(id))).await;
                room.work_until_idle().await;
                let (status, ran) = (room.memory.only_job().status, runs.load(Ordering::SeqCst));
                let what = format!("{fault:?} at call {n}, key {key:?}: {submitted:?}, {status:?}");
                match submitted {
                    Ok(_) => assert_eq!((status, ran), (Status::Succeeded, 1), "{what}"),
                    // Without a key, the first try used up the upload when it recorded the job.
                    Err(SubmitError::UploadNotFound) if key.is_none() => {
                        let expected = match ran {
                            0 => Status::Accepted,
                            1 => Status::Succeeded,
                            _ => panic!("{what}"),
                        };
                        assert_eq!(status, expected, "{what}");
                    }
                    Err(error) => panic!("{error:?}, {what}"),
                }
                let failed = room.memory.has_failed();
                room.memory.calm();
                if key.is_some() {
                    let again = room.send_body("file.keep", key, "", Body::Uploaded(id));
                    assert!(again.await.expect("known").replayed, "{what}");
                }
                if !failed {
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_must_begin_soon_may_be_submitted_for_later() {
    let soon = Command::json("note.keep", nothing::<Note>).start_within(Duration::from_secs(60));
    let room = Room::new(vec![soon]);
    let submission = Submission {
        not_before: Some(room.host.now().after(Duration::from_secs(3600))),
        ..Room::submission("note.keep", json("{}"))
    };
    assert!(room.submit.submit(submission).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_job_may_begin_as_late_as_it_is_kept_and_no_later() {
    let seconds = Duration::from_secs;
    for (later, ahead, accepted) in [
        (0, 0, true),
        (86_400, 0, true),
        (86_401, 0, false),
        // The system clock was set back.
        (600, 7200, true),
        (86_400, 7200, true),
        (86_401, 7200, false),
    ] {
        let (mut room, _) = room();
        room.submit.shared.host = Arc::new(TestHost::new(7).ahead_by(seconds(ahead)));
        let begins_at = room.host.now().after(seconds(later));
        let submission = Submission {
            not_before: Some(begins_at.before(seconds(ahead))),
            ..Room::submission("note.keep", json("{}"))
        };
        let submitted = room.submit.submit(submission).await;
        match submitted {
            Ok(submitted) => {
                assert!(accepted, "{later} {ahead}");
                assert_eq!(
                    (submitted.job.ready_at, submitted.job.deadline()),
                    (begins_at, begins_at.after(seconds(86_400)))
                );
            }
            Err(error) => assert_eq!(
                (error, accepted),
                (SubmitError::TooLate(Duration::from_secs(86_400)), false)
            ),
        }
    }
}
