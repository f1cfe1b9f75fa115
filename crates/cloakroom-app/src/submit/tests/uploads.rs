//! Uploads that commands refer to.

use super::*;

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

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_missing_over_or_of_another_tenant_is_not_found() {
    let (room, _) = room();
    let ready = room
        .uploads
        .start(
            &tenant(),
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
        ..Room::submission("file.keep", Body::Uploaded(id))
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
async fn an_upload_can_be_named_until_the_last_millisecond_of_its_life() {
    for (early, accepted) in [(1, true), (0, false)] {
        let (room, _) = room();
        let id = upload(&room, b"x").await;
        let life = crate::upload::UPLOAD_LIFE.saturating_sub(Duration::from_millis(early));
        tokio::time::sleep(life).await;
        let answer = room
            .send_body("file.keep", None, "", Body::Uploaded(id))
            .await;
        assert_eq!(answer.is_ok(), accepted, "{answer:?}");
    }
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
    let ready = room.uploads.start(&tenant(), &terms).await.expect("ready");
    assert_eq!(ready.expires_at, room.host.now().after(hour));
    let division = cloakroom_core::PartLayout {
        length: 20,
        part_length: 10,
    };
    let in_parts = room
        .uploads
        .start_parts(&tenant(), &terms, division)
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
        .status(&tenant(), in_parts.id, 0)
        .await
        .expect("memory")
        .expect("known");
    assert_eq!((looked.parts.len(), looked.parts[0].terms.number), (2, 1));
    assert_eq!(room.memory.links(), [Duration::from_secs(60); 2]);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(
        room.uploads.status(&tenant(), in_parts.id, 1).await,
        Ok(None)
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_taken_and_copied_before_its_job_is_recorded() {
    let (room, _) = room();
    let id = upload(&room, b"the picture").await;
    room.memory.calls();
    let sent = room.send_body("file.keep", Some("a"), "", Body::Uploaded(id));
    let job = sent.await.expect("accepted").job;
    assert_eq!(
        room.memory.upload_owner(&tenant(), id),
        Some((job.id, job.expires_at))
    );
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
    let division = cloakroom_core::PartLayout {
        length: 20,
        part_length: 10,
    };
    room.uploads
        .start_parts(&tenant(), &terms, division)
        .await
        .expect("ready");
    assert_eq!(room.memory.calls(), ["begin_parts", "keep_upload"]);
}

#[tokio::test(start_paused = true)]
async fn the_parameters_of_an_upload_are_checked_before_it_is_taken() {
    let (room, _) = room();
    let id = upload(&room, b"the picture").await;
    let answer = room
        .send_body("file.keep", None, "x=1", Body::Uploaded(id))
        .await;
    assert!(
        matches!(answer, Err(SubmitError::Payload(PayloadError::Invalid(_)))),
        "{answer:?}"
    );
    let corrected = room.send_body("file.keep", None, "text=1", Body::Uploaded(id));
    assert!(corrected.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_condition_does_not_hold_stays_free() {
    for exists in [false, true] {
        let (room, _) = room();
        if exists {
            let sent = room.send_body("file.keep", Some("k"), "", png(b"the picture"));
            sent.await.expect("accepted");
        }
        let id = upload(&room, b"the picture").await;
        let submission = Submission {
            client_job_id: Some("k".parse().expect("a key")),
            ..Room::submission("file.keep", Body::Uploaded(id))
        };
        let holds = |job: Option<&Job>| job.is_some() && !exists;
        let answer = room.submit.submit_if(submission, &holds);
        assert_eq!(answer.await, Err(SubmitError::Conflict));
        let other = room.send_body("file.keep", Some("other"), "", Body::Uploaded(id));
        assert!(other.await.is_ok(), "{exists}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_an_upload_is_known_for_as_long_as_the_upload_can_be_named() {
    let keep = |_: Note, _: Bytes| async { Ok::<_, HandlerError>(Output::none()) };
    let hour = Duration::from_secs(3600);
    let room = Room::new(vec![
        Command::binary("file.keep", &["image/png"], keep).retention(hour),
    ]);
    let id = upload(&room, b"the picture").await;
    let submitted = room.send_body("file.keep", None, "", Body::Uploaded(id));
    let job = submitted.await.expect("accepted").job;
    let owner = room.memory.upload_owner(&tenant(), id);
    assert_eq!(owner, Some((job.id, job.expires_at)));
    let created_at = id.created_at().expect("our own");
    assert!(job.expires_at >= created_at.after(24 * hour));
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_replaced_before_it_is_copied_is_not_found() {
    let (room, _) = room();
    let id = upload(&room, b"the picture").await;
    room.memory.slow("copy", Duration::from_secs(2));
    let replaces = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let key = keys::upload(&tenant(), id);
        let other = Bytes::from_static(b"another picture");
        let put = room.submit.objects.put(&key, "image/png", other);
        put.await.expect("memory");
    };
    let send = room.send_body("file.keep", None, "", Body::Uploaded(id));
    let (answer, ()) = tokio::join!(send, replaces);
    assert_eq!(answer, Err(SubmitError::UploadNotFound));
}

/// Returns a deployment that accepts uploads of any length.
fn unlimited() -> Room {
    let count = |_: Note, bytes: Bytes| async move { Output::json(&bytes.len()) };
    Room::new(vec![
        Command::binary("file.keep", &["image/png"], count).upload_limit(u64::MAX),
    ])
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_held_to_the_checksum_that_the_store_knows_or_that_was_read_from_256_mib() {
    let limit = usize::try_from(DIGEST_LIMIT).expect("a length");
    let large: &'static [u8] = Vec::leak(vec![0; limit + 1]);
    for (length, has_checksum) in [(limit, false), (limit + 1, true)] {
        let room = unlimited();
        if has_checksum {
            room.memory.keep_checksums();
        }
        let id = upload(&room, &large[..length]).await;
        room.memory.calls();
        let sent = room.send_body("file.keep", None, "", Body::Uploaded(id));
        sent.await.expect("accepted");
        assert_eq!(room.memory.calls().contains(&"digest"), !has_checksum);
        let message = room.memory.receive(Duration::ZERO).expect("sent");
        let expected = Envelope::read(&message.body).expect("ours").expected();
        let sha256 = Digest::from_content(&large[..length]);
        assert_eq!(expected, Expected::Sha256(sha256), "{length}");
    }
}

/// Its job has the digest of its `ETag`, which its content does not match.
#[tokio::test(start_paused = true)]
async fn an_upload_that_is_too_large_to_be_digested_is_held_to_its_length() {
    let room = unlimited();
    let length = usize::try_from(DIGEST_LIMIT).expect("a length") + 1;
    let large: &'static [u8] = Vec::leak(vec![0; length]);
    for replayed in [false, true] {
        let id = upload(&room, large).await;
        room.memory.calls();
        let sent = room.send_body("file.keep", Some("k"), "", Body::Uploaded(id));
        assert_eq!(sent.await.map(|sent| sent.replayed), Ok(replayed));
        assert!(!room.memory.calls().contains(&"digest"));
        room.work_until_idle().await;
        assert_eq!(room.memory.only_job().status, Status::Succeeded);
    }
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

#[test]
fn the_limits_of_payloads_and_uploads_are_those_that_users_were_told() {
    use crate::command::BODY_LIMIT;
    use crate::upload::{LINK_LIFE, PARTS_AT_ONCE, PARTS_LIFE, UPLOAD_LIFE, UPLOAD_LIMIT};
    assert_eq!(
        [UPLOAD_LIFE, PARTS_LIFE, LINK_LIFE],
        [24, 23, 1].map(|hours| Duration::from_secs(hours * 3600))
    );
    assert_eq!((UPLOAD_LIMIT, PARTS_AT_ONCE), (5 << 30, 500));
    assert_eq!(
        (INLINE_LIMIT, BODY_LIMIT, DIGEST_LIMIT),
        (448 << 10, 4 << 20, 256 << 20)
    );
}
