//! Given a job that a worker has read, when it changes before the worker writes, then that change is preserved.

use cloakroom_core::{Isolation, LeaseToken};

use super::super::message::{AFTER_A_FAULT, LONGEST_WAIT};
use super::*;
use crate::meter::Fact;
use crate::testing::{another, claim_by};

/// Leaves the jobs unchanged before the next call of `change`.
fn undisturbed(room: &Room) {
    room.memory.meanwhile("change", |_| {});
}

async fn handle(room: &Room, delivery: &Delivery) -> Disposition {
    let ends_at = room.host.now().after(Duration::from_secs(900));
    timeout(
        Duration::from_secs(900),
        room.worker.handle(delivery, ends_at),
    )
    .await
    .expect("within its function")
}

/// Returns a job whose worker crashed after 5 s in its last attempt, number `attempt`, and its message after the lease
/// expired.
async fn dead(attempt: u32) -> (Room, JobKey, Delivery) {
    let room = Room::new(vec![Command::json("play", play).attempts(1)]);
    let key = sent(&room, r#"[{"sleep": 100}]"#).await;
    for _ in 0..attempt {
        assert!(
            timeout(Duration::from_secs(5), room.work_once())
                .await
                .is_err(),
            "it died"
        );
        sleep(Duration::from_secs(40)).await;
    }
    assert_eq!(room.poll(&key).await.attempt, attempt);
    let delivery = room
        .memory
        .receive(Duration::from_secs(15))
        .expect("a message");
    room.meter.take();
    (room, key, delivery)
}

fn token_of(job: &Job) -> LeaseToken {
    job.lease.as_ref().expect("it ran").token
}

/// Renews or ends the attempt by the worker that seemed dead.
fn alive(now: Timestamp, succeeds: bool) -> impl Fn(&Job) -> Transition {
    move |job| {
        if succeeds {
            let done = AttemptEnd::Done(cloakroom_core::Success::default());
            Transition::settle(
                job,
                token_of(job),
                done,
                &cloakroom_core::RetryPolicy::default(),
                now,
                0.0,
            )
        } else {
            Transition::renew(token_of(job), Duration::from_secs(60), None, now)
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_seemed_dead_is_not_given_up_once_its_worker_is_heard_of() {
    for (succeeds, status) in [(true, Status::Succeeded), (false, Status::Running)] {
        let (room, key, delivery) = dead(2).await;
        undisturbed(&room);
        room.memory
            .meanwhile("change", another(alive(room.host.now(), succeeds)));
        room.memory.calls();
        assert_eq!(handle(&room, &delivery).await, Disposition::Keep);
        assert_eq!(room.memory.calls(), ["change", "change", "hide"]);
        assert_eq!(
            room.memory.messages().1,
            Some(Instant::now()),
            "the next receipt sees what happened"
        );
        assert_eq!(
            (room.poll(&key).await.status, room.meter.facts()),
            (status, vec![])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_seemed_dead_is_not_taken_over_once_its_worker_is_heard_of() {
    for (succeeds, status, disposition) in [
        (true, Status::Succeeded, Disposition::Done),
        (false, Status::Running, Disposition::Keep),
    ] {
        let (room, key, delivery) = dead(1).await;
        undisturbed(&room);
        room.memory
            .meanwhile("change", another(alive(room.host.now(), succeeds)));
        assert_eq!(handle(&room, &delivery).await, disposition);
        let job = room.poll(&key).await;
        assert_eq!(
            (job.status, job.attempt, room.meter.facts()),
            (status, 1, vec![])
        );
        if !succeeds {
            let hidden = room.memory.messages().1.expect("it stays") - Instant::now();
            assert_eq!(hidden, Duration::from_secs(60), "until the lease ends");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_taken_over_once_however_many_see_its_worker_dead() {
    for (message, disposition) in [
        ("message-1", Disposition::Keep),
        ("another", Disposition::Done),
    ] {
        let (room, key, delivery) = dead(1).await;
        let now = room.host.now();
        undisturbed(&room);
        let takes_over =
            move |job: &Job| Transition::take_over(&claim_by(message, job), token_of(job), now);
        room.memory.meanwhile("change", another(takes_over));
        assert_eq!(handle(&room, &delivery).await, disposition, "{message}");
        let job = room.poll(&key).await;
        assert_eq!((job.status, job.attempt), (Status::Running, 2));
        assert_eq!(token_of(&job), claim_by(message, &job).lease.token);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_worker_took_over_before_it_died_too_keeps_its_message() {
    let (room, key, delivery) = dead(1).await;
    let now = room.host.now();
    undisturbed(&room);
    let takes_over = move |job: &Job| {
        let mut claim = claim_by("message-1", job);
        (claim.lease.isolation, claim.lease_time) = (Isolation::Shared, Duration::ZERO);
        Transition::take_over(&claim, token_of(job), now)
    };
    room.memory.meanwhile("change", another(takes_over));
    assert_eq!(handle(&room, &delivery).await, Disposition::Keep);
    assert_eq!(
        room.memory.messages(),
        (1, Some(Instant::now())),
        "the next receipt takes over"
    );
    assert_eq!(room.poll(&key).await.attempt, 2);
    room.memory.calls();
    room.work_once().await;
    assert_eq!(room.poll(&key).await.attempt, 3);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_whose_worker_is_gone_is_ended_unless_that_worker_ends_it_first() {
    for first in [false, true] {
        let (room, key, delivery) = dead(1).await;
        undisturbed(&room);
        room.jobs.cancel(&key).await.expect("it runs");
        room.memory.calls();
        if first {
            undisturbed(&room);
            room.memory
                .meanwhile("change", another(alive(room.host.now(), true)));
        }
        let (disposition, status) = if first {
            (Disposition::Keep, Status::Succeeded)
        } else {
            (Disposition::Done, Status::Cancelled)
        };
        assert_eq!(handle(&room, &delivery).await, disposition);
        assert_eq!(room.poll(&key).await.status, status);
        let facts = if first {
            vec![]
        } else {
            vec![Fact::Cancelled { run_time: None }]
        };
        assert_eq!(room.meter.facts(), facts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_just_before_an_end_is_written_is_heard_unless_the_work_is_done() {
    for (act, status) in [
        ("answer", Status::Succeeded),
        ("terminal", Status::Failed),
        ("retryable", Status::Cancelled),
        ("panic", Status::Cancelled),
    ] {
        let room = room();
        let key = sent(&room, &format!("[\"{act}\"]")).await;
        undisturbed(&room);
        let now = room.host.now();
        room.memory
            .meanwhile("change", another(move |_| Transition::ask_to_cancel(now)));
        let delivery = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        assert_eq!(handle(&room, &delivery).await, Disposition::Done, "{act}");
        let job = room.poll(&key).await;
        assert_eq!((job.status, job.attempt), (status, 1), "{act}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_moves_just_before_its_claim_is_handled_as_it_is_then() {
    let withdrawn: fn(&Job, Timestamp) -> Transition = |_, now| Transition::withdraw(now);
    let claimed: fn(&Job, Timestamp) -> Transition =
        |job, now| Transition::claim(&claim_by("another", job), now);
    let same: fn(&Job, Timestamp) -> Transition =
        |job, now| Transition::claim(&claim_by("message-1", job), now);
    for (does, disposition, status) in [
        (withdrawn, Disposition::Done, Status::Cancelled),
        (claimed, Disposition::Done, Status::Running),
        (same, Disposition::Keep, Status::Running),
    ] {
        let room = room();
        let key = sent(&room, r#"["answer"]"#).await;
        let now = room.host.now();
        room.memory
            .meanwhile("change", another(move |job| does(job, now)));
        let delivery = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        assert_eq!(
            (handle(&room, &delivery).await, room.poll(&key).await.status),
            (disposition, status)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_begins_or_ends_just_before_it_lapses_does_not_lapse() {
    for (begins, status) in [(true, Status::Running), (false, Status::Cancelled)] {
        let room = Room::new(vec![
            Command::json("play", play).start_within(Duration::from_secs(60)),
        ]);
        let key = sent(&room, r#"["answer"]"#).await;
        sleep(Duration::from_secs(60)).await;
        let now = room.host.now();
        let does = move |job: &Job| {
            if begins {
                Transition::claim(&claim_by("another", job), now)
            } else {
                Transition::withdraw(now)
            }
        };
        room.memory.meanwhile("change", another(does));
        let delivery = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        room.memory.calls();
        assert_eq!(handle(&room, &delivery).await, Disposition::Done);
        assert_eq!(
            room.memory.calls(),
            ["change", "change"],
            "the lapse, then the claim; both are refused"
        );
        assert_eq!(room.poll(&key).await.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_lapses_at_the_end_of_its_time_and_not_before_and_is_counted() {
    for (millis, lapses) in [(59_999, false), (60_000, true)] {
        let room = Room::new(vec![
            Command::json("play", play).start_within(Duration::from_secs(60)),
        ]);
        let key = sent(&room, r#"["answer"]"#).await;
        let accepted_at = room.poll(&key).await.created_at;
        room.until(accepted_at.after(Duration::from_millis(millis)))
            .await;
        let delivery = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        room.memory.calls();
        room.meter.take();
        assert_eq!(handle(&room, &delivery).await, Disposition::Done);
        let status = if lapses {
            Status::Failed
        } else {
            Status::Succeeded
        };
        assert_eq!(room.poll(&key).await.status, status, "{millis}");
        if lapses {
            assert_eq!(room.memory.calls(), ["change", "load"]);
            let failed = Fact::Failed {
                code: "expired".into(),
                run_time: None,
            };
            assert_eq!(room.meter.facts(), [failed]);
        } else {
            assert_eq!(room.memory.calls(), ["change", "change", "load"]);
        }
    }
}

/// Lets a write fail while a message is handled that was received so often. It is hidden, or from the fourth receipt
/// on sent again, and in any case comes back later.
async fn comes_back_later(room: &Room, delivery: &Delivery, receive_count: u32) {
    let (disposition, wait) = if receive_count < 4 {
        (Disposition::Keep, AFTER_A_FAULT)
    } else {
        (Disposition::Done, LONGEST_WAIT)
    };
    let delivery = Delivery {
        receive_count,
        ..delivery.clone()
    };
    assert_eq!(handle(room, &delivery).await, disposition);
    if disposition == Disposition::Done {
        room.memory.delete(&delivery);
    }
    assert_eq!(room.memory.messages(), (1, Some(Instant::now() + wait)));
    room.memory.calm();
}

/// Faults of a write, with the receive count of the message that is handled.
const FAULTS: [(Fault, u32); 6] = [
    (Fault::Before, 1),
    (Fault::Before, 4),
    (Fault::Denied, 1),
    (Fault::Denied, 4),
    (Fault::After, 1),
    (Fault::After, 4),
];

#[tokio::test(start_paused = true)]
async fn a_lapse_that_may_not_have_been_written_keeps_the_message_or_sends_it_again() {
    for (fault, receive_count) in FAULTS {
        let room = Room::new(vec![
            Command::json("play", play).start_within(Duration::from_secs(60)),
        ]);
        let key = sent(&room, r#"["answer"]"#).await;
        sleep(Duration::from_secs(60)).await;
        let delivery = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        room.memory.fail("change", fault);
        comes_back_later(&room, &delivery, receive_count).await;
        room.work_until_idle().await;
        assert_eq!(failure(&room.poll(&key).await).1, "expired");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_in_place_of_a_dead_worker_that_may_not_have_been_written_keeps_the_message_or_sends_it_again()
 {
    for (fault, receive_count) in FAULTS {
        let (room, key, delivery) = dead(2).await;
        room.memory.fail_nth(1, fault);
        comes_back_later(&room, &delivery, receive_count).await;
        room.work_until_idle().await;
        assert_eq!(failure(&room.poll(&key).await).1, "worker-crashed");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_may_not_have_been_given_back_keeps_the_message_or_sends_it_again() {
    for (fault, receive_count) in FAULTS {
        let room = room();
        let key = sent(&room, r#"["answer"]"#).await;
        room.memory.fail("change", Fault::After);
        room.work_once().await;
        sleep(AFTER_A_FAULT).await;
        let again = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        room.memory.fail("change", fault);
        comes_back_later(&room, &again, receive_count).await;
        room.work_until_idle().await;
        let job = room.poll(&key).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_in_place_of_a_dead_worker_is_counted_and_its_message_is_done_with() {
    let (room, key, delivery) = dead(2).await;
    room.memory.calls();
    assert_eq!(handle(&room, &delivery).await, Disposition::Done);
    assert_eq!(room.memory.calls(), ["change", "change"]);
    assert_eq!(room.poll(&key).await.finished_at, Some(room.host.now()));
    let failed = Fact::Failed {
        code: "worker-crashed".into(),
        run_time: None,
    };
    assert_eq!(
        (room.meter.facts(), failure(&room.poll(&key).await).1),
        (vec![failed], "worker-crashed")
    );
}

#[tokio::test(start_paused = true)]
async fn the_payload_of_a_cancelled_job_goes_when_its_worker_is_gone() {
    let mut room = Room::new(vec![Command::json("play", play)]);
    room.submit.inline_limit = 0;
    let key = sent(&room, r#"[{"sleep": 100}]"#).await;
    assert!(
        timeout(Duration::from_secs(5), room.work_once())
            .await
            .is_err(),
        "it died"
    );
    room.jobs.cancel(&key).await.expect("it runs");
    room.work_until_idle().await;
    assert_eq!(
        (room.poll(&key).await.status, room.memory.object_keys()),
        (Status::Cancelled, vec![])
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_claim_that_nobody_works_on_keeps_the_message_that_knows_of_it() {
    let room = room();
    let key = sent(&room, r#"["answer"]"#).await;
    room.memory.fail("change", Fault::Before);
    room.work_once().await;
    sleep(Duration::from_secs(5)).await;
    let again = room
        .memory
        .receive(Duration::from_secs(15))
        .expect("a message");
    let token = Envelope::read(&again.body)
        .expect("ours")
        .unrecorded()
        .expect("it may have been claimed");
    // The claim takes effect only now, after the attempt was to be given back.
    let now = room.host.now();
    undisturbed(&room);
    room.memory.meanwhile(
        "change",
        another(move |job| {
            let mut claim = claim_by("message-1", job);
            (claim.lease.token, claim.lease_time) = (token, Duration::from_secs(30));
            Transition::claim(&claim, now)
        }),
    );
    assert_eq!(handle(&room, &again).await, Disposition::Keep);
    assert_eq!(
        room.memory.messages().1,
        Some(Instant::now() + Duration::from_secs(30)),
        "until its lease ends"
    );
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_take_over_that_may_have_been_made_is_known_to_the_message_that_is_sent_again() {
    for (fault, taken) in [(Fault::Before, false), (Fault::After, true)] {
        let (room, key, delivery) = dead(1).await;
        let before = token_of(&room.poll(&key).await);
        // The claim is refused, and the take-over that follows goes wrong.
        room.memory.fail_nth(1, fault);
        assert_eq!(handle(&room, &delivery).await, Disposition::Done);
        room.memory.delete(&delivery);
        let lease = token_of(&room.poll(&key).await);
        assert_eq!(lease != before, taken);
        let (_, visible) = room.memory.messages();
        tokio::time::sleep_until(visible.expect("it was sent again")).await;
        let again = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        let unrecorded = Envelope::read(&again.body).expect("ours").unrecorded();
        assert!(
            unrecorded.is_some() && (!taken || unrecorded == Some(lease)),
            "{unrecorded:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_refused_again_and_again_is_given_up() {
    for (status, changes) in [(Status::Cancelling, 1 + 1 + 10), (Status::Running, 1 + 1)] {
        let room = room();
        sent(&room, r#"["answer"]"#).await;
        undisturbed(&room);
        // Its record has expired: whatever its status, nothing can be written.
        room.memory.meanwhile("change", move |jobs| {
            for job in jobs.values_mut() {
                (job.status, job.expires_at) = (status, job.created_at);
            }
        });
        let delivery = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        room.memory.calls();
        room.meter.take();
        assert_eq!(
            handle(&room, &delivery).await,
            Disposition::Keep,
            "{status:?}"
        );
        assert_eq!(room.memory.calls(), vec!["change"; changes]);
        assert_eq!(
            room.meter.facts(),
            [Fact::Started {
                queue_delay: Duration::from_millis(1)
            }]
        );
    }
}
