//! Given the life of a job, then exactly its facts are counted.

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use super::*;
use crate::testing::{Fault, Room};
use crate::{Command, HandlerError, JobContext, Output};

#[derive(Clone, Copy, Deserialize, JsonSchema)]
struct Plan {
    /// Duration of an attempt in seconds.
    seconds: u64,
    /// Number of attempts that fail with a retryable error.
    #[serde(default)]
    stumbles: u32,
    /// True if the handler fails terminally.
    #[serde(default)]
    refuse: bool,
}

async fn follow(plan: Plan, job: JobContext) -> Result<Output, HandlerError> {
    tokio::select! {
        () = sleep(Duration::from_secs(plan.seconds)) => {}
        () = job.cancelled() => return Err(HandlerError::cancelled()),
    }
    if job.attempt() <= plan.stumbles {
        return Err(HandlerError::retryable("out of paper").code("out-of-paper"));
    }
    if plan.refuse {
        Err(HandlerError::terminal("no").code("no-such-paper"))
    } else {
        Ok(Output::none())
    }
}

fn room() -> Room {
    Room::new(vec![Command::json("plan.follow", follow).attempts(2)])
}

async fn sent(room: &Room, plan: &str) -> cloakroom_core::JobKey {
    room.send("plan.follow", Some("k"), plan)
        .await
        .expect("accepted")
        .job
        .key()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The delay is in milliseconds. Each submission takes one.
fn started(delay: u64) -> Fact {
    Fact::Started {
        queue_delay: Duration::from_millis(delay),
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_done_was_accepted_started_and_succeeded() {
    let room = room();
    sent(&room, r#"{"seconds": 7}"#).await;
    sleep(seconds(3)).await;
    room.work_until_idle().await;
    let measures = room.meter.take();
    assert!(measures.iter().all(|one| {
        one.command
            .as_ref()
            .is_some_and(|name| name.as_str() == "plan.follow")
    }));
    let facts: Vec<_> = measures.into_iter().map(|measure| measure.fact).collect();
    assert_eq!(
        facts,
        [
            Fact::Accepted,
            started(3_001),
            Fact::Succeeded {
                run_time: seconds(7)
            }
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_was_there_is_replayed_and_one_that_is_refused_is_nothing() {
    let room = room();
    sent(&room, r#"{"seconds": 1}"#).await;
    sent(&room, r#"{"seconds": 1}"#).await;
    room.send("plan.follow", Some("k"), r#"{"seconds": 2}"#)
        .await
        .expect_err("another request");
    room.send("plan.follow", None, "{}")
        .await
        .expect_err("no plan");
    assert_eq!(room.meter.facts(), [Fact::Accepted, Fact::Replayed]);
    room.work_until_idle().await;
    let succeeded = Fact::Succeeded {
        run_time: seconds(1),
    };
    assert_eq!(
        room.meter.facts(),
        [started(4), succeeded],
        "two messages, one run"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_message_was_lost_is_accepted_once() {
    let room = room();
    // Neither by the first request nor by its repetition.
    for _ in 0..2 {
        room.memory.fail("send", Fault::Before);
        room.send("plan.follow", Some("k"), r#"{"seconds": 1}"#)
            .await
            .expect_err("not sent");
    }
    sent(&room, r#"{"seconds": 1}"#).await;
    assert_eq!(room.meter.facts(), [Fact::Accepted, Fact::Replayed]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_another_follows_is_retried_and_only_the_first_one_waited() {
    let room = room();
    sent(&room, r#"{"seconds": 2, "stumbles": 1}"#).await;
    room.work_until_idle().await;
    let run_time = seconds(2);
    let facts = [
        Fact::Accepted,
        started(1),
        Fact::Retried { run_time },
        Fact::Succeeded { run_time },
    ];
    assert_eq!(room.meter.facts(), facts);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_counted_with_its_code() {
    for (plan, code, before) in [
        (r#"{"seconds": 2, "refuse": true}"#, "no-such-paper", vec![]),
        (
            r#"{"seconds": 2, "stumbles": 9}"#,
            "out-of-paper",
            vec![Fact::Retried {
                run_time: seconds(2),
            }],
        ),
    ] {
        let room = room();
        sent(&room, plan).await;
        room.work_until_idle().await;
        let failed = Fact::Failed {
            code: code.into(),
            run_time: Some(seconds(2)),
        };
        let facts = [vec![Fact::Accepted, started(1)], before, vec![failed]].concat();
        assert_eq!(room.meter.facts(), facts);
    }
}

/// Starts an attempt and drops it, like a process that is killed.
async fn die_in_mid_attempt(room: &Room) {
    tokio::time::timeout(seconds(1), room.work_once())
        .await
        .expect_err("it works on");
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_worker_leaves_is_counted_by_who_takes_over() {
    let room = room();
    sent(&room, r#"{"seconds": 5}"#).await;
    die_in_mid_attempt(&room).await;
    assert_eq!(room.meter.facts(), [Fact::Accepted, started(1)]);
    room.work_until_idle().await;
    assert_eq!(
        room.meter.facts(),
        [Fact::Succeeded {
            run_time: seconds(5)
        }],
        "the second attempt's alone"
    );

    let room = self::room();
    sent(&room, r#"{"seconds": 5}"#).await;
    die_in_mid_attempt(&room).await;
    sleep(seconds(30)).await;
    die_in_mid_attempt(&room).await;
    room.work_until_idle().await;
    let failed = Fact::Failed {
        code: "worker-crashed".into(),
        run_time: None,
    };
    assert_eq!(room.meter.facts(), [Fact::Accepted, started(1), failed]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_counted_where_it_ends() {
    let room = room();
    let key = sent(&room, r#"{"seconds": 5}"#).await;
    room.jobs.cancel(&key).await.expect("cancelled");
    room.jobs.cancel(&key).await.expect("cancelled already");
    room.work_until_idle().await;
    assert_eq!(
        room.meter.facts(),
        [Fact::Accepted, Fact::Cancelled { run_time: None }]
    );

    let room = self::room();
    let key = sent(&room, r#"{"seconds": 25}"#).await;
    let cancel = async {
        sleep(seconds(4)).await;
        room.jobs.cancel(&key).await.expect("asked");
    };
    tokio::join!(room.work_until_idle(), cancel);
    // The worker hears of it at its next sign of life, after a third of the lease.
    let cancelled = Fact::Cancelled {
        run_time: Some(seconds(10)),
    };
    assert_eq!(room.meter.facts(), [Fact::Accepted, started(1), cancelled]);
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_answer_was_lost_is_counted_once() {
    let room = room();
    sent(&room, r#"{"seconds": 5}"#).await;
    let work = async {
        sleep(seconds(1)).await;
        room.memory.fail("change", Fault::After);
    };
    tokio::join!(room.work_until_idle(), work);
    assert_eq!(
        room.meter.facts(),
        [
            Fact::Accepted,
            started(1),
            Fact::Succeeded {
                run_time: seconds(5)
            }
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_not_to_begin_at_once_waited_from_then_on() {
    let room = room();
    let ready_at = crate::Host::now(&*room.host).after(seconds(60));
    let body = crate::submit::Body::Sent {
        content_type: None,
        bytes: bytes::Bytes::from_static(b"{\"seconds\": 1}"),
    };
    let submission = crate::submit::Submission {
        not_before: Some(ready_at),
        ..Room::submission("plan.follow", body)
    };
    room.submit.submit(submission).await.expect("accepted");
    sleep(seconds(62)).await;
    room.work_until_idle().await;
    assert_eq!(
        room.meter.facts(),
        [
            Fact::Accepted,
            started(2_000),
            Fact::Succeeded {
                run_time: seconds(1)
            }
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_no_worker_ended_is_counted_by_who_did() {
    let room = room();
    sent(&room, r#"{"seconds": 5}"#).await;
    let mut letter = room.memory.receive(Duration::ZERO).expect("a message");
    // Each letter is stored at the second try, and counted once.
    room.memory.fail("store", Fault::Before);
    room.dead_letters.handle(&letter).await;
    room.dead_letters.handle(&letter).await;
    letter.body = "no message of ours".to_owned();
    room.memory.fail("store", Fault::Before);
    room.dead_letters.handle(&letter).await;
    room.dead_letters.handle(&letter).await;
    let measures = room.meter.take();
    let facts: Vec<_> = measures
        .iter()
        .map(|measure| (measure.command.is_some(), &measure.fact))
        .collect();
    let [
        (true, Fact::Accepted),
        (true, Fact::Dead { code }),
        (false, Fact::Dead { code: stray }),
    ] = &facts[..]
    else {
        panic!("{facts:?}")
    };
    assert_eq!(
        (code.as_str(), stray.as_str()),
        ("never-started", "unreadable")
    );

    let room = self::room();
    let key = sent(&room, r#"{"seconds": 5}"#).await;
    let letter = room.memory.receive(Duration::ZERO).expect("a message");
    die_in_mid_attempt(&room).await;
    room.jobs.cancel(&key).await.expect("asked");
    sleep(seconds(30)).await;
    room.meter.take();
    room.dead_letters.handle(&letter).await;
    let code = "cancelled".to_owned();
    assert_eq!(room.meter.facts(), [Fact::Dead { code }]);
}
