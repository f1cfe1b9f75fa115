//! Given dead letters, when an operator redrives them, then their jobs run again, and no others change.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom_core::transition::Event;
use tokio::time::{sleep, timeout};

use super::*;
use crate::delivery::Disposition;
use crate::host::Host as _;
use crate::testing::{Fault, Nothing, Room, another, tenant};
use crate::{Command, HandlerError, Output};

/// Returns a room whose handler takes a minute, and a job whose message became a dead letter.
async fn room() -> (Room, JobKey) {
    let room = Room::new(vec![Command::json("sleep", |_: Nothing| async {
        sleep(Duration::from_secs(60)).await;
        Ok::<_, HandlerError>(Output::none())
    })]);
    let key = room
        .send("sleep", Some("k"), "{}")
        .await
        .expect("accepted")
        .job
        .key();
    let letter = room.memory.receive(Duration::ZERO).expect("a message");
    assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Done);
    room.memory.delete(&letter);
    (room, key)
}

async fn letters(room: &Room) -> Vec<DeadLetter> {
    let mut all: Vec<DeadLetter> = vec![];
    loop {
        let page = room
            .redrive
            .list(None, all.last().map(|letter| letter.key.as_str()))
            .await
            .expect("a page");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
        assert!(all.len() < 1000, "the pages have no end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_is_sent_back_runs_its_job_again() {
    let (room, key) = room().await;
    let [letter] = &letters(&room).await[..] else {
        panic!("one letter")
    };
    assert_eq!(
        (&letter.job, letter.record.as_ref().map(|job| job.status)),
        (&Some(key.clone()), Some(Status::Failed))
    );
    let failed = room.poll(&key).await;
    assert_eq!(room.redrive.send(letter).await, Ok(RedriveOutcome::Sent));
    let accepted = room.poll(&key).await;
    assert_eq!(
        (accepted.status, accepted.version),
        (Status::Accepted, failed.version + 1)
    );
    let now = room.host.now();
    assert_eq!((accepted.updated_at, accepted.ready_at), (now, now));
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
    let story: Vec<_> = job.history.iter().map(|step| step.event).collect();
    assert_eq!(
        story,
        [Event::Bury, Event::Redrive, Event::Claim, Event::Succeed]
    );
    assert_eq!(letters(&room).await, []);
    assert_eq!(
        room.redrive.send(letter).await,
        Ok(RedriveOutcome::Rejected("it is no longer stored"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_runs_is_over_or_gone_is_refused_and_its_letter_stays() {
    let (room, key) = room().await;
    let letter = letters(&room).await.pop().expect("a letter");
    let body = room
        .memory
        .read(&letter.key)
        .await
        .expect("memory")
        .expect("a body");
    assert_eq!(room.redrive.send(&letter).await, Ok(RedriveOutcome::Sent));
    room.memory
        .store(&letter.key, &body)
        .await
        .expect("another letter of the job");
    let watch = async {
        sleep(Duration::from_secs(5)).await;
        assert_eq!(
            room.redrive.send(&letter).await,
            Ok(RedriveOutcome::Rejected("its job is running"))
        );
    };
    tokio::join!(room.work_until_idle(), watch);
    assert_eq!(
        room.redrive.send(&letter).await,
        Ok(RedriveOutcome::Rejected("its job succeeded"))
    );
    sleep(Duration::from_secs(90_000)).await;
    assert_eq!(
        room.redrive.send(&letter).await,
        Ok(RedriveOutcome::Rejected(
            "its job has expired; submit the command again"
        ))
    );
    let [letter] = &letters(&room).await[..] else {
        panic!("one letter")
    };
    assert_eq!((&letter.job, &letter.record), (&Some(key.clone()), &None));
    assert_eq!(room.jobs.get(&key).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn letters_whose_jobs_cant_be_read_are_not_listed_as_those_of_expired_ones() {
    let (room, _) = room().await;
    for (call, fault) in [
        ("list", Fault::Before),
        ("load", Fault::Before),
        ("load", Fault::Denied),
    ] {
        room.memory.fail(call, fault);
        let listed = room.redrive.list(None, None).await;
        assert!(listed.is_err(), "{call}: {listed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_none_of_ours_is_listed_and_not_sent() {
    let (room, _) = room().await;
    room.memory
        .store(&keys::dead_letter(None, "garbage"), "garbage")
        .await
        .expect("kept");
    let all = letters(&room).await;
    let stray = all
        .iter()
        .find(|letter| letter.job.is_none())
        .expect("listed");
    assert_eq!(
        room.redrive.send(stray).await,
        Ok(RedriveOutcome::Rejected(
            "it is not a message of this service"
        ))
    );
    let of_tenant = room
        .redrive
        .list(Some(&tenant()), None)
        .await
        .expect("a page");
    assert_eq!(of_tenant.len(), 1, "a tenant's own");
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_a_second_redrive_brings_the_job_to_its_end() {
    for fault in [Fault::Before, Fault::Denied, Fault::After] {
        for n in 0..5 {
            let (room, key) = room().await;
            let letter = letters(&room).await.pop().expect("a letter");
            room.memory.fail_nth(n, fault);
            assert!(
                room.redrive.send(&letter).await.is_err(),
                "call {n}, {fault:?}: there are five"
            );
            room.memory.calm();
            let again = AtomicBool::new(false);
            for letter in letters(&room).await {
                assert_eq!(room.redrive.send(&letter).await, Ok(RedriveOutcome::Sent));
                again.store(true, Ordering::Relaxed);
            }
            assert!(
                again.load(Ordering::Relaxed) || (n, fault) == (4, Fault::After),
                "the letter is gone too early"
            );
            timeout(Duration::from_secs(600), room.work_until_idle())
                .await
                .expect("an end");
            let job = room.poll(&key).await;
            assert_eq!(
                (job.status, job.attempt),
                (Status::Succeeded, 1),
                "call {n}, {fault:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_operator_sends_back_meanwhile_is_not_sent_twice() {
    let (room, key) = room().await;
    let letter = letters(&room).await.pop().expect("a letter");
    let now = room.host.now();
    room.memory
        .meanwhile("change", another(move |job| Transition::redrive(job, now)));
    room.memory.calls();
    let changed = RedriveOutcome::Rejected("its job has changed; list the dead letters again");
    assert_eq!(room.redrive.send(&letter).await, Ok(changed));
    assert_eq!(
        room.memory.calls(),
        ["read", "load", "change"],
        "nothing was sent, and the letter stays"
    );
    assert_eq!(
        (room.poll(&key).await.status, letters(&room).await.len()),
        (Status::Accepted, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_sent_after_its_job_was_reset_and_forgotten_last() {
    let (room, _) = room().await;
    let letter = letters(&room).await.pop().expect("a letter");
    room.memory.calls();
    assert_eq!(room.redrive.send(&letter).await, Ok(RedriveOutcome::Sent));
    assert_eq!(
        room.memory.calls(),
        ["read", "load", "change", "send", "remove"]
    );
    assert_eq!(
        room.memory.messages().1,
        Some(tokio::time::Instant::now()),
        "at once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_letter_whose_job_was_cancelled_or_waits_for_its_next_attempt_is_refused() {
    let (room, key) = room().await;
    let letter = letters(&room).await.pop().expect("a letter");
    room.redrive.send(&letter).await.expect("memory");
    room.memory
        .store(&letter.key, "its message")
        .await
        .expect("another letter of the job");
    for (status, why) in [
        (Status::Running, "its job is running"),
        (Status::Retrying, "its job is running"),
        (Status::Cancelling, "its job is running"),
        (Status::Succeeded, "its job succeeded"),
        (Status::Cancelled, "its job was cancelled"),
    ] {
        room.memory.meanwhile("load", move |jobs| {
            for job in jobs.values_mut() {
                job.status = status;
            }
        });
        room.memory.calls();
        assert_eq!(
            room.redrive.send(&letter).await,
            Ok(RedriveOutcome::Rejected(why))
        );
        assert_eq!(room.memory.calls(), ["read", "load"]);
        assert_eq!(room.poll(&key).await.status, status);
    }
}
