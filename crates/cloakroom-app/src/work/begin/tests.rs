//! Given a memory budget, when jobs need memory concurrently or their process crashes, then they run one after another,
//! and no job is blamed for another one.

mod times;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{Isolation, Job, JobKey, Status};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::body::BodyHead;
use crate::delivery::Disposition;
use crate::host::Host as _;
use crate::submit::Body;
use crate::testing::{Fault, Room};
use crate::{Admission, Command, HandlerError, JobContext, Output};

/// Takes this many seconds.
#[derive(Deserialize, JsonSchema)]
struct Task {
    seconds: u64,
    /// Memory in MiB.
    #[serde(default)]
    needs: Option<u64>,
}

async fn run(task: Task, _: JobContext) -> Result<Output, HandlerError> {
    sleep(Duration::from_secs(task.seconds)).await;
    Ok(Output::none())
}

fn task() -> Command {
    Command::json("task", run)
}

fn room(budget: u64, command: Command) -> Room {
    let mut room = Room::new(vec![command]);
    room.worker.admission = Admission::new(budget);
    room
}

async fn sent(room: &Room, json: &str) -> JobKey {
    room.send("task", None, json)
        .await
        .expect("accepted")
        .job
        .key()
}

/// Handles all visible messages concurrently, like one function.
async fn batch(room: &Room, time: u64) -> Vec<Disposition> {
    let batch: Vec<_> =
        std::iter::from_fn(|| room.memory.receive(Duration::from_secs(15))).collect();
    let dispositions = room
        .worker
        .handle_batch(&batch, room.host.now().after(Duration::from_secs(time)))
        .await;
    for (delivery, _) in batch
        .iter()
        .zip(&dispositions)
        .filter(|(_, end)| **end == Disposition::Done)
    {
        room.memory.delete(delivery);
    }
    dispositions
}

fn code(job: &Job) -> Option<&str> {
    job.failure.as_ref().map(|failure| failure.code.as_str())
}

