//! Given a job that nothing else will end, when the sweeper examines it late enough, then it ends with the correct
//! cause;
//! and no other job ends.

use std::time::Duration;

use cloakroom_core::transition::{OUTAGE, SLACK};
use cloakroom_core::{Job, Status, Transition};
use tokio::time::{sleep, timeout};

use super::*;
use crate::host::Host as _;
use crate::testing::{Fault, Nothing, Room, another, claim_by};
use crate::{Command, HandlerError, JobContext, Output};

const HOUR: Duration = Duration::from_secs(3600);

/// Time after which a message of the queue in memory can no longer be received, and some slack.
const DUE: Duration = Duration::from_secs(3600 + OUTAGE.as_secs() + SLACK.as_secs());

async fn sleeps(_: Nothing, _: JobContext) -> Result<Output, HandlerError> {
    sleep(Duration::from_secs(100)).await;
    Ok(Output::none())
}

fn room() -> Room {
    Room::new(vec![
        Command::json("sleep", sleeps).timeout(Duration::from_secs(300)),
    ])
}

async fn sent(room: &Room) -> JobKey {
    room.send("sleep", None, "{}")
        .await
        .expect("accepted")
        .job
        .key()
}

fn end(job: &Job) -> (Status, &str) {
    (
        job.status,
        job.failure
            .as_ref()
            .map_or("", |failure| failure.code.as_str()),
    )
}

