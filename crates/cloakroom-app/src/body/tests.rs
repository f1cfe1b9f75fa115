//! Given a binary payload, when its handler receives it in any form, then it is what was accepted, or the job fails.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::thread;

use cloakroom_core::{Job, JobKey, ResultRef, Status};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::*;
use crate::submit::Body;
use crate::testing::{Fault, Room};
use crate::work::Handlers;
use crate::{Command, HandlerError, JobContext, Output};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

async fn bytes(_: Nothing, body: Bytes, _: JobContext) -> Result<Output, HandlerError> {
    Ok(Output::bytes("text/plain", body))
}

async fn stream(_: Nothing, body: BodyStream, _: JobContext) -> Result<Output, HandlerError> {
    Ok(Output::stream("text/plain", body))
}

async fn file(_: Nothing, body: BodyFile, _: JobContext) -> Result<Output, HandlerError> {
    Ok(Output::file("text/plain", body.open()?))
}

/// Reads one piece and ignores the rest.
async fn beginning(
    _: Nothing,
    mut body: BodyStream,
    _: JobContext,
) -> Result<Output, HandlerError> {
    let first = body.try_next().await?.unwrap_or_default();
    Output::json(&first.len())
}

/// Treats an error as the end of the stream.
async fn careless(_: Nothing, body: BodyStream, _: JobContext) -> Result<Output, HandlerError> {
    let pieces = body
        .take_while(|piece| std::future::ready(piece.is_ok()))
        .count()
        .await;
    Output::json(&pieces)
}

/// Blames the client for every error of its payload.
async fn strict(_: Nothing, body: BodyStream, _: JobContext) -> Result<Output, HandlerError> {
    let pieces = body.try_collect::<Vec<_>>().await;
    pieces.map_err(|_| HandlerError::terminal("not an image"))?;
    Ok(Output::none())
}

/// Returns a result larger than its payload, and fails in the middle.
async fn broken(_: Nothing, _: BodyStream, _: JobContext) -> Result<Output, HandlerError> {
    let pieces = (0..100).map(|n| {
        if n < 99 {
            Ok(Bytes::from(vec![0; 1024]))
        } else {
            Err(HandlerError::terminal("out of ink").code("no-ink"))
        }
    });
    Ok(Output::stream("text/plain", futures::stream::iter(pieces)))
}

/// Panics while its result is produced.
async fn panicking(_: Nothing, _: BodyStream, _: JobContext) -> Result<Output, HandlerError> {
    let pieces = (0..100).map(|n| {
        if n < 99 {
            Ok::<_, HandlerError>(Bytes::from(vec![0; 1024]))
        } else {
            panic!("it jammed")
        }
    });
    Ok(Output::stream("text/plain", futures::stream::iter(pieces)))
}

/// Names the threads of its handler and of its result.
async fn threads(_: Nothing, _: BodyStream, _: JobContext) -> Result<Output, HandlerError> {
    let name = || thread::current().name().unwrap_or_default().to_owned();
    let of_handler = name();
    let piece = async move { Ok::<_, HandlerError>(Bytes::from(of_handler + " " + &name())) };
    Ok(Output::stream("text/plain", futures::stream::once(piece)))
}

/// Returns a deployment that runs handlers on the shared runtime, and one with a separate runtime for handlers.
fn rooms() -> [Room; 2] {
    [room(), room_with_handlers_on(&Handle::current())]
}

fn room_with_handlers_on(runtime: &Handle) -> Room {
    let mut room = room();
    room.worker.commands = Handlers::new(room.submit.commands.run_on(runtime));
    room
}

fn room() -> Room {
    const TEXT: &[&str] = &["text/plain"];
    Room::new(
        [
            Command::binary("bytes", TEXT, bytes),
            Command::binary("stream", TEXT, stream),
            Command::binary("file", TEXT, file),
            Command::binary("beginning", TEXT, beginning),
            Command::binary("careless", TEXT, careless),
            Command::binary("strict", TEXT, strict),
            Command::binary("broken", TEXT, broken),
            Command::binary("panicking", TEXT, panicking),
            Command::binary("threads", TEXT, threads),
        ]
        .map(|command| command.attempts(1))
        .into(),
    )
}

async fn sent(room: &Room, command: &str, payload: Vec<u8>) -> JobKey {
    let body = Body::Sent {
        content_type: None,
        bytes: payload.into(),
    };
    room.send_body(command, None, "", body)
        .await
        .expect("accepted")
        .job
        .key()
}