#[tokio::test(start_paused = true)]
async fn attempts_that_do_not_fit_together_run_one_after_another_and_the_one_that_waits_has_no_lease()
 {
    let room = room(
        100 << 20,
        task().memory(60 << 20).timeout(Duration::from_secs(50)),
    );
    let keys = [
        sent(&room, r#"{"seconds": 40}"#).await,
        sent(&room, r#"{"seconds": 40}"#).await,
    ];
    let begun = Instant::now();
    let looks = async {
        sleep(Duration::from_secs(35)).await;
        let jobs = [room.poll(&keys[0]).await, room.poll(&keys[1]).await];
        assert_eq!(
            jobs.each_ref().map(|job| job.status),
            [Status::Running, Status::Accepted]
        );
        assert_eq!((jobs[1].attempt, jobs[1].lease.as_ref()), (0, None));
        assert_eq!(
            room.memory.receive(Duration::ZERO),
            None,
            "the message that waits stays hidden"
        );
        // Both were hidden after 30 s, at the third beat, for a lease.
        let until = begun + Duration::from_secs(60);
        assert_eq!(room.memory.messages(), (2, Some(until)));
    };
    tokio::join!(batch(&room, 900), looks);
    assert_eq!(begun.elapsed().as_secs(), 80);
    let second = room.poll(&keys[1]).await;
    assert_eq!(
        (second.status, second.attempt),
        (Status::Succeeded, 1),
        "its time began after its wait"
    );
    assert_eq!(
        second
            .started_at
            .expect("it ran")
            .since(second.created_at)
            .as_secs(),
        40
    );
}

#[tokio::test(start_paused = true)]
async fn the_need_of_an_attempt_is_what_its_payload_says_and_the_bound_where_it_says_nothing() {
    for (needs, side_by_side) in [("30", true), ("60", false), ("null", false)] {
        let room = room(
            100 << 20,
            task()
                .memory(60 << 20)
                .memory_for(|task: &Task, _| task.needs.map(|mib| mib << 20)),
        );
        for _ in 0..2 {
            sent(&room, &format!(r#"{{"seconds": 10, "needs": {needs}}}"#)).await;
        }
        let begun = Instant::now();
        batch(&room, 900).await;
        assert_eq!(
            begun.elapsed().as_secs(),
            if side_by_side { 10 } else { 20 },
            "{needs}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_payload_of_a_json_command_is_part_of_what_an_attempt_needs() {
    for command in [task(), task().memory_for(|_: &Task, _| None)] {
        let room = room(1 << 20, command);
        for kib in [600, 600, 1100] {
            let json = format!(r#"{{"seconds": 10{}}}"#, " ".repeat(kib << 10));
            sent(&room, &json).await;
        }
        let begun = Instant::now();
        batch(&room, 900).await;
        assert_eq!(begun.elapsed().as_secs(), 20, "one after the other");
        let mut codes = vec![];
        for key in room.memory.job_keys() {
            let failure = room.poll(&key).await.failure;
            codes.extend(failure.map(|failure| failure.code));
        }
        assert_eq!(codes, ["memory-exceeded"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_payload_cant_be_read_yet_needs_the_bound() {
    for call in ["open", "read"] {
        let command = task().memory(60 << 20).memory_for(|_: &Task, _| Some(1));
        let mut room = room(100 << 20, command);
        room.submit.inline_limit = 0;
        for _ in 0..2 {
            sent(&room, r#"{"seconds": 10}"#).await;
            room.memory.fail(call, Fault::Before);
        }
        let begun = Instant::now();
        let dispositions = batch(&room, 900).await;
        assert_eq!(dispositions, [Disposition::Done, Disposition::Done]);
        assert_eq!(begun.elapsed().as_secs(), 20, "one after the other: {call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_of_the_body_gets_its_beginning_wherever_the_payload_is() {
    let (sender, seen) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let command = task().memory_for(move |_: &Task, head: &BodyHead| {
        sender
            .lock()
            .expect("no panic")
            .send(head.clone())
            .expect("the test looks");
        Some(1)
    });
    let mut room = room(100 << 20, command);
    let body = r#"{"seconds": 1}"#;
    for (inline_limit, calls) in [
        (1000, vec!["change", "change"]),
        (0, vec!["open", "change", "open", "change"]),
    ] {
        room.submit.inline_limit = inline_limit;
        sent(&room, body).await;
        room.memory.calls();
        batch(&room, 900).await;
        let whole = BodyHead::from_whole(&body.into());
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [whole]);
        let mut made = room.memory.calls();
        made.retain(|call| ["change", "open", "get", "put"].contains(call));
        assert_eq!(made, calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_of_the_body_gets_at_most_256_kib_and_of_json_all_or_nothing() {
    let turn = |task: Task, _: Bytes, job: JobContext| run(task, job);
    for (command, query, length, kept) in [
        (task(), "", 262_144, Some(262_144)),
        (task(), "", 262_145, None),
        (
            Command::binary("task", &["a/b"], turn),
            "seconds=1",
            262_145,
            Some(262_144),
        ),
    ] {
        let (sender, seen) = std::sync::mpsc::channel();
        let command = command.memory_for(move |_: &Task, head: &BodyHead| {
            let lengths = (head.bytes.len(), head.length);
            sender.send(lengths).expect("the test looks");
            Some(1)
        });
        let room = room(100 << 20, command);
        let body = Body::Sent {
            content_type: None,
            bytes: format!("{{\"seconds\":{}1}}", " ".repeat(length - 13)).into(),
        };
        let sent = room.send_body("task", None, query, body).await;
        sent.expect("accepted");
        batch(&room, 900).await;
        let expected = kept.map(|kept| (kept, length as u64));
        assert_eq!(seen.try_recv().ok(), expected, "{query} {length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_needs_more_than_the_whole_budget_fails_clearly_before_its_handler_runs() {
    let room = room(64 << 20, task().memory(65 << 20));
    let key = sent(&room, r#"{"seconds": 40}"#).await;
    let begun = Instant::now();
    batch(&room, 900).await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.attempt, code(&job)),
        (Status::Failed, 1, Some("memory-exceeded"))
    );
    let detail = &job.failure.as_ref().expect("a failure").detail;
    assert!(
        detail.contains("65 MiB") && detail.contains("64 MiB"),
        "{detail}"
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn at_the_functions_last_moment_what_waits_goes_back_to_the_queue() {
    let room = room(100 << 20, task().memory(60 << 20));
    let keys = [
        sent(&room, r#"{"seconds": 15}"#).await,
        sent(&room, r#"{"seconds": 15}"#).await,
    ];
    let dispositions = batch(&room, 10).await;
    assert_eq!(dispositions, [Disposition::Keep, Disposition::Keep]);
    let waited = room.poll(&keys[1]).await;
    assert_eq!((waited.status, waited.attempt), (Status::Accepted, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_timed_out_keeps_its_memory_until_its_thread_ends() {
    let (end, ended) = oneshot::channel::<()>();
    let ended = Arc::new(std::sync::Mutex::new(Some(ended)));
    let handler = move |_: Task, job: JobContext| {
        let ended = ended.lock().expect("no panic").take();
        async move {
            if let Some(ended) = ended {
                // A thread that does not listen, as far as the attempt can tell.
                tokio::spawn(async move {
                    _ = ended.await;
                    drop(job);
                });
                sleep(Duration::from_secs(1000)).await;
            }
            Ok::<_, HandlerError>(Output::none())
        }
    };
    let room = room(
        100 << 20,
        Command::json("task", handler)
            .memory(60 << 20)
            .timeout(Duration::from_secs(5)),
    );
    let key = sent(&room, r#"{"seconds": 0}"#).await;
    batch(&room, 900).await;
    assert_eq!(
        room.poll(&key).await.status,
        Status::Retrying,
        "it timed out"
    );
    sleep(Duration::from_secs(60)).await;
    let frees = async {
        sleep(Duration::from_secs(100)).await;
        assert_eq!(
            room.poll(&key).await.status,
            Status::Retrying,
            "the next attempt waits for the thread"
        );
        end.send(()).expect("it still runs");
    };
    tokio::join!(batch(&room, 900), frees);
    assert_eq!(room.poll(&key).await.status, Status::Succeeded);
}

/// Starts a batch, and then crashes its process.
async fn crash(room: &mut Room, keys: &[&JobKey]) {
    assert!(
        timeout(Duration::from_secs(5), batch(room, 900))
            .await
            .is_err(),
        "it died"
    );
    room.worker.admission = Admission::unlimited();
    for key in keys {
        assert_eq!(room.poll(key).await.status, Status::Running);
    }
    sleep(Duration::from_secs(40)).await;
}

#[tokio::test(start_paused = true)]
async fn after_crashes_in_a_shared_process_jobs_run_alone_and_end_as_they_would_have() {
    for attempts in [1, 3] {
        let mut room = room(u64::MAX, task().attempts(attempts));
        let keys = [
            sent(&room, r#"{"seconds": 10}"#).await,
            sent(&room, r#"{"seconds": 10}"#).await,
        ];
        for _ in 0..attempts.max(2) - 1 {
            crash(&mut room, &[&keys[0], &keys[1]]).await;
        }
        let begun = Instant::now();
        batch(&room, 900).await;
        assert_eq!(begun.elapsed().as_secs(), 20, "one after another");
        for key in &keys {
            let job = room.poll(key).await;
            assert_eq!(
                (job.status, job.attempt),
                (Status::Succeeded, attempts.max(2)),
                "{attempts}"
            );
            assert_eq!(job.lease.expect("it ran").isolation, Isolation::Alone);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_attempt_ran_alone_is_blamed_for_the_crash() {
    let mut room = room(u64::MAX, task().attempts(1));
    let key = sent(&room, r#"{"seconds": 10}"#).await;
    crash(&mut room, &[&key]).await;
    crash(&mut room, &[&key]).await;
    batch(&room, 900).await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.attempt, code(&job)),
        (Status::Failed, 2, Some("worker-crashed"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_last_attempt_that_needs_more_than_the_whole_budget_does_not_run_alone_either() {
    let mut room = room(u64::MAX, task().memory(65 << 20).attempts(1));
    let key = sent(&room, r#"{"seconds": 10}"#).await;
    crash(&mut room, &[&key]).await;
    room.worker.admission = Admission::new(64 << 20);
    let begun = Instant::now();
    batch(&room, 900).await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, code(&job)),
        (Status::Failed, Some("memory-exceeded"))
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn without_a_bound_an_attempt_needs_its_body_if_its_handler_holds_it() {
    use bytes::Bytes;
    let held = |_: Task, _: Bytes, _: JobContext| async {
        sleep(Duration::from_secs(10)).await;
        Ok::<_, HandlerError>(Output::none())
    };
    let streamed = |_: Task, _: crate::BodyStream, _: JobContext| async {
        sleep(Duration::from_secs(10)).await;
        Ok::<_, HandlerError>(Output::none())
    };
    for (command, inline_limit, seconds) in [
        (Command::binary("task", &["a/b"], held), 1_000_000, 20),
        (Command::binary("task", &["a/b"], held), 0, 20),
        (Command::binary("task", &["a/b"], streamed), 1_000_000, 10),
        (Command::binary("task", &["a/b"], streamed), 0, 10),
    ] {
        let mut room = room(100 << 10, command);
        room.submit.inline_limit = inline_limit;
        for _ in 0..2 {
            let body = Body::Sent {
                content_type: None,
                bytes: vec![0; 60 << 10].into(),
            };
            room.send_body("task", None, "seconds=10", body)
                .await
                .expect("accepted");
        }
        let begun = Instant::now();
        batch(&room, 900).await;
        assert_eq!(begun.elapsed().as_secs(), seconds, "{inline_limit}");
    }
}
