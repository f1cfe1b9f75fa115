//! Given a submission, when it is sent once, twice, or again after a crash, then there is one job and one run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::transition::Transition;

use super::*;
use crate::ports::{Change, UploadTerms};
use crate::testing::{Fault, Note, Room};
use crate::{HandlerError, Output};

/// A deployment whose handlers count their runs.
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
        Command::json("note.keep", move |note_: Note, _| {
            let ran = note();
            async move {
                ran.await;
                Output::json(&note_.text.len())
            }
        }),
        Command::json("note.strict", |_: Note, _| async { Ok(Output::none()) })
            .key_required()
            .body_limit(20),
        Command::binary(
            "file.keep",
            &["image/png", "image/jpeg"],
            move |_: Note, bytes: Bytes, _| {
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

/// The client sends until it is answered; the fault is at any one call of the whole life of the job.
#[tokio::test(start_paused = true)]
async fn whichever_call_fails_before_or_after_its_effect_the_job_runs_once_to_its_end() {
    for payload in ["{}", &large()] {
        for key in [Some("k"), None] {
            for fault in [Fault::Before, Fault::After] {
                for n in 0..8 {
                    let (room, runs) = room();
                    room.memory.fail_nth(n, fault);
                    let submitted = loop {
                        match room.send("note.keep", key, payload).await {
                            Ok(submitted) => break submitted,
                            Err(SubmitError::Unavailable(_)) => {}
                            Err(error) => panic!("{error:?}"),
                        }
                    };
                    room.work_until_idle().await;
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
async fn what_is_refused_leaves_nothing_behind() {
    let (room, _) = room();
    let sent = |content_type: Option<&str>, bytes: &'static [u8]| Body::Sent {
        content_type: content_type.map(Into::into),
        bytes: Bytes::from_static(bytes),
    };
    let unsupported = |types| Err(SubmitError::UnsupportedMediaType(types));
    let (json, images): (&[&str], &[&str]) = (&["application/json"], &["image/png", "image/jpeg"]);
    assert_eq!(
        room.send("note.lose", None, "{}").await,
        Err(SubmitError::UnknownCommand)
    );
    assert_eq!(
        room.send("note.strict", None, "{}").await,
        Err(SubmitError::KeyRequired)
    );
    assert_eq!(
        room.send("note.strict", Some("k"), "{\"text\":\"0123456789\"}")
            .await,
        Err(SubmitError::TooLarge { limit: 20 })
    );
    assert_eq!(
        room.send_body("note.keep", None, "", sent(Some("text/plain"), b"{}"))
            .await,
        unsupported(json)
    );
    // A message holds no U+FFFE, and a bucket's header nothing but ASCII, and not much of it.
    let long = format!("application/json; a={}", "b".repeat(255));
    for other in [
        "application/json; charset=latin-1",
        "application/json; a=\u{fffe}",
        "application/json; a=é",
        &long,
    ] {
        assert_eq!(
            room.send_body("note.keep", None, "", sent(Some(other), b"{}"))
                .await,
            unsupported(json),
            "{other}"
        );
    }
    assert_eq!(
        room.send_body("file.keep", None, "", sent(None, b"x"))
            .await,
        unsupported(images)
    );
    assert!(matches!(
        room.send_body("file.keep", None, "", png(b"")).await,
        Err(SubmitError::Payload(PayloadError::Invalid(_)))
    ));
    assert!(matches!(
        room.send_body("file.keep", None, "x=1", png(b"x")).await,
        Err(SubmitError::Payload(PayloadError::Invalid(_)))
    ));
    assert!(matches!(
        room.send("note.keep", None, "{").await,
        Err(SubmitError::Payload(PayloadError::Malformed { .. }))
    ));
    assert_eq!(room.memory.calls(), Vec::<&str>::new());
    for good in [
        None,
        Some("application/json"),
        Some("Application/JSON; Charset=\"UTF-8\""),
    ] {
        assert!(
            room.send_body("note.keep", None, "", sent(good, b"{}"))
                .await
                .is_ok()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn other_names_and_parameters_of_an_image_type_are_recorded_as_the_type() {
    let of = |room: &Room| room.memory.only_job().fingerprint;
    let (room, _) = room();
    let body = |sent: &str| Body::Sent {
        content_type: Some(sent.into()),
        bytes: Bytes::from_static(b"jpeg"),
    };
    room.send_body("file.keep", Some("k"), "", body("image/jpeg"))
        .await
        .expect("accepted");
    let first = of(&room);
    for sent in [
        "image/jpg",
        "IMAGE/PJPEG",
        "image/jpeg; charset=binary",
        "image/jpg ; a=\"b\"",
        "Image/Jpeg;",
    ] {
        let again = room
            .send_body("file.keep", Some("k"), "", body(sent))
            .await
            .expect(sent);
        assert!(again.replayed, "{sent}");
        assert_eq!(of(&room), first, "{sent}");
    }
    for sent in [
        "image/jpe",
        "image/gif; charset=binary",
        "image",
        "image/jpeg; a=é",
    ] {
        let refused = room.send_body("file.keep", None, "", body(sent)).await;
        assert_eq!(
            refused,
            Err(SubmitError::UnsupportedMediaType(&[
                "image/png",
                "image/jpeg"
            ])),
            "{sent}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_may_have_other_names_and_parameters_of_an_image_type() {
    for sent in ["image/jpg", "image/png; charset=binary"] {
        let (room, _) = room();
        let id = upload_as(&room, sent, b"image").await;
        assert!(
            room.send_body("file.keep", None, "", Body::Uploaded(id))
                .await
                .is_ok(),
            "{sent}"
        );
    }
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
    let ready = room
        .uploads
        .start(&Tenant::default(), &terms)
        .await
        .expect("ready");
    room.submit
        .objects
        .put(
            &keys::upload(&Tenant::default(), ready.id),
            content_type,
            Bytes::from_static(bytes),
        )
        .await
        .expect("put");
    ready.id
}

#[tokio::test(start_paused = true)]
async fn an_upload_serves_one_job_however_often_it_is_asked_for() {
    let (room, runs) = room();
    let id = upload(&room, b"the picture").await;
    let first = room
        .send_body("file.keep", Some("a"), "", Body::Uploaded(id))
        .await
        .expect("accepted");
    assert!(!first.replayed);
    assert!(
        room.send_body("file.keep", Some("a"), "", Body::Uploaded(id))
            .await
            .expect("known")
            .replayed
    );
    assert_eq!(
        room.send_body("file.keep", Some("b"), "", Body::Uploaded(id))
            .await,
        Err(SubmitError::UploadNotFound)
    );
    assert_eq!(
        room.send_body("file.keep", None, "", Body::Uploaded(id))
            .await,
        Err(SubmitError::UploadNotFound)
    );
    room.work_until_idle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(room.memory.only_job().status, Status::Succeeded);
    let same_bytes = room
        .send_body("file.keep", Some("a"), "", png(b"the picture"))
        .await
        .expect("known");
    assert!(
        same_bytes.replayed,
        "an upload counts by its checksum and length"
    );
}

#[tokio::test(start_paused = true)]
async fn what_waits_with_its_payload_in_its_message_may_be_sent_again_as_an_upload() {
    let (room, runs) = room();
    let first = room
        .send_body("file.keep", Some("k"), "", png(b"the picture"))
        .await
        .expect("accepted");
    // Only the second message is left, and it refers to the payload.
    room.memory.purge();
    let id = upload(&room, b"the picture").await;
    let again = room
        .send_body("file.keep", Some("k"), "", Body::Uploaded(id))
        .await
        .expect("known");
    assert!(again.replayed && again.job.id == first.job.id);
    room.work_until_idle().await;
    assert_eq!(
        (room.memory.only_job().status, runs.load(Ordering::SeqCst)),
        (Status::Succeeded, 1)
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
async fn an_upload_without_a_key_serves_one_request() {
    let (room, runs) = room();
    let id = upload(&room, b"the picture").await;
    let submitted = room
        .send_body("file.keep", None, "", Body::Uploaded(id))
        .await
        .expect("accepted");
    assert!(!submitted.replayed);
    tokio::time::advance(Duration::from_millis(5)).await;
    for query in ["", "text=other"] {
        let again = room
            .send_body("file.keep", None, query, Body::Uploaded(id))
            .await;
        assert_eq!(again, Err(SubmitError::UploadNotFound));
    }
    room.work_until_idle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn whichever_call_fails_an_upload_becomes_its_job() {
    becomes_its_job_whichever_call_fails(async |room| upload(room, b"the picture").await).await;
}

async fn becomes_its_job_whichever_call_fails(upload: impl AsyncFn(&Room) -> UploadId) {
    for fault in [Fault::Before, Fault::After] {
        for n in 0..10 {
            let (room, runs) = room();
            let id = upload(&room).await;
            room.memory.fail_nth(n, fault);
            while room
                .send_body("file.keep", Some("k"), "", Body::Uploaded(id))
                .await
                .is_err()
            {}
            room.work_until_idle().await;
            assert_eq!(
                (room.memory.only_job().status, runs.load(Ordering::SeqCst)),
                (Status::Succeeded, 1),
                "{fault:?} at call {n}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_missing_over_or_of_another_tenant_is_not_found() {
    let (room, _) = room();
    let ready = room
        .uploads
        .start(
            &Tenant::default(),
            &UploadTerms {
                content_type: "image/png".into(),
                length: 1,
                sha256: None,
            },
        )
        .await
        .expect("ready");
    let missing = room
        .send_body("file.keep", None, "", Body::Uploaded(ready.id))
        .await;
    assert_eq!(missing, Err(SubmitError::UploadNotFound));
    let id = upload(&room, b"x").await;
    let foreign = Submission {
        tenant: "other".parse().expect("a good name"),
        command: "file.keep".parse().expect("a good name"),
        client_job_id: None,
        body: Body::Uploaded(id),
        query: String::new(),
        not_before: None,
        trace: RequestTrace::default(),
    };
    assert_eq!(
        room.submit.submit(foreign).await,
        Err(SubmitError::UploadNotFound)
    );
    tokio::time::advance(crate::upload::UPLOAD_LIFE).await;
    assert_eq!(
        room.send_body("file.keep", None, "", Body::Uploaded(id))
            .await,
        Err(SubmitError::UploadNotFound)
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_for_a_command_is_checked_like_a_body() {
    let (room, _) = room();
    let id = upload(&room, b"{}").await;
    let answer = room
        .send_body("note.keep", None, "", Body::Uploaded(id))
        .await;
    assert_eq!(
        answer,
        Err(SubmitError::UnsupportedMediaType(&["application/json"]))
    );
    let key = keys::upload(&Tenant::default(), id);
    room.submit
        .objects
        .put(&key, "application/json", Bytes::from_static(b"{\"x\":1}"))
        .await
        .expect("put");
    let answer = room
        .send_body("note.keep", None, "", Body::Uploaded(id))
        .await;
    assert!(matches!(
        answer,
        Err(SubmitError::Payload(PayloadError::Invalid(_)))
    ));
    room.submit
        .objects
        .put(&key, "application/json", Bytes::from_static(b"{}"))
        .await
        .expect("put");
    assert!(
        room.send_body("note.keep", None, "", Body::Uploaded(id))
            .await
            .is_ok()
    );
}

mod parts;

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
async fn a_job_may_begin_as_late_as_it_is_kept_and_no_later() {
    let (room, _) = room();
    for (seconds, accepted) in [(0, true), (86_400, true), (86_401, false)] {
        let submission = Submission {
            tenant: Tenant::default(),
            command: "note.keep".parse().expect("a name"),
            client_job_id: None,
            body: Body::Sent {
                content_type: None,
                bytes: "{}".into(),
            },
            query: String::new(),
            not_before: Some(room.host.now().after(Duration::from_secs(seconds))),
            trace: RequestTrace::default(),
        };
        let submitted = room.submit.submit(submission).await;
        match submitted {
            Ok(submitted) => {
                assert!(accepted, "{seconds}");
                assert_eq!(
                    submitted.job.deadline(),
                    submitted.job.ready_at.after(Duration::from_secs(86_400))
                );
            }
            Err(error) => assert_eq!(
                (error, accepted),
                (SubmitError::TooLate(Duration::from_secs(86_400)), false)
            ),
        }
    }
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
    submission.submit.host = Arc::new(crate::testing::TestHost::new(7));
    room.memory.meanwhile("accept", move |jobs| {
        jobs.insert(again.key(), again.clone());
    });
    // The same draw, and a record that is not the same.
    let answer = submission.send("note.keep", None, "{}").await;
    assert_eq!(answer, Err(SubmitError::UploadNotFound));
}

#[tokio::test(start_paused = true)]
async fn a_body_and_an_upload_may_be_as_large_as_their_limits_say() {
    let (room, _) = room();
    let strict = async |bytes: usize| {
        let json = format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - 11));
        room.send("note.strict", Some(&format!("k-{bytes}")), &json)
            .await
            .map(|_| ())
    };
    assert_eq!(
        (strict(20).await, strict(21).await),
        (Ok(()), Err(SubmitError::TooLarge { limit: 20 }))
    );
    let limited = Room::new(vec![
        Command::binary("file.keep", &["image/png"], |_: Note, _: Bytes, _| async {
            Ok(Output::none())
        })
        .upload_limit(11),
    ]);
    for (bytes, answer) in [
        (&b"the picture"[..], Ok(())),
        (b"the picture!", Err(SubmitError::TooLarge { limit: 11 })),
    ] {
        let id = upload(&limited, bytes).await;
        assert_eq!(
            limited
                .send_body("file.keep", None, "", Body::Uploaded(id))
                .await
                .map(|_| ()),
            answer
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_media_type_has_at_most_255_characters() {
    assert_eq!(MEDIA_TYPE_LIMIT, 255);
    let (room, _) = room();
    for (length, taken) in [(255, true), (256, false)] {
        let content_type = format!("application/json; a={}", "b".repeat(length - 20));
        assert_eq!(content_type.len(), length);
        let body = Body::Sent {
            content_type: Some(content_type),
            bytes: "{}".into(),
        };
        assert_eq!(
            room.send_body("note.keep", None, "", body).await.is_ok(),
            taken,
            "{length}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_carries_its_payload_up_to_exactly_the_limit() {
    let (mut room, _) = room();
    room.send("note.keep", None, "{}").await.expect("accepted");
    let length = room
        .memory
        .receive(Duration::ZERO)
        .expect("a message")
        .body
        .len();
    room.memory.calls();
    for (limit, calls) in [
        (length, &["accept", "send"][..]),
        (length - 1, &["put", "accept", "send"]),
    ] {
        room.submit.inline_limit = limit;
        room.send("note.keep", None, "{}").await.expect("accepted");
        assert_eq!(room.memory.calls(), calls, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_sent_much_later_carries_less() {
    let (room, _) = room();
    assert_eq!(SCHEDULED_LIMIT, 131_072);
    let json = format!("{{\"text\":\"{}\"}}", "x".repeat(SCHEDULED_LIMIT));
    for (seconds, calls) in [
        (900, &["accept", "send"][..]),
        (901, &["put", "accept", "send"]),
    ] {
        let submission = Submission {
            tenant: Tenant::default(),
            command: "note.keep".parse().expect("a name"),
            client_job_id: None,
            body: Body::Sent {
                content_type: None,
                bytes: json.clone().into(),
            },
            query: String::new(),
            not_before: Some(room.host.now().after(Duration::from_secs(seconds))),
            trace: RequestTrace::default(),
        };
        room.submit.submit(submission).await.expect("accepted");
        assert_eq!(room.memory.calls(), calls, "{seconds}");
        // As long as the queue itself holds it back.
        assert_eq!(
            room.memory.messages().1,
            Some(tokio::time::Instant::now() + LONGEST_DELAY)
        );
        room.memory.purge();
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_a_job_that_begins_later_sends_a_message_for_what_is_left_of_the_wait() {
    let (room, _) = room();
    let not_before = room.host.now().after(Duration::from_secs(600));
    let submission = Submission {
        tenant: Tenant::default(),
        command: "note.keep".parse().expect("a name"),
        client_job_id: Some("k".parse().expect("a key")),
        body: Body::Sent {
            content_type: None,
            bytes: "{}".into(),
        },
        query: String::new(),
        not_before: Some(not_before),
        trace: RequestTrace::default(),
    };
    room.submit
        .submit(submission.clone())
        .await
        .expect("accepted");
    room.memory.purge();
    tokio::time::advance(Duration::from_secs(200)).await;
    assert!(
        room.submit
            .submit(submission)
            .await
            .expect("known")
            .replayed
    );
    assert_eq!(
        room.memory.messages().1,
        Some(tokio::time::Instant::now() + Duration::from_secs(400))
    );
    tokio::time::advance(Duration::from_secs(400)).await;
    room.work_until_idle().await;
    assert_eq!(room.memory.only_job().attempt, 1);
}

/// Submits under the key `k`, if the condition holds.
async fn sent_if(
    room: &Room,
    json: &'static str,
    holds: Condition<'_>,
) -> Result<Submitted, SubmitError> {
    let submission = Submission {
        tenant: Tenant::default(),
        command: "note.keep".parse().expect("a name"),
        client_job_id: Some("k".parse().expect("a key")),
        body: Body::Sent {
            content_type: None,
            bytes: json.into(),
        },
        query: String::new(),
        not_before: None,
        trace: RequestTrace::default(),
    };
    room.submit.submit_if(submission, holds).await
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

#[tokio::test(start_paused = true)]
async fn an_upload_whose_key_another_request_takes_meanwhile_is_that_ones() {
    let (room, _) = room();
    let mut job = room
        .send_body("file.keep", Some("k"), "", png(b"another picture"))
        .await
        .expect("accepted")
        .job;
    let (room, _) = self::room();
    let id = upload(&room, b"the picture").await;
    job.created_at = room.host.now();
    room.memory.meanwhile("accept", move |jobs| {
        jobs.insert(job.key(), job.clone());
    });
    let answer = room
        .send_body("file.keep", Some("k"), "", Body::Uploaded(id))
        .await;
    assert_eq!(answer, Err(SubmitError::KeyReused));
}

#[tokio::test(start_paused = true)]
async fn links_are_good_for_an_hour_and_those_to_results_for_a_quarter_of_one() {
    let (room, _) = room();
    let hour = Duration::from_secs(3600);
    let terms = UploadTerms {
        content_type: "image/png".into(),
        length: 20,
        sha256: None,
    };
    let ready = room
        .uploads
        .start(&Tenant::default(), &terms)
        .await
        .expect("ready");
    assert_eq!(ready.expires_at, room.host.now().after(hour));
    let division = cloakroom_core::Division {
        length: 20,
        part_length: 10,
    };
    let in_parts = room
        .uploads
        .start_parts(&Tenant::default(), &terms, division)
        .await
        .expect("ready");
    assert_eq!(in_parts.expires_at, room.host.now().after(hour));
    room.jobs.result_link("results/1").await.expect("a link");
    assert_eq!(
        room.memory.links(),
        [hour, hour, hour, Duration::from_secs(900)]
    );
    // An upload in parts can be named for 23 hours, and its links end with it.
    tokio::time::advance(Duration::from_secs(23 * 3600 - 60)).await;
    let looked = room
        .uploads
        .status(&Tenant::default(), in_parts.id, 0)
        .await
        .expect("memory")
        .expect("known");
    assert_eq!((looked.parts.len(), looked.parts[0].terms.number), (2, 1));
    assert_eq!(room.memory.links(), [Duration::from_secs(60); 2]);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(
        room.uploads
            .status(&Tenant::default(), in_parts.id, 1)
            .await,
        Ok(None)
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_taken_and_copied_before_its_job_is_recorded() {
    let (room, _) = room();
    let id = upload(&room, b"the picture").await;
    room.memory.calls();
    room.send_body("file.keep", Some("a"), "", Body::Uploaded(id))
        .await
        .expect("accepted");
    assert_eq!(
        room.memory.calls(),
        [
            "info",
            "digest",
            "load",
            "take_upload",
            "copy",
            "accept",
            "send"
        ]
    );
    let terms = UploadTerms {
        content_type: "image/png".into(),
        length: 20,
        sha256: None,
    };
    let division = cloakroom_core::Division {
        length: 20,
        part_length: 10,
    };
    room.uploads
        .start_parts(&Tenant::default(), &terms, division)
        .await
        .expect("ready");
    assert_eq!(room.memory.calls(), ["begin_parts", "keep_upload"]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_under_the_key_of_another_command_stays_free() {
    let (room, _) = room();
    room.send_body("file.keep", Some("k"), "", png(b"another picture"))
        .await
        .expect("accepted");
    let id = upload(&room, b"the picture").await;
    room.memory.calls();
    let answer = room
        .send_body("file.keep", Some("k"), "", Body::Uploaded(id))
        .await;
    assert_eq!(answer, Err(SubmitError::KeyReused));
    assert_eq!(room.memory.calls(), ["info", "digest", "load"]);
    assert!(
        room.send_body("file.keep", Some("other"), "", Body::Uploaded(id))
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_under_the_key_of_an_expired_job_is_a_new_one() {
    let (room, runs) = room();
    let old = room
        .send_body("file.keep", Some("k"), "", png(b"the picture"))
        .await
        .expect("accepted")
        .job;
    room.work_until_idle().await;
    let expires_at = room.poll(&old.key()).await.expires_at;
    tokio::time::advance(expires_at.since(room.host.now())).await;
    let id = upload(&room, b"the picture").await;
    assert!(
        !room
            .send_body("file.keep", Some("k"), "", Body::Uploaded(id))
            .await
            .expect("accepted")
            .replayed
    );
    room.work_until_idle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}
