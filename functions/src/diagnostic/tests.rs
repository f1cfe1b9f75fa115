use std::process::{Command as Process, Stdio};

use cloakroom_app::core::{Job, Status};
use serde_json::from_slice;

use super::*;
use crate::bench::Bench;

async fn run_json(todo: Value) -> (Bench, Job) {
    Bench::run("diagnostic.run", "", "application/json", todo.to_string()).await
}

/// Returns the status, code and detail of a failed job, and its number of attempts.
fn failure(job: &Job) -> (u16, &str, &str, u32) {
    assert_eq!(job.status, Status::Failed);
    let failure = job.failure.as_ref().expect("it failed");
    (failure.status, &failure.code, &failure.detail, job.attempt)
}

#[tokio::test(start_paused = true)]
async fn told_nothing_it_succeeds_at_once_without_a_result() {
    for todo in [
        json!({}),
        json!({ "result": null, "digest": false, "duration_ms": null }),
    ] {
        let (bench, job) = run_json(todo).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
        let submitted_at = job.created_at.after(Duration::from_millis(1));
        assert_eq!(job.finished_at, Some(submitted_at));
        assert_eq!(bench.result(&job).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn it_answers_what_it_is_told_to() {
    for result in [
        json!(false),
        json!(""),
        json!({ "a": [1, 2.5, null] }),
        json!("x".repeat(40_000)),
    ] {
        let (bench, job) = run_json(json!({ "result": result })).await;
        let (content_type, bytes) = bench.result(&job).await.expect("a result");
        assert_eq!(
            (content_type.as_str(), from_slice::<Value>(&bytes).ok()),
            ("application/json", Some(result))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn it_makes_as_many_bytes_as_it_is_told_the_same_ones_each_time() {
    for length in [0, 1, 250, 251, 252, 100_000] {
        let (bench, job) = run_json(json!({ "result_bytes": length })).await;
        let (content_type, bytes) = bench.result(&job).await.expect("a result");
        assert_eq!(
            (content_type.as_str(), bytes.len()),
            ("application/octet-stream", length)
        );
        assert!(
            bytes
                .iter()
                .enumerate()
                .all(|(at, &byte)| usize::from(byte) == at % 251)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn it_digests_the_message_as_utf_8() {
    for (message, digest) in [
        (
            Some("Grüße"),
            "f83e039796c6453a10f5519e39fd113901572316a1a8ea07cb525d2801dfd074",
        ),
        (
            None,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
    ] {
        let (bench, job) = run_json(json!({ "digest": true, "message": message })).await;
        let (_, bytes) = bench.result(&job).await.expect("a result");
        assert_eq!(
            from_slice::<Value>(&bytes).ok(),
            Some(json!({ "sha256_message": digest }))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn it_names_a_place_with_or_without_a_result() {
    for todo in [
        json!({ "resource": "/reports/7" }),
        json!({ "resource": "/reports/7", "result": 1 }),
    ] {
        let (_, job) = run_json(todo).await;
        let resource = job
            .success
            .expect("it succeeds")
            .resource
            .expect("a resource");
        assert_eq!(resource.as_str(), "/reports/7");
    }
}

#[tokio::test(start_paused = true)]
async fn it_takes_its_time_and_reports_progress_on_the_way() {
    let bench = Bench::new();
    let todo = json!({ "duration_ms": 20_000, "progress_steps": 4, "message": "counting" });
    bench
        .submit("diagnostic.run", "", "application/json", todo.to_string())
        .await
        .expect("it is accepted");
    let room = bench.0.clone();
    let begun = Instant::now();
    let worker = tokio::spawn(async move { room.work_until_idle().await });
    for (second, percent) in [(6, 25.0), (11, 50.0), (16, 75.0)] {
        sleep_until(begun + Duration::from_secs(second)).await;
        let job = bench.0.memory.only_job();
        let progress = job.progress.expect("progress");
        assert_eq!((job.status, progress.percent), (Status::Running, percent));
        assert_eq!(progress.message.as_deref(), Some("counting"));
    }
    worker.await.expect("the worker ends");
    let job = bench.0.memory.only_job();
    assert_eq!(job.status, Status::Succeeded);
    // The submission took a millisecond.
    assert_eq!(
        job.finished_at.map(|at| at.since(job.created_at)),
        Some(Duration::from_millis(20_001))
    );
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_it_is_cancelled() {
    let bench = Bench::new();
    bench
        .submit(
            "diagnostic.run",
            "",
            "application/json",
            r#"{"duration_ms":900000}"#,
        )
        .await
        .expect("it is accepted");
    let room = bench.0.clone();
    let worker = tokio::spawn(async move { room.work_until_idle().await });
    tokio::time::advance(Duration::from_secs(3)).await;
    bench
        .0
        .jobs
        .cancel(&bench.0.memory.only_job().key())
        .await
        .expect("the memory does not fail");
    worker.await.expect("the worker ends");
    let job = bench.0.memory.only_job();
    assert_eq!(job.status, Status::Cancelled);
    let took = job.finished_at.expect("it has ended").since(job.created_at);
    assert!(
        took < Duration::from_secs(15),
        "within a heartbeat, not after {took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_fails_once_and_for_all() {
    let (_, job) = run_json(json!({ "fail": "terminal" })).await;
    assert_eq!(
        failure(&job),
        (400, "job-failed", "failed, as the command asked", 1)
    );
    let todo = json!({ "fail": "terminal", "status": 409, "code": "out-of-stock", "message": "none left", "result": 1 });
    let (_, job) = run_json(todo).await;
    assert_eq!(failure(&job), (409, "out-of-stock", "none left", 1));
}

#[tokio::test(start_paused = true)]
async fn it_fails_every_attempt_or_as_many_as_it_is_told() {
    let (_, job) =
        run_json(json!({ "fail": "retryable", "message": "not yet", "code": "not-yet" })).await;
    let (status, code, detail, attempts) = failure(&job);
    assert_eq!((status, code, attempts), (400, "not-yet", 3));
    assert!(detail.contains("not yet"), "{detail}");
    let waited = job.finished_at.expect("it has ended").since(job.created_at);
    assert!(
        waited < Duration::from_secs(5),
        "two short waits, not {waited:?}"
    );

    for (attempts, last) in [(0, 1), (1, 2), (2, 3)] {
        for fail in ["retryable", "panic"] {
            let (bench, job) =
                run_json(json!({ "fail": fail, "fail_attempts": attempts, "result": "done" }))
                    .await;
            assert_eq!(
                (job.status, job.attempt),
                (Status::Succeeded, last),
                "{fail}"
            );
            assert!(bench.result(&job).await.is_some());
        }
    }
    let (_, job) = run_json(json!({ "fail": "panic" })).await;
    assert_eq!((job.status, job.attempt), (Status::Failed, 3));
}

#[tokio::test(start_paused = true)]
#[ignore = "ends its process: run by the test below"]
async fn ends_its_process() {
    run_json(json!({ "fail": "exit" })).await;
}

#[test]
fn it_ends_its_process() {
    let program = std::env::current_exe().expect("a test has a program");
    let mut process = Process::new(program);
    process.args([
        "--exact",
        "diagnostic::tests::ends_its_process",
        "--ignored",
    ]);
    let status = process
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it can be run");
    // A test that merely fails ends in order, with a code.
    assert_eq!(
        status.code(),
        None,
        "killed by its own abort, but: {status}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_out_of_range_is_refused_by_its_name() {
    for (todo, pointers) in [
        (json!({ "duration_ms": 900_001 }), &["/duration_ms"][..]),
        (json!({ "duration_ms": -1 }), &["/duration_ms"]),
        (json!({ "duration_ms": 1.5 }), &["/duration_ms"]),
        (json!({ "progress_steps": 1001 }), &["/progress_steps"]),
        (json!({ "result_bytes": 67_108_865 }), &["/result_bytes"]),
        (json!({ "status": 399 }), &["/status"]),
        (json!({ "status": 500 }), &["/status"]),
        (json!({ "status": 405 }), &["/status"]),
        (json!({ "status": 429 }), &["/status"]),
        (json!({ "code": "Not Kebab" }), &["/code"]),
        (json!({ "code": "" }), &["/code"]),
        (json!({ "resource": "javascript:alert(1)" }), &["/resource"]),
        (json!({ "resource": "//elsewhere" }), &["/resource"]),
        (json!({ "fail": "sometimes" }), &["/fail"]),
        (json!({ "fail_attempts": -1 }), &["/fail_attempts"]),
        (json!({ "unknown": 1 }), &["/unknown"]),
        (
            json!({ "result": 1, "result_bytes": 1 }),
            &["/result_bytes"],
        ),
        (
            json!({ "result": 1, "result_bytes": 1, "digest": true }),
            &["/result_bytes", "/digest"],
        ),
        (
            json!({ "duration_ms": 900_001, "status": 1, "resource": "x" }),
            &["/duration_ms", "/status", "/resource"],
        ),
    ] {
        let refused =
            Bench::refusal("diagnostic.run", "", "application/json", todo.to_string()).await;
        assert_eq!(refused, pointers, "{todo}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_bounds_themselves_are_taken() {
    let most = json!({ "duration_ms": 900_000, "progress_steps": 1000, "fail": "terminal", "status": 499, "code": "x-1" });
    let (_, job) =
        run_json(json!({ "result_bytes": 67_108_864, "status": 400, "result": null })).await;
    assert_eq!(job.status, Status::Succeeded);
    Bench::new()
        .submit("diagnostic.run", "", "application/json", most.to_string())
        .await
        .expect("it is accepted");
}
