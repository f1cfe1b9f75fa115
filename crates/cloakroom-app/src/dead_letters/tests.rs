//! Given a message that no worker could process, when it becomes a dead letter, then its job ends with the known
//! cause, and the message is stored.

use std::collections::BTreeMap;

use cloakroom_core::{Status, Timestamp, Transition};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::host::Host as _;
use crate::ports::keys;
use crate::testing::{Fault, Nothing, Room, another, claim_by};
use crate::{Command, HandlerError, JobContext, Output};

async fn sleeps(_: Nothing, _: JobContext) -> Result<Output, HandlerError> {
    sleep(Duration::from_secs(100)).await;
    Ok(Output::none())
}

fn room() -> Room {
    Room::new(vec![
        Command::json("sleep", sleeps)
            .timeout(Duration::from_secs(300))
            .attempts(1),
    ])
}

/// Returns a job, and its message as the dead-letter queue delivers it.
async fn letter(room: &Room) -> (JobKey, Delivery) {
    let key = room
        .send("sleep", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    (key, room.memory.receive(Duration::ZERO).expect("a message"))
}

async fn kept(room: &Room) -> Vec<String> {
    room.memory
        .list(keys::DEAD_LETTERS, None)
        .await
        .expect("memory")
}

fn code(job: &Job) -> &str {
    job.failure
        .as_ref()
        .map_or("", |failure| failure.code.as_str())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_no_worker_could_begin_fails_and_its_message_is_kept() {
    let room = room();
    let (key, letter) = letter(&room).await;
    room.memory.calls();
    room.memory.slow("store", Duration::from_secs(4));
    assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Done);
    assert_eq!(
        room.memory.calls(),
        ["load", "store", "change"],
        "kept before it is ended"
    );
    let job = room.poll(&key).await;
    assert_eq!((job.status, code(&job)), (Status::Failed, "never-started"));
    let now = room.host.now();
    assert_eq!((job.finished_at, job.updated_at), (Some(now), now));
    assert_eq!(
        kept(&room).await,
        [keys::dead_letter(Some(&key), &letter.message_id)]
    );
    assert_eq!(
        room.memory.read(&kept(&room).await[0]).await,
        Ok(Some(letter.body.clone()))
    );
    assert_eq!(
        room.dead_letters.handle(&letter).await,
        Disposition::Done,
        "again"
    );
    assert_eq!(room.poll(&key).await, job);
    // A job that had failed before its message became a dead letter can be redriven, too.
    room.memory
        .remove(&kept(&room).await[0])
        .await
        .expect("removed");
    room.memory.fail("store", Fault::Before);
    assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Keep);
    assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Done);
    assert_eq!(kept(&room).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_producers_dead_letter_ends_no_job_even_if_its_payload_names_one() {
    let room = room();
    let (key, mut letter) = letter(&room).await;
    let attributes = BTreeMap::from([("name".to_owned(), "value".to_owned())]);
    let payload = intake::PayloadLocation::Body;
    letter.producer_message = Some(Box::new(intake::ProducerMessage {
        attributes,
        payload,
        sent_at: Some(Timestamp::from_millis(1_795_248_000_120)),
    }));
    assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Done);
    assert_eq!(room.poll(&key).await.status, Status::Accepted);
    let stray = keys::dead_letter(None, &letter.message_id);
    let stored = room.memory.read(&stray).await.expect("memory");
    assert_eq!(kept(&room).await, [stray]);
    let stored: Value = serde_json::from_str(&stored.expect("a body")).expect("JSON");
    let expected = json!({
        "refused": null,
        "sent_at": "2026-11-21T08:00:00.120Z",
        "attributes": { "name": "value" },
        "body": letter.body,
    });
    assert_eq!(stored, expected);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_worker_died_fails_when_its_lease_is_over() {
    let room = room();
    let (key, letter) = letter(&room).await;
    assert!(
        timeout(Duration::from_secs(45), room.work_once())
            .await
            .is_err(),
        "the worker dies"
    );
    let begun = Instant::now();
    let letter = Delivery {
        receipt: "receipt-2".into(),
        ..letter
    };
    assert_eq!(
        room.dead_letters.handle(&letter).await,
        Disposition::Keep,
        "the lease may yet be alive"
    );
    assert_eq!(room.poll(&key).await.status, Status::Running);
    let hidden = room.memory.messages().1.expect("hidden") - begun;
    sleep(hidden).await;
    assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Done);
    let job = room.poll(&key).await;
    assert_eq!((job.status, code(&job)), (Status::Failed, "worker-crashed"));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cant_be_read_ends_its_job_where_it_tells_which_it_is() {
    let room = room();
    let (key, letter) = letter(&room).await;
    let later = Delivery {
        body: letter.body.replace("\"v\":1", "\"v\":9"),
        ..letter
    };
    assert_eq!(room.dead_letters.handle(&later).await, Disposition::Done);
    assert_eq!(code(&room.poll(&key).await), "unreadable-message");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_of_ours_or_has_no_job_any_more_is_kept_and_does_no_harm() {
    let room = room();
    let (key, letter) = letter(&room).await;
    let garbage = Delivery {
        message_id: "garbage".into(),
        body: "garbage".into(),
        ..letter.clone()
    };
    assert_eq!(room.dead_letters.handle(&garbage).await, Disposition::Done);
    let of_nobody = Delivery {
        body: letter.body.replace("\"acme\"", "\"other\""),
        ..letter.clone()
    };
    assert_eq!(
        room.dead_letters.handle(&of_nobody).await,
        Disposition::Done
    );
    let nobody = JobKey {
        tenant: "other".parse().expect("a name"),
        id: key.id,
    };
    assert_eq!(
        kept(&room).await,
        [
            keys::dead_letter(None, "garbage"),
            keys::dead_letter(Some(&nobody), &letter.message_id)
        ]
    );
    assert_eq!(room.poll(&key).await.status, Status::Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_done_or_no_longer_wanted_leaves_no_letter() {
    for cancel in [true, false] {
        let room = room();
        let (key, letter) = letter(&room).await;
        if cancel {
            room.jobs.cancel(&key).await.expect("cancelled");
        } else {
            room.work_until_idle().await;
        }
        let over = room.poll(&key).await;
        assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Done);
        assert_eq!((room.poll(&key).await, kept(&room).await), (over, vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_the_letter_comes_back_and_ends_its_job() {
    for fault in [Fault::Before, Fault::Denied, Fault::After] {
        for n in 0..4 {
            let room = room();
            let (key, letter) = letter(&room).await;
            room.memory.fail_nth(n, fault);
            let handled = room.dead_letters.handle(&letter).await;
            assert_eq!(
                handled == Disposition::Done,
                n >= 3,
                "call {n}, {fault:?}: there are three"
            );
            room.memory.calm();
            assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Done);
            assert_eq!(
                (code(&room.poll(&key).await), kept(&room).await.len()),
                ("never-started", 1)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn letters_are_handled_side_by_side_and_each_on_its_own() {
    let room = room();
    let (_, letter) = letter(&room).await;
    let garbage = Delivery {
        message_id: "garbage".into(),
        body: String::new(),
        ..letter.clone()
    };
    room.memory.fail("load", Fault::Before);
    let handled = room.dead_letters.handle_batch(&[letter, garbage]).await;
    assert_eq!(handled, [Disposition::Keep, Disposition::Done]);
}

#[tokio::test(start_paused = true)]
async fn a_letter_whose_handling_panics_stays_and_holds_up_no_other() {
    for call in ["load", "store", "change"] {
        let room = room();
        let (key, first) = letter(&room).await;
        room.memory.delete(&first);
        let (second_key, second) = letter(&room).await;
        room.memory.fail(call, Fault::Panic);
        let handled = room
            .dead_letters
            .handle_batch(&[first.clone(), second])
            .await;
        assert_eq!(handled, [Disposition::Keep, Disposition::Done], "{call}");
        assert_eq!(room.poll(&key).await.status, Status::Accepted, "{call}");
        assert_eq!(
            room.poll(&second_key).await.status,
            Status::Failed,
            "{call}"
        );
        assert_eq!(
            room.dead_letters.handle(&first).await,
            Disposition::Done,
            "{call}"
        );
        assert_eq!(
            (room.poll(&key).await.status, kept(&room).await.len()),
            (Status::Failed, 2),
            "{call}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_moves_while_its_letter_is_handled_is_left_alone_and_the_letter_comes_back() {
    for moved_to in [Status::Cancelled, Status::Running] {
        let room = room();
        let (key, letter) = letter(&room).await;
        room.meter.take();
        let now = room.host.now();
        let does = move |job: &Job| match moved_to {
            Status::Cancelled => Transition::withdraw(now),
            _ => Transition::claim(&claim_by("message-1", job), now),
        };
        room.memory.meanwhile("change", another(does));
        assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Keep);
        let hidden = room.memory.messages().1.expect("it stays") - Instant::now();
        assert_eq!((hidden, room.poll(&key).await.status), (AGAIN, moved_to));
        assert_eq!(
            (kept(&room).await.len(), room.meter.facts()),
            (1, vec![]),
            "kept before it was known"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_handled_again_five_seconds_later() {
    for call in ["load", "store", "change"] {
        let room = room();
        let (_, letter) = letter(&room).await;
        room.memory.fail(call, Fault::Before);
        assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Keep);
        let hidden = room.memory.messages().1.expect("it stays") - Instant::now();
        assert_eq!(hidden, Duration::from_secs(5), "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_letter_of_a_job_that_another_message_brings_to_its_end_is_not_kept() {
    let room = room();
    let (key, letter) = letter(&room).await;
    let now = room.host.now();
    room.memory.meanwhile(
        "load",
        another(move |job| Transition::claim(&claim_by("another", job), now)),
    );
    room.memory.calls();
    assert_eq!(room.dead_letters.handle(&letter).await, Disposition::Done);
    assert_eq!(
        (room.memory.calls(), kept(&room).await),
        (vec!["load"], vec![])
    );
    assert_eq!(room.poll(&key).await.status, Status::Running);
}
