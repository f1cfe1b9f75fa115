//! Multipart uploads. The store in memory accepts small parts.

use cloakroom_core::PartLayout;

use super::*;
use crate::upload::{PARTS_AT_ONCE, PARTS_LIFE};

/// Content in two parts, of 8 and 3 bytes.
const PICTURE: &[u8] = b"the picture";

fn terms(content_type: &str, bytes: &[u8], sha256: Option<Digest>) -> UploadTerms {
    UploadTerms {
        content_type: content_type.into(),
        length: bytes.len() as u64,
        sha256,
    }
}

async fn started(room: &Room, terms: &UploadTerms) -> UploadId {
    let division = PartLayout {
        length: terms.length,
        part_length: 8,
    };
    room.uploads
        .start_parts(&tenant(), terms, division)
        .await
        .expect("ready")
        .id
}

fn put(room: &Room, id: UploadId, number: u32, bytes: &'static [u8]) -> bool {
    room.memory.put_part(
        &keys::parts(&tenant(), id),
        number,
        Bytes::from_static(bytes),
    )
}

/// Uploads all parts of a picture.
async fn uploaded(room: &Room, sha256: Option<Digest>) -> UploadId {
    uploaded_as(room, "image/png", PICTURE, sha256).await
}

/// Uploads content in two parts.
async fn uploaded_as(
    room: &Room,
    content_type: &str,
    bytes: &'static [u8],
    sha256: Option<Digest>,
) -> UploadId {
    let id = started(room, &terms(content_type, bytes, sha256)).await;
    assert!(put(room, id, 2, &bytes[8..]) && put(room, id, 1, &bytes[..8]));
    id
}

async fn there(room: &Room, id: UploadId) -> Option<Vec<bool>> {
    let upload = room
        .uploads
        .status(&tenant(), id, 1)
        .await
        .expect("the memory");
    upload.map(|upload| {
        upload
            .parts
            .iter()
            .map(|part| part.link.is_none())
            .collect()
    })
}

