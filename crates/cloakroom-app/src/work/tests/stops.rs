//! Heartbeats of an attempt, and the reasons to stop it.

use tokio_util::sync::CancellationToken;

use super::*;

/// Receives from a second worker every second, without a message.
async fn receive_nothing(room: &Room, seconds: u32) {
    for _ in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(
            room.memory.receive(Duration::from_secs(10)),
            None,
            "the message was seen again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_attempt_keeps_its_lease_and_hides_its_message_so_that_nobody_else_runs_it() {
    let room = room();
    let key = sent(&room, r#"[{"listen": 200}]"#).await;
    tokio::join!(room.work_until_idle(), receive_nothing(&room, 195));
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
    assert_eq!(
        job.finished_at
            .expect("over")
            .since(job.created_at)
            .as_secs(),
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_object_storage_costs_no_lease() {
    for (call, acts) in [("open", r#"["answer"]"#), ("put", r#"["answer-large"]"#)] {
        let mut room = room();
        room.submit.inline_limit = if call == "open" { 0 } else { 1000 };
        let key = sent(&room, acts).await;
        room.memory.slow(call, Duration::from_secs(100));
        tokio::join!(room.work_until_idle(), receive_nothing(&room, 95));
        let job = room.poll(&key).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 1), "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_answers_late_keeps_no_attempt_from_its_deadline() {
    let room = room();
    sent(&room, r#"[{"sleep": 100}]"#).await;
    let delivery = room
        .memory
        .receive(Duration::from_secs(60))
        .expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(30));
    let begun = Instant::now();
    let late = async {
        sleep(Duration::from_secs(1)).await;
        room.memory.slow("change", Duration::from_secs(60));
        // Until just before the end of the grace period.
        sleep(Duration::from_millis(26_999)).await;
        room.memory.slow("change", Duration::ZERO);
    };
    let (disposition, ()) = tokio::join!(room.worker.handle(&delivery, ends_at), late);
    assert_eq!(disposition, Disposition::Keep);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(room.memory.only_job().status, Status::Retrying);
}

#[tokio::test(start_paused = true)]
async fn progress_is_written_at_most_once_a_second_and_tells_the_end() {
    let room = room();
    let key = sent(&room, r#"[{"progress": 20}]"#).await;
    let watch = async {
        sleep(Duration::from_millis(10_500)).await;
        let job = room.poll(&key).await;
        let progress = job.progress.expect("a report");
        assert_eq!(
            (progress.percent, progress.message.as_deref()),
            (50.0, Some("second 10 indeed"))
        );
        let left = job
            .estimated_finish_at
            .expect("an estimate")
            .since(room.host.now())
            .as_secs();
        assert!((8..=11).contains(&left), "{left}");
    };
    tokio::join!(room.work_until_idle(), watch);
    let writes = room
        .memory
        .calls()
        .iter()
        .filter(|&&call| call == "change")
        .count();
    assert!((20..=23).contains(&writes), "{writes}");
    let done = cloakroom_core::Progress {
        percent: 100.0,
        message: None,
    };
    assert_eq!(room.poll(&key).await.progress, Some(done));
}

#[tokio::test(start_paused = true)]
async fn the_message_of_a_handler_that_reports_progress_stays_hidden() {
    let room = room();
    sent(&room, r#"[{"progress": 60}]"#).await;
    let delivery = room.memory.receive(Duration::from_secs(15));
    let delivery = delivery.expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(900));
    let watch = async {
        sleep(Duration::from_secs(50)).await;
        let again = room.memory.receive(Duration::from_secs(15));
        assert_eq!(again, None);
    };
    tokio::join!(room.worker.handle(&delivery, ends_at), watch);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_estimated_from_the_attempt_that_runs() {
    let room = room();
    let key = sent(&room, r#"[{"retryable-after": 500}, {"progress": 20}]"#).await;
    let watch = async {
        let half = |job: Job| {
            let progress = job.progress.filter(|_| job.attempt == 2);
            progress.is_some_and(|progress| progress.percent >= 50.0)
        };
        for _ in 0..1000 {
            sleep(Duration::from_secs(1)).await;
            if half(room.poll(&key).await) {
                break;
            }
        }
        let job = room.poll(&key).await;
        let estimate = job.estimated_finish_at.expect("an estimate");
        let left = estimate.since(room.host.now()).as_secs();
        assert!((8..=11).contains(&left), "{left}");
    };
    tokio::join!(room.work_until_idle(), watch);
}

#[tokio::test(start_paused = true)]
async fn at_its_timeout_an_attempt_is_told_then_dropped_and_tried_again() {
    for acts in [
        r#"[{"listen": 400}, "answer"]"#,
        r#"[{"sleep": 400}, "answer"]"#,
    ] {
        let begun = Instant::now();
        let (_, job) = played(acts).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 2), "{acts}");
        assert!(
            (300..320).contains(&begun.elapsed().as_secs()),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(
            job.failure.expect("of the first attempt").code,
            "attempt-timed-out"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn near_the_functions_own_end_an_attempt_is_stopped_in_time_to_say_so() {
    let room = room();
    let key = sent(&room, r#"[{"sleep": 100}]"#).await;
    let delivery = room
        .memory
        .receive(Duration::from_secs(60))
        .expect("a message");
    let begun = Instant::now();
    let ends_at = room.host.now().after(Duration::from_secs(30));
    assert_eq!(
        room.worker.handle(&delivery, ends_at).await,
        Disposition::Keep
    );
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(room.poll(&key).await.status, Status::Retrying);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_its_handler_does_not_go_on_with_times_out() {
    let handler = |_: crate::testing::Nothing| async {
        let first =
            futures::stream::iter([Ok::<_, HandlerError>(bytes::Bytes::from(vec![7; 40_000]))]);
        Ok::<_, HandlerError>(Output::stream(
            "image/png",
            first.chain(futures::stream::pending()),
        ))
    };
    let room = Room::new(vec![
        Command::json("play", handler)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    let key = room
        .send("play", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    let begun = Instant::now();
    room.work_once().await;
    assert_eq!(
        (begun.elapsed().as_secs(), failure(&room.poll(&key).await).1),
        (32, "attempt-timed-out")
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_of_an_attempt_that_timed_out_runs_on() {
    for streams in [false, true] {
        let stopped = CancellationToken::new();
        let stops = stopped.clone();
        let handler = move |_: crate::testing::Nothing| {
            let guard = stops.clone().drop_guard();
            let runs_on = async move {
                let _guard = guard;
                std::future::pending::<Result<bytes::Bytes, HandlerError>>().await
            };
            async move {
                if streams {
                    let pieces = futures::stream::once(runs_on);
                    return Ok(Output::stream("image/png", pieces));
                }
                runs_on.await.map(|bytes| Output::bytes("image/png", bytes))
            }
        };
        let room = Room::new(vec![Command::json("play", handler)]);
        room.send("play", None, "{}").await.expect("accepted");
        room.work_once().await;
        timeout(Duration::from_secs(1), stopped.cancelled())
            .await
            .expect("it was dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_stored_slowly_takes_none_of_its_handlers_time() {
    let handler = |_: crate::testing::Nothing| async {
        let pieces =
            futures::stream::iter([Ok::<_, HandlerError>(bytes::Bytes::from(vec![7; 40_000]))]);
        Ok::<_, HandlerError>(Output::stream("image/png", pieces))
    };
    let room = Room::new(vec![
        Command::json("play", handler)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    let key = room
        .send("play", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    room.memory.slow("put", Duration::from_secs(100));
    room.work_once().await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.history.len()),
        (Status::Succeeded, 2),
        "{:?}",
        job.failure
    );
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_not_there_in_time_costs_no_attempt() {
    let mut room = Room::new(vec![
        Command::json("play", play)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    room.submit.inline_limit = 0;
    let key = sent(&room, r#"["answer"]"#).await;
    room.memory.slow("open", Duration::from_secs(100));
    room.work_once().await;
    let job = room.poll(&key).await;
    let late = (
        400,
        "storage-unavailable",
        "the payload could not be fetched in time",
    );
    assert_eq!(
        (job.status, job.attempt, failure(&job)),
        (Status::Retrying, 0, late)
    );
}