async fn worked(room: &Room, key: &JobKey) -> Job {
    room.work_until_idle().await;
    room.poll(key).await
}

fn code(job: &Job) -> &str {
    job.failure.as_ref().map_or("", |failure| &failure.code)
}

#[tokio::test(start_paused = true)]
async fn a_payload_comes_as_its_handler_takes_it_and_a_result_goes_as_its_handler_makes_it() {
    for command in ["bytes", "stream", "file"] {
        for (length, inline_limit) in [
            (1, 100_000),
            (1000, 100_000),
            (1000, 0),
            (40_000, 100_000),
            (70_000, 0),
        ] {
            for mut room in rooms() {
                room.submit.inline_limit = inline_limit;
                let payload: Vec<u8> = (0..=250).cycle().take(length).collect();
                let key = sent(&room, command, payload.clone()).await;
                let job = worked(&room, &key).await;
                let (content_type, result) = match job
                    .success
                    .as_ref()
                    .and_then(|success| success.result.clone())
                {
                    Some(ResultRef::Inline {
                        content_type,
                        bytes,
                    }) if length <= 32 * 1024 => (content_type, bytes),
                    Some(ResultRef::Stored {
                        content_type,
                        key,
                        length: stored,
                        sha256,
                        retention: None,
                    }) if length > 32 * 1024 => {
                        let bytes = room
                            .worker
                            .objects
                            .get(&key)
                            .await
                            .expect("memory")
                            .expect("a result");
                        assert_eq!(
                            (stored, sha256),
                            (length as u64, Digest::from_content(&payload))
                        );
                        (content_type, bytes.to_vec())
                    }
                    other => panic!("{command} of {length}: {other:?}, {:?}", job.failure),
                };
                assert!(
                    content_type == "text/plain" && result == payload,
                    "{command} of {length}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_not_what_was_accepted_fails_the_job_whatever_its_handler_makes_of_it() {
    for command in ["bytes", "stream", "file", "beginning", "careless", "strict"] {
        let mut room = room();
        room.submit.inline_limit = 0;
        let key = sent(&room, command, vec![1; 100]).await;
        let object = room.memory.object_keys().pop().expect("a payload");
        room.worker
            .objects
            .put(&object, "text/plain", vec![2; 100].into())
            .await
            .expect("memory");
        let job = worked(&room, &key).await;
        assert_eq!(
            (job.status, code(&job)),
            (Status::Failed, "payload-corrupted"),
            "{command}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_breaks_off_costs_no_attempt_whatever_its_handler_makes_of_it() {
    for command in ["bytes", "stream", "file", "beginning", "careless", "strict"] {
        for fault in [Fault::Before, Fault::Denied] {
            let mut room = room();
            room.submit.inline_limit = 0;
            let key = sent(&room, command, vec![1; 100]).await;
            room.memory.fail("read", fault);
            room.work_once().await;
            let job = room.poll(&key).await;
            assert_eq!(
                (job.status, job.attempt, code(&job)),
                (Status::Retrying, 0, "storage-unavailable"),
                "{command}, {fault:?}"
            );
            let job = worked(&room, &key).await;
            assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_breaks_off_fails_as_its_handler_says_and_nothing_of_it_is_kept() {
    for room in rooms() {
        for (command, failed) in [("broken", "no-ink"), ("panicking", "job-failed")] {
            let key = sent(&room, command, vec![1]).await;
            let job = worked(&room, &key).await;
            assert_eq!((job.status, code(&job)), (Status::Failed, failed));
            assert_eq!(room.memory.object_keys(), Vec::<String>::new());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_the_digest_of_is_held_to_its_length() {
    for (there, good) in [(100, true), (99, false), (101, false)] {
        let reader = ObjectReader::from_bytes(vec![0; there].into());
        let body = BodyStream::new(reader, Expected::Length(100));
        assert_eq!(body.finish().await.is_ok(), good, "{there}");
    }
}

fn pieces(pieces: Vec<Result<Bytes, ReadError>>) -> BodyStream {
    let reader = ObjectReader {
        length: 6,
        pieces: futures::stream::iter(pieces).boxed(),
    };
    BodyStream::new(reader, Expected::Sha256(Digest::from_content(b"abcdef")))
}

fn away() -> PortError {
    PortError::Unavailable {
        service: "the store",
        reason: "away".into(),
    }
}

#[tokio::test]
async fn a_stream_ends_with_what_was_wrong_and_says_it_again() {
    let (abc, def) = (Bytes::from_static(b"abc"), Bytes::from_static(b"def"));
    for (made, end) in [
        (vec![Ok(abc.clone()), Ok(def.clone())], Ok(())),
        (
            vec![Ok(abc.clone()), Ok(Bytes::new()), Ok(def.clone())],
            Ok(()),
        ),
        (vec![Ok(abc.clone())], Err(BodyError::Corrupted)),
        (vec![Ok(def), Ok(abc.clone())], Err(BodyError::Corrupted)),
        (
            vec![Ok(abc.clone()), Err(ReadError::Corrupted)],
            Err(BodyError::Corrupted),
        ),
        (
            vec![Ok(abc), Err(ReadError::Port(away()))],
            Err(BodyError::Unfetched(away())),
        ),
    ] {
        let body = pieces(made.clone());
        let looked_after = body.shared();
        assert_eq!(looked_after.trouble(), None);
        assert_eq!(body.finish().await, end, "{made:?}");
        assert_eq!(looked_after.trouble(), end.clone().err());
        assert_eq!(looked_after.finish().await, end);
        assert_eq!(Bytes::from_body(pieces(made.clone())).await.map(drop), end);
        assert_eq!(BodyFile::from_body(pieces(made)).await.map(drop), end);
    }
}

#[tokio::test]
async fn a_file_holds_the_payload_as_long_as_its_handler_has_it() {
    let body = BodyStream::new(
        ObjectReader::from_bytes(Bytes::from_static(b"abcdef")),
        Expected::Sha256(Digest::from_content(b"abcdef")),
    );
    assert_eq!(body.length(), 6);
    let file = BodyFile::from_body(body).await.expect("a file");
    let mut text = String::new();
    file.open()
        .expect("opened")
        .read_to_string(&mut text)
        .expect("read");
    assert_eq!(text, "abcdef");
    let path = file.path().to_owned();
    assert!(path.exists());
    drop(file);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_result_in_a_file_is_all_of_it_wherever_its_handler_left_it() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"abcdef").expect("written");
    file.seek(SeekFrom::Start(3)).expect("a seek");
    let made = Output::file("text/plain", file).result.expect("a result");
    let pieces: Vec<Bytes> = made.pieces.into_stream().try_collect().await.expect("read");
    assert_eq!(pieces.concat(), b"abcdef");
}

#[tokio::test(start_paused = true)]
async fn a_body_is_stalled_while_a_piece_is_awaited_for_more_than_five_seconds() {
    let pieces = futures::stream::iter([Duration::from_secs(60), Duration::ZERO, Duration::MAX])
        .then(|wait| async move {
            tokio::time::sleep(wait).await;
            Ok(Bytes::from("x"))
        });
    let reader = ObjectReader {
        length: 3,
        pieces: pieces.boxed(),
    };
    let mut body = BodyStream::new(reader, Expected::Length(3));
    let seen = body.shared();
    let awaits = tokio::spawn(async move {
        for _ in 0..2 {
            body.try_next().await.expect("a piece");
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        _ = body.try_next().await;
    });
    let begun = Instant::now();
    for (millis, stalled) in [
        (4_999, false),
        (5_001, true),
        (59_999, true),
        (60_001, false),
        (119_999, false),
        (124_999, false),
        (125_010, true),
    ] {
        tokio::time::sleep_until(begun + Duration::from_millis(millis)).await;
        assert_eq!(seen.is_stalled(), stalled, "after {millis} ms");
    }
    awaits.abort();
}

/// Time is not paused: it would jump while this runtime waits for the other one.
#[tokio::test]
async fn a_handler_and_its_stream_run_on_the_runtime_of_handlers() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let room = room_with_handlers_on(runtime.handle());
    let (running, ended) = oneshot::channel::<()>();
    let thread = thread::Builder::new().name("handlers".to_owned());
    let thread = thread
        .spawn(move || runtime.block_on(ended))
        .expect("a thread");
    let key = sent(&room, "threads", b"x".to_vec()).await;
    let job = worked(&room, &key).await;
    drop(running);
    _ = thread.join().expect("it does not panic");
    let success = job.success.expect("it succeeded");
    let Some(ResultRef::Inline { bytes, .. }) = success.result else {
        panic!("a small result is in the record")
    };
    assert_eq!(bytes, b"handlers handlers");
}