#[tokio::test(start_paused = true)]
async fn an_upload_in_parts_is_put_together_when_a_command_names_it_and_not_copied() {
    let (room, runs) = room();
    let id = uploaded(&room, Some(Digest::from_content(PICTURE))).await;
    assert_eq!(room.memory.object_keys(), Vec::<String>::new());
    room.memory.calls();
    room.send_body("file.keep", Some("a"), "", Body::Uploaded(id))
        .await
        .expect("accepted");
    let calls = [
        "info",
        "upload",
        "parts",
        "join_parts",
        "info",
        "load",
        "take_upload",
        "accept",
        "send",
    ];
    assert_eq!(room.memory.calls(), calls);
    assert_eq!(room.memory.object_keys(), [keys::parts(&tenant(), id)]);
    assert_eq!(
        there(&room, id).await,
        Some(vec![true, true]),
        "it can be looked at all the same"
    );
    assert!(
        room.send_body("file.keep", Some("a"), "", Body::Uploaded(id))
            .await
            .expect("known")
            .replayed
    );
    for key in [Some("b"), None] {
        let again = room
            .send_body("file.keep", key, "", Body::Uploaded(id))
            .await;
        assert_eq!(
            again,
            Err(SubmitError::UploadNotFound),
            "an upload serves one job"
        );
    }
    room.work_until_idle().await;
    assert_eq!(
        (room.memory.only_job().status, runs.load(Ordering::SeqCst)),
        (Status::Succeeded, 1)
    );
    let same_bytes = room
        .send_body("file.keep", Some("a"), "", png(PICTURE))
        .await
        .expect("known");
    assert!(same_bytes.replayed, "it counts by its checksum and length");
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_of_an_upload_in_parts_is_told_and_may_still_come() {
    let (room, _) = room();
    let id = started(&room, &terms("image/png", PICTURE, None)).await;
    let submit = async || {
        room.send_body("file.keep", None, "", Body::Uploaded(id))
            .await
            .map(|_| ())
    };
    let missing = |missing: &[u32]| {
        Err(SubmitError::PartsMissing {
            missing: missing.to_vec(),
            parts: 2,
        })
    };
    assert_eq!(submit().await, missing(&[1, 2]));
    assert!(put(&room, id, 2, b"ure"));
    assert_eq!(submit().await, missing(&[1]));
    assert!(put(&room, id, 1, b"short"));
    assert_eq!(
        (submit().await, there(&room, id).await),
        (missing(&[1]), Some(vec![false, true])),
        "of another length"
    );
    assert!(put(&room, id, 1, b"the pict"));
    assert_eq!(submit().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_upload_in_parts_that_is_gone_over_or_of_another_tenant_is_not_found() {
    let (room, _) = room();
    let id = uploaded(&room, None).await;
    let other: Tenant = "other".parse().expect("a good name");
    assert_eq!(room.uploads.status(&other, id, 1).await, Ok(None));
    let submission = Submission {
        tenant: other,
        ..Room::submission("file.keep", Body::Uploaded(id))
    };
    assert_eq!(
        room.submit.submit(submission).await,
        Err(SubmitError::UploadNotFound)
    );
    let over = uploaded(&room, None).await;
    room.memory.give_up_parts();
    assert_eq!(there(&room, id).await, None);
    let gone = room
        .send_body("file.keep", None, "", Body::Uploaded(id))
        .await;
    assert_eq!(gone, Err(SubmitError::UploadNotFound));
    tokio::time::advance(PARTS_LIFE).await;
    assert_eq!(there(&room, over).await, None);
    let over = room
        .send_body("file.keep", None, "", Body::Uploaded(over))
        .await;
    assert_eq!(over, Err(SubmitError::UploadNotFound));
    let whole = upload(&room, b"x").await;
    assert_eq!(
        there(&room, whole).await,
        None,
        "an upload in one part can't be looked at"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_in_parts_is_checked_like_a_body_and_before_it_is_put_together() {
    let (room, _) = room();
    let id = uploaded(&room, None).await;
    room.memory.calls();
    let answer = room
        .send_body("note.keep", None, "", Body::Uploaded(id))
        .await;
    assert_eq!(
        answer,
        Err(SubmitError::UnsupportedMediaType(&["application/json"]))
    );
    assert_eq!(room.memory.calls(), ["info", "upload"]);
    let large = UploadTerms {
        length: 1 << 40,
        ..terms("image/png", PICTURE, None)
    };
    let large = started(&room, &large).await;
    let answer = room
        .send_body("file.keep", None, "", Body::Uploaded(large))
        .await;
    assert!(
        matches!(answer, Err(SubmitError::TooLarge { .. })),
        "{answer:?}"
    );
    let digest = |json: &[u8]| Some(Digest::from_content(json));
    let (bad, good) = (&b"{\"x\":1}"[..], &b"{}"[..]);
    for (json, sha256, good) in [
        (bad, None, false),
        (bad, digest(bad), false),
        (good, None, true),
        (good, digest(good), true),
    ] {
        let id = started(&room, &terms("application/json", json, sha256)).await;
        assert!(put(&room, id, 1, json));
        let answer = room
            .send_body("note.keep", None, "", Body::Uploaded(id))
            .await;
        assert_eq!(answer.is_ok(), good, "{answer:?}");
        let refused = matches!(answer, Err(SubmitError::Payload(PayloadError::Invalid(_))));
        assert_eq!(refused, !good, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_more_parts_than_a_page_has_is_used_as_a_whole() {
    let (room, runs) = room();
    let count = PARTS_AT_ONCE + 1;
    let upload = UploadTerms {
        length: u64::from(count) * 8,
        ..terms("image/png", PICTURE, None)
    };
    let id = started(&room, &upload).await;
    for number in 1..=count {
        assert!(put(&room, id, number, b"eight or"));
    }
    room.send_body("file.keep", None, "", Body::Uploaded(id))
        .await
        .expect("accepted");
    room.work_until_idle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_others_than_the_client_said_end_the_job() {
    let (room, runs) = room();
    let id = uploaded(&room, Some(Digest::from_content(b"another picture"))).await;
    room.send_body("file.keep", None, "", Body::Uploaded(id))
        .await
        .expect("its word is taken");
    room.work_until_idle().await;
    let job = room.memory.only_job();
    assert_eq!(
        (job.status, runs.load(Ordering::SeqCst)),
        (Status::Failed, 0)
    );
    assert_eq!(
        job.failure.map(|failure| failure.code).as_deref(),
        Some("payload-corrupted")
    );
}

#[tokio::test(start_paused = true)]
async fn whichever_call_fails_an_upload_in_parts_becomes_its_job() {
    becomes_its_job_whichever_call_fails(async |room| uploaded(room, None).await).await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_cant_be_read_is_not_taken_for_an_unknown_one() {
    let (room, _) = room();
    let id = uploaded(&room, None).await;
    let submit = || room.send_body("file.keep", Some("k"), "", Body::Uploaded(id));
    let faults = || {
        ["upload", "parts", "info"]
            .into_iter()
            .flat_map(|call| [(call, Fault::Before), (call, Fault::Denied)])
    };
    for (call, fault) in faults() {
        room.memory.fail(call, fault);
        let submitted = submit().await;
        assert!(
            matches!(submitted, Err(SubmitError::Unavailable(_))),
            "{call}: {submitted:?}"
        );
    }
    submit().await.expect("accepted");
    for (call, fault) in faults() {
        room.memory.fail(call, fault);
        let status = room.uploads.status(&tenant(), id, 1).await;
        assert!(status.is_err(), "{call}: {status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_commands_that_name_an_upload_in_parts_at_once_make_one_job() {
    for call in ["parts", "join_parts", "take_upload"] {
        let (room, _) = room();
        let id = uploaded(&room, None).await;
        // Each waits for the other there.
        room.memory.slow(call, Duration::from_secs(1));
        let send = |key| room.send_body("file.keep", Some(key), "", Body::Uploaded(id));
        let (one, other) = tokio::join!(send("a"), send("b"));
        let refused = [&one, &other]
            .into_iter()
            .filter(|it| **it == Err(SubmitError::UploadNotFound))
            .count();
        assert!(refused == 1, "{one:?}, {other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_are_told_of_some_at_a_time_and_links_end_with_the_upload() {
    let (room, _) = room();
    let bytes = u64::from(PARTS_AT_ONCE) * 8 + 1;
    let upload = UploadTerms {
        length: bytes,
        ..terms("image/png", PICTURE, None)
    };
    let division = PartLayout {
        length: bytes,
        part_length: 8,
    };
    let ready = room
        .uploads
        .start_parts(&tenant(), &upload, division)
        .await
        .expect("ready");
    assert_eq!(
        (ready.parts.len(), ready.next),
        (PARTS_AT_ONCE as usize, Some(PARTS_AT_ONCE + 1))
    );
    assert_eq!(
        ready.expires_at,
        room.host.now().after(crate::upload::LINK_LIFE)
    );
    assert!(put(&room, ready.id, PARTS_AT_ONCE, b"eight or"));
    assert!(put(&room, ready.id, PARTS_AT_ONCE + 1, b"x"));
    let look = async |from: u32| {
        room.uploads
            .status(&tenant(), ready.id, from)
            .await
            .expect("the memory")
    };
    let begin = look(1).await.expect("known").parts;
    let stored: Vec<_> = (begin.iter().filter(|part| part.link.is_none()))
        .map(|part| part.terms.number)
        .collect();
    assert_eq!(stored, [PARTS_AT_ONCE], "the last one of the first page");
    let rest = look(PARTS_AT_ONCE + 1).await.expect("known");
    assert_eq!((rest.parts.len(), rest.next), (1, None));
    assert_eq!(
        (rest.parts[0].terms.length, &rest.parts[0].link),
        (1, &None)
    );
    assert_eq!(look(PARTS_AT_ONCE + 2).await.expect("known").parts, []);
    tokio::time::advance(Duration::from_secs(23 * 3600 - 60)).await;
    assert_eq!(
        look(1).await.expect("known").expires_at,
        room.host.now().after(Duration::from_secs(60))
    );
}

#[tokio::test(start_paused = true)]
async fn the_payload_goes_with_the_end_of_its_job_and_a_replay_finds_the_job_all_the_same() {
    let (file, note) = (
        ("file.keep", "image/png", PICTURE),
        ("note.keep", "application/json", &br#"{"text":""}"#[..]),
    );
    for ((command, content_type, bytes), has_checksum) in
        [(file, true), (file, false), (note, true), (note, false)]
    {
        let (room, runs) = room();
        let sha256 = has_checksum.then(|| Digest::from_content(bytes));
        let id = uploaded_as(&room, content_type, bytes, sha256).await;
        let submit = async |key, query| {
            room.send_body(command, key, query, Body::Uploaded(id))
                .await
        };
        submit(Some("a"), "").await.expect("accepted");
        room.work_until_idle().await;
        let parts = keys::parts(&tenant(), id);
        assert!(!room.memory.object_keys().contains(&parts), "deleted");
        assert_eq!(
            there(&room, id).await,
            Some(vec![true, true]),
            "it can be looked at all the same"
        );
        assert!(submit(Some("a"), "").await.expect("known").replayed);
        assert_eq!(
            submit(Some("a"), "text=x").await,
            Err(SubmitError::KeyReused)
        );
        for key in [Some("b"), None] {
            assert_eq!(
                submit(key, "").await,
                Err(SubmitError::UploadNotFound),
                "an upload serves one job"
            );
        }
        room.work_until_idle().await;
        assert_eq!(
            (room.memory.only_job().status, runs.load(Ordering::SeqCst)),
            (Status::Succeeded, 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_payload_of_a_cancelled_job_goes_when_its_message_comes() {
    let (room, _) = room();
    let id = uploaded(&room, None).await;
    let job = room
        .send_body("file.keep", Some("a"), "", Body::Uploaded(id))
        .await
        .expect("accepted")
        .job;
    room.jobs.cancel(&job.key()).await.expect("cancelled");
    room.work_until_idle().await;
    assert_eq!(room.memory.object_keys(), Vec::<String>::new());
    assert!(
        room.send_body("file.keep", Some("a"), "", Body::Uploaded(id))
            .await
            .expect("known")
            .replayed
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_bytes_went_with_a_job_that_is_forgotten_is_not_found() {
    let keep = |_: Note, _: Bytes| async { Ok::<_, HandlerError>(Output::none()) };
    let room = Room::new(vec![
        Command::binary("file.keep", &["image/png"], keep).retention(Duration::from_secs(3600)),
    ]);
    let id = uploaded(&room, None).await;
    room.send_body("file.keep", Some("a"), "", Body::Uploaded(id))
        .await
        .expect("accepted");
    room.work_until_idle().await;
    assert!(
        room.send_body("file.keep", Some("a"), "", Body::Uploaded(id))
            .await
            .expect("known")
            .replayed
    );
    tokio::time::advance(Duration::from_secs(3601)).await;
    for key in [Some("a"), Some("b"), None] {
        let answer = room
            .send_body("file.keep", key, "", Body::Uploaded(id))
            .await;
        assert_eq!(answer, Err(SubmitError::UploadNotFound), "{key:?}");
    }
}
