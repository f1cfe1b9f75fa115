//! Results, and the context that handlers receive.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_handler_is_told_of_its_job_and_its_attempt() {
    let handler = |_: crate::testing::Nothing, job: JobContext| async move {
        assert_eq!(
            (job.tenant().as_str(), job.command().as_str(), job.attempt()),
            ("acme", "play", 1)
        );
        assert_eq!(job.content_type(), "application/json; a=b");
        assert_eq!(job.time_left(), Duration::from_secs(60));
        assert_eq!(
            job.deadline(),
            job.created_at().after(Duration::from_secs(7 + 60))
        );
        assert_eq!(
            job.idempotency_token(),
            format!("{}-{:x}", job.id(), job.created_at().as_millis())
        );
        assert!(!job.is_cancelled());
        Output::json(&job.id().to_string())
    };
    let room = Room::new(vec![Command::json("play", handler).attempts(1)]);
    let body = crate::submit::Body::Sent {
        content_type: Some("application/json; a=b".into()),
        bytes: "{}".into(),
    };
    let key = room
        .send_body("play", None, "", body)
        .await
        .expect("accepted")
        .job
        .key();
    let accepted_at = room.poll(&key).await.created_at;
    room.until(accepted_at.after(Duration::from_secs(7))).await;
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!(job.status, Status::Succeeded, "{:?}", job.failure);
    let result = job.success.and_then(|success| success.result);
    let Some(ResultRef::Inline { bytes, .. }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(bytes, format!("\"{}\"", key.id).into_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_result_of_32_kib_stands_in_the_record_and_one_byte_more_does_not() {
    for (bytes, by_pieces) in [
        (32_768, false),
        (32_769, false),
        (32_768, true),
        (32_769, true),
    ] {
        let handler = move |_: crate::testing::Nothing| async move {
            let made = vec![7; bytes];
            let pieces: Vec<_> = made
                .chunks(10_000)
                .map(bytes::Bytes::copy_from_slice)
                .map(Ok::<_, HandlerError>)
                .collect();
            Ok::<_, HandlerError>(if by_pieces {
                Output::stream("image/png", futures::stream::iter(pieces))
            } else {
                Output::bytes("image/png", made)
            })
        };
        let room = Room::new(vec![Command::json("play", handler)]);
        let key = room
            .send("play", None, "{}")
            .await
            .expect("accepted")
            .job
            .key();
        room.work_until_idle().await;
        let kept = match room
            .poll(&key)
            .await
            .success
            .and_then(|success| success.result)
            .expect("a result")
        {
            ResultRef::Inline {
                content_type,
                bytes,
            } => (content_type, bytes.len() as u64, true),
            ResultRef::Stored {
                content_type,
                length,
                sha256,
                ..
            } => {
                assert_eq!(
                    sha256,
                    cloakroom_core::Digest::from_content(&vec![7; bytes])
                );
                (content_type, length, false)
            }
        };
        assert_eq!(
            kept,
            ("image/png".to_owned(), bytes as u64, bytes == 32_768)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_recorded_with_its_place_and_for_as_long_as_its_command_keeps_it() {
    let two_hours = Duration::from_secs(7200);
    for (bytes, retention) in [
        (None, None),
        (Some(10), Some(None)),
        (Some(40_000), Some(Some(two_hours))),
    ] {
        let handler = move |_: crate::testing::Nothing| async move {
            let output = bytes.map(|bytes| Output::bytes("image/png", vec![7; bytes]));
            output.unwrap_or_else(Output::none).at("/reports/7")
        };
        let command = Command::json("play", handler).result_retention(two_hours);
        let room = Room::new(vec![command]);
        let key = room
            .send("play", None, "{}")
            .await
            .expect("accepted")
            .job
            .key();
        room.work_until_idle().await;
        let success = room.poll(&key).await.success.expect("a success");
        assert_eq!(
            success
                .resource
                .as_ref()
                .map(cloakroom_core::Resource::as_str),
            Some("/reports/7")
        );
        let kept = success.result.map(|result| result.retention());
        assert_eq!(kept, retention, "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_names_an_unsafe_place_fails_for_good() {
    for place in [
        "//example.com",
        "/\\example.com",
        "javascript:alert(1)",
        "",
        "/a b",
    ] {
        let handler = move |_: crate::testing::Nothing| async move { Output::none().at(place) };
        let room = Room::new(vec![Command::json("play", handler)]);
        let key = room
            .send("play", None, "{}")
            .await
            .expect("accepted")
            .job
            .key();
        room.work_until_idle().await;
        let job = room.poll(&key).await;
        let failed = (
            400,
            "job-failed",
            "the handler returned an invalid resource",
        );
        assert_eq!(
            (job.status, job.attempt, failure(&job)),
            (Status::Failed, 1, failed),
            "{place}"
        );
        assert_eq!(job.success, None);
    }
}