#[tokio::test(start_paused = true)]
async fn the_next_look_is_that_of_the_job_which_is_due_first() {
    let key = sent(&room()).await;
    let at = |seconds| (key.clone(), Timestamp::from_seconds(seconds));
    let earliest = earliest(&[at(5), at(3), at(4)]);
    assert_eq!(earliest, Some(Timestamp::from_seconds(3)));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_recorded_and_never_sent_ends_when_no_message_can_be_on_its_way() {
    let room = room();
    room.memory.fail("send", Fault::Before);
    room.send("sleep", Some("k"), "{}")
        .await
        .expect_err("its submission dies");
    let key = room.memory.only_job().key();
    let due = room.poll(&key).await.created_at.after(DUE);
    let looked = room
        .sweeper
        .sweep(std::slice::from_ref(&key))
        .await
        .expect("a look");
    assert_eq!((looked.next(), looked.ended), (Some(due), 0));
    sleep(DUE).await;
    let looked = room
        .sweeper
        .sweep(std::slice::from_ref(&key))
        .await
        .expect("a look");
    assert_eq!((looked.next(), looked.ended), (None, 1));
    assert_eq!(
        end(&room.poll(&key).await),
        (Status::Failed, "never-started")
    );
}

#[tokio::test(start_paused = true)]
async fn a_running_job_whose_worker_died_and_whose_message_is_gone_ends() {
    let room = room();
    let key = sent(&room).await;
    assert!(
        timeout(Duration::from_secs(45), room.work_once())
            .await
            .is_err(),
        "the worker dies"
    );
    room.memory.purge();
    sleep(DUE + Duration::from_secs(60)).await;
    assert_eq!(
        room.sweeper
            .sweep(std::slice::from_ref(&key))
            .await
            .expect("a look")
            .ended,
        1
    );
    assert_eq!(
        end(&room.poll(&key).await),
        (Status::Failed, "worker-crashed")
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_in_a_long_queue_is_left_alone_until_just_before_it_would_vanish() {
    let room = room();
    let key = sent(&room).await;
    let mut looks = 0;
    loop {
        let looked = room
            .sweeper
            .sweep(std::slice::from_ref(&key))
            .await
            .expect("a look");
        let Some(next) = looked.next() else { break };
        looks += 1;
        assert!(next > room.host.now(), "it would look without end");
        sleep(next.since(room.host.now())).await;
    }
    let job = room.poll(&key).await;
    assert_eq!(end(&job), (Status::Failed, "expired"));
    assert!(job.finished_at.expect("over").since(job.created_at) > 23 * HOUR);
    assert!(looks < 400, "{looks}");
    room.work_until_idle().await;
    assert_eq!(
        end(&room.poll(&key).await),
        (Status::Failed, "expired"),
        "its message finds it over"
    );
}

#[tokio::test(start_paused = true)]
async fn jobs_that_are_at_work_over_or_unknown_are_none_of_its_business() {
    let room = room();
    let (running, over) = (sent(&room).await, sent(&room).await);
    room.jobs.cancel(&over).await.expect("cancelled");
    let unknown = JobKey {
        tenant: "nobody".parse().expect("a name"),
        id: over.id,
    };
    let watch = async {
        sleep(Duration::from_secs(50)).await;
        let looked = room
            .sweeper
            .sweep(&[running.clone(), over.clone(), unknown])
            .await
            .expect("a look");
        assert_eq!((looked.ended, looked.open.len()), (0, 1));
    };
    tokio::join!(room.work_until_idle(), watch);
    assert_eq!(room.poll(&running).await.status, Status::Succeeded);
    assert_eq!(
        room.sweeper.sweep(&[running]).await.expect("a look"),
        SweepReport::default()
    );
    assert_eq!(
        room.sweeper.sweep(&[]).await.expect("nothing"),
        SweepReport::default()
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_that_can_not_be_read_is_counted_and_holds_up_no_other() {
    let room = room();
    let keys = [sent(&room).await, sent(&room).await, sent(&room).await];
    room.memory.purge();
    room.memory.damage(&keys[1]);
    room.meter.take();
    sleep(DUE).await;
    let looked = room
        .sweeper
        .sweep(&keys)
        .await
        .expect("the record is skipped");
    assert_eq!(
        (looked.ended, looked.unreadable, looked.next()),
        (2, 1, None)
    );
    for key in [&keys[0], &keys[2]] {
        assert_eq!(
            end(&room.poll(key).await),
            (Status::Failed, "never-started")
        );
    }
    let counted = room
        .meter
        .take()
        .into_iter()
        .filter(|measure| measure.fact == Fact::Unreadable)
        .count();
    assert_eq!(counted, 1);
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_another_look_ends_them_all() {
    for fault in [Fault::Before, Fault::Denied, Fault::After] {
        for n in 0..7 {
            let room = room();
            let keys = [sent(&room).await, sent(&room).await, sent(&room).await];
            room.memory.purge();
            sleep(DUE).await;
            room.memory.fail_nth(n, fault);
            let looked = room.sweeper.sweep(&keys).await;
            assert!(
                looked.is_err(),
                "call {n}, {fault:?}: a queue and three jobs, each read and changed"
            );
            room.memory.calm();
            room.sweeper.sweep(&keys).await.expect("a look");
            for key in &keys {
                assert_eq!(
                    end(&room.poll(key).await),
                    (Status::Failed, "never-started")
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_moves_while_it_is_looked_at_is_left_alone_and_looked_at_again_a_cycle_later() {
    for moved_to in [Status::Cancelled, Status::Running] {
        let room = room();
        let key = sent(&room).await;
        room.memory.purge();
        sleep(DUE).await;
        room.meter.take();
        let now = room.host.now();
        let does = move |job: &Job| match moved_to {
            Status::Cancelled => Transition::withdraw(now),
            _ => Transition::claim(&claim_by("another", job), now),
        };
        room.memory.meanwhile("change", another(does));
        let looked = room
            .sweeper
            .sweep(std::slice::from_ref(&key))
            .await
            .expect("a look");
        assert_eq!(
            looked,
            SweepReport {
                open: vec![(key.clone(), now.after(HOUR))],
                ended: 0,
                unreadable: 0
            }
        );
        assert_eq!(
            (room.poll(&key).await.status, room.meter.facts()),
            (moved_to, vec![])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_ended_is_counted_as_swept_once() {
    let room = room();
    let key = sent(&room).await;
    room.memory.purge();
    sleep(DUE).await;
    room.meter.take();
    for facts in [vec![Fact::Swept], vec![]] {
        room.sweeper
            .sweep(std::slice::from_ref(&key))
            .await
            .expect("a look");
        assert_eq!(room.meter.facts(), facts);
    }
}
