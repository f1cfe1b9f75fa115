//! Given a job, when it runs to its end, then it needs exactly these calls, receipts and attempts.

use cloakroom_core::transition::Event;

use super::super::message::{LONGEST_WAIT, LONGEST_WAIT_OF_OTHERS, wait_after_a_fault};
use super::*;
use crate::meter::Fact;

mod settling;

const ENOUGH: Duration = Duration::from_secs(900);

/// Returns the message as received for the n-th time.
fn received(room: &Room, receive_count: u32) -> Delivery {
    let delivery = room
        .memory
        .receive(Duration::from_secs(15))
        .expect("a message");
    room.memory.calls();
    Delivery {
        receive_count,
        ..delivery
    }
}

async fn handle(room: &Room, delivery: &Delivery) -> Disposition {
    timeout(
        ENOUGH,
        room.worker.handle(delivery, room.host.now().after(ENOUGH)),
    )
    .await
    .expect("within its function")
}

/// Returns the time for which the only message is hidden.
fn hidden(room: &Room) -> Duration {
    let (messages, visible_at) = room.memory.messages();
    assert_eq!(messages, 1);
    visible_at.expect("a message") - Instant::now()
}

/// Returns the time in whole seconds, rounded up, like a queue.
fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(u64::try_from(time.as_millis().div_ceil(1000)).expect("small"))
}

#[tokio::test(start_paused = true)]
async fn a_job_costs_a_receipt_and_two_writes_an_attempt() {
    let (attempt, again) = (["change", "change"], ["change", "change", "hide"]);
    for (acts, attempts, status, calls) in [
        (
            r#"["answer"]"#,
            1,
            Status::Succeeded,
            [&attempt[..]].concat(),
        ),
        (
            r#"["terminal"]"#,
            1,
            Status::Failed,
            [&attempt[..]].concat(),
        ),
        (
            r#"["retryable", "answer"]"#,
            2,
            Status::Succeeded,
            [&again[..], &attempt].concat(),
        ),
        (
            r#"["panic", "any-error", "answer"]"#,
            3,
            Status::Succeeded,
            [&again[..], &again, &attempt].concat(),
        ),
        (
            r#"[{"retryable-after": 59}]"#,
            3,
            Status::Failed,
            [&again[..], &again, &attempt].concat(),
        ),
    ] {
        let room = room();
        let key = sent(&room, acts).await;
        room.memory.calls();
        room.work_until_idle().await;
        assert_eq!(room.memory.calls(), calls, "{acts}");
        let job = room.poll(&key).await;
        assert_eq!(
            (job.status, job.attempt, room.memory.most_received()),
            (status, attempts, attempts),
            "{acts}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_hidden_until_its_jobs_next_attempt_is_due() {
    for act in [r#""retryable""#, r#"{"retryable-after": 45}"#, r#""panic""#] {
        let room = room();
        let key = sent(&room, &format!("[{act}]")).await;
        assert_eq!(handle(&room, &received(&room, 1)).await, Disposition::Keep);
        let wait = room.poll(&key).await.ready_at.since(room.host.now());
        assert!(wait > Duration::ZERO, "{act}");
        assert_eq!(hidden(&room), whole_seconds(wait), "{act}");
    }
}

#[tokio::test(start_paused = true)]
async fn from_its_fourth_receipt_on_the_message_of_a_job_that_waits_is_sent_again() {
    for receive_count in [1, 3, 4, 9] {
        let room = room();
        let key = sent(&room, r#"[{"retryable-after": 45}]"#).await;
        let delivery = received(&room, receive_count);
        let again = receive_count > 3;
        let (disposition, call) = if again {
            (Disposition::Done, "send")
        } else {
            (Disposition::Keep, "hide")
        };
        assert_eq!(
            handle(&room, &delivery).await,
            disposition,
            "{receive_count}"
        );
        assert_eq!(
            room.memory.calls(),
            ["change", "change", call],
            "{receive_count}"
        );
        if again {
            room.memory.delete(&delivery);
            assert_eq!(hidden(&room), Duration::from_secs(45));
            sleep(Duration::from_secs(45)).await;
            assert_eq!(
                room.memory.receive(Duration::ZERO).expect("a message").body,
                delivery.body
            );
        }
        assert_eq!(room.poll(&key).await.attempt, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_too_early_is_hidden_until_its_job_is_free() {
    for receive_count in [1, 4] {
        // Of a job that runs or is being cancelled: until the end of its lease, and never sent again.
        for cancelled in [false, true] {
            let room = room();
            let key = sent(&room, r#"[{"listen": 20}]"#).await;
            let delivery = received(&room, receive_count);
            let looks = async {
                sleep(Duration::from_secs(12)).await;
                if cancelled {
                    room.jobs.cancel(&key).await.expect("memory");
                }
                let early = handle(&room, &delivery).await;
                assert_eq!(
                    (early, hidden(&room)),
                    (Disposition::Keep, Duration::from_secs(10 + 30 - 12)),
                    "{cancelled}"
                );
            };
            let (disposition, ()) = tokio::join!(handle(&room, &delivery), looks);
            assert_eq!(disposition, Disposition::Done);
        }
        // Of a job that waits for its next attempt: until that is due.
        let room = room();
        let key = sent(&room, r#"[{"retryable-after": 45}]"#).await;
        let delivery = received(&room, receive_count);
        handle(&room, &received_again(&delivery)).await;
        sleep(Duration::from_secs(5)).await;
        room.memory.calls();
        let early = handle(&room, &delivery).await;
        assert_eq!(
            room.memory.calls(),
            ["change", if receive_count < 4 { "hide" } else { "send" }]
        );
        if early == Disposition::Done {
            room.memory.delete(&delivery);
        }
        assert_eq!(
            (hidden(&room), room.poll(&key).await.attempt),
            (Duration::from_secs(40), 1)
        );
    }
}

/// Returns the delivery with a receive count of 1.
fn received_again(delivery: &Delivery) -> Delivery {
    Delivery {
        receive_count: 1,
        ..delivery.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_time_is_not_begun_and_its_message_comes_back_at_once() {
    // The margin is 4 seconds: with one millisecond more an attempt has time.
    for (millis, receive_count) in [(0, 1), (3999, 1), (4000, 1), (4000, 4), (4001, 1)] {
        let room = room();
        let key = sent(&room, r#"["answer"]"#).await;
        let delivery = received(&room, receive_count);
        let ends_at = room.host.now().after(Duration::from_millis(millis));
        let disposition = room.worker.handle(&delivery, ends_at).await;
        let job = room.poll(&key).await;
        if millis > 4000 {
            assert_eq!(
                (disposition, job.status),
                (Disposition::Done, Status::Succeeded)
            );
            continue;
        }
        assert_eq!(
            (job.status, job.attempt, job.version),
            (Status::Accepted, 0, 1),
            "{millis}"
        );
        let (call, kept) = if receive_count < 4 {
            ("hide", Disposition::Keep)
        } else {
            ("send", Disposition::Done)
        };
        assert_eq!(
            (disposition, room.memory.calls()),
            (kept, vec![call, "load"]),
            "{millis}"
        );
        assert_eq!(room.memory.messages().1, Some(Instant::now()), "{millis}");
    }
}

#[test]
fn after_each_fault_a_message_waits_four_times_as_long_up_to_a_limit() {
    let waits = |longest| {
        let wait = |receive_count| {
            let delivery = Delivery {
                message_id: "m".into(),
                receipt: "r".into(),
                body: String::new(),
                receive_count,
                producer_message: None,
            };
            wait_after_a_fault(&delivery, longest).as_secs()
        };
        [0, 1, 2, 3, 4, 5, 6, 100, u32::MAX].map(wait)
    };
    assert_eq!(waits(LONGEST_WAIT), [5, 5, 20, 80, 120, 120, 120, 120, 120]);
    assert_eq!(
        waits(LONGEST_WAIT_OF_OTHERS),
        [5, 5, 20, 80, 320, 900, 900, 900, 900]
    );
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_may_have_been_made_is_told_of_by_a_message_that_is_sent_again() {
    for (fault, taken) in [(Fault::Before, false), (Fault::After, true)] {
        for (receive_count, wait) in [(1, 5), (2, 20), (5, 120)] {
            let room = room();
            let key = sent(&room, r#"["answer"]"#).await;
            let delivery = received(&room, receive_count);
            room.memory.fail("change", fault);
            assert_eq!(handle(&room, &delivery).await, Disposition::Done);
            assert_eq!(room.memory.calls(), ["change", "send"]);
            room.memory.delete(&delivery);
            assert_eq!(hidden(&room), Duration::from_secs(wait));
            let lease = room.poll(&key).await.lease.map(|lease| lease.token);
            assert_eq!(lease.is_some(), taken);
            sleep(Duration::from_secs(wait)).await;
            let again = room
                .memory
                .receive(Duration::from_secs(15))
                .expect("a message");
            let unrecorded = Envelope::read(&again.body).expect("ours").unrecorded();
            assert!(
                unrecorded.is_some() && (!taken || unrecorded == lease),
                "{unrecorded:?}"
            );
            assert_eq!(handle(&room, &again).await, Disposition::Done);
            let unavailable = room
                .meter
                .facts()
                .into_iter()
                .filter(|fact| *fact == Fact::StorageUnavailable)
                .count();
            assert_eq!(
                unavailable,
                usize::from(taken),
                "{fault:?}: an attempt that is not counted"
            );
            let job = room.poll(&key).await;
            assert_eq!(
                (job.status, job.attempt),
                (Status::Succeeded, 1),
                "{fault:?} {receive_count}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_tells_of_the_latest_claim_that_may_have_been_made() {
    let room = room();
    let key = sent(&room, r#"["answer"]"#).await;
    // At the second receipt, the first claim is given back before the next one is made.
    let mut delivery = received(&room, 1);
    for claim in [0, 1] {
        room.memory.fail_nth(claim, Fault::After);
        assert_eq!(handle(&room, &delivery).await, Disposition::Done);
        room.memory.delete(&delivery);
        sleep(hidden(&room)).await;
        let lease = room.poll(&key).await.lease.map(|lease| lease.token);
        delivery = received(&room, 1);
        let unrecorded = Envelope::read(&delivery.body).expect("ours").unrecorded();
        assert!(unrecorded.is_some() && unrecorded == lease, "{claim}");
    }
    assert_eq!(handle(&room, &delivery).await, Disposition::Done);
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_can_not_be_sent_again_is_hidden_for_longer() {
    for (receive_count, wait) in [(1, 5), (4, 320), (5, 900)] {
        let room = room();
        sent(&room, r#"["answer"]"#).await;
        let delivery = received(&room, receive_count);
        room.memory.down(&["change", "send"]);
        assert_eq!(handle(&room, &delivery).await, Disposition::Keep);
        assert_eq!(hidden(&room), Duration::from_secs(wait));
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_can_not_be_read_keeps_its_message_however_often_it_was_received() {
    let room = Room::new(vec![
        Command::json("play", play).start_within(Duration::from_secs(60)),
    ]);
    let key = sent(&room, r#"["answer"]"#).await;
    room.memory.damage(&key);
    sleep(Duration::from_secs(60)).await;
    for (receive_count, wait) in [(1, 5), (9, 120)] {
        assert_eq!(
            handle(&room, &received(&room, receive_count)).await,
            Disposition::Keep
        );
        assert_eq!(
            (room.memory.calls(), hidden(&room)),
            (vec!["change", "hide"], Duration::from_secs(wait))
        );
        sleep(Duration::from_secs(wait)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_makes_a_call_again_by_itself_costs_no_attempt() {
    for acts in [
        r#"["answer"]"#,
        r#"["answer-large"]"#,
        r#"["terminal"]"#,
        r#"["retryable", "answer"]"#,
    ] {
        for call in ["change", "hide", "put", "delete", "open"] {
            let mut room = Room::new(vec![Command::json("play", play).attempts(2)]);
            room.submit.inline_limit = 0;
            let key = sent(&room, acts).await;
            for _ in 0..9 {
                room.memory.fail(call, Fault::Twice);
            }
            room.work_until_idle().await;
            let job = room.poll(&key).await;
            let attempts = if acts.contains("retryable") { 2 } else { 1 };
            let status = if acts.contains("terminal") {
                Status::Failed
            } else {
                Status::Succeeded
            };
            assert_eq!(
                (job.status, job.attempt),
                (status, attempts),
                "{acts}: each {call} twice"
            );
            let ran = job
                .history
                .iter()
                .filter(|step| step.event == Event::Claim)
                .count();
            assert_eq!(
                (ran, room.memory.most_received()),
                (attempts as usize, attempts),
                "{acts}: each {call} twice"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_with_one_attempt_runs_though_the_answer_to_its_claim_or_take_over_was_lost() {
    let room = Room::new(vec![Command::json("play", play).attempts(1)]);
    let key = sent(&room, r#"[{"sleep": 100}, "answer"]"#).await;
    room.memory.fail("change", Fault::Twice);
    assert!(
        timeout(Duration::from_secs(5), room.work_once())
            .await
            .is_err(),
        "its worker dies"
    );
    assert_eq!(
        room.meter.facts(),
        [
            Fact::Accepted,
            Fact::Started {
                queue_delay: Duration::from_millis(1)
            }
        ]
    );
    sleep(Duration::from_secs(40)).await;
    room.memory.calls();
    // The claim is refused; taking over is made twice.
    let delivery = received(&room, 2);
    room.memory.fail_nth(1, Fault::Twice);
    assert_eq!(handle(&room, &delivery).await, Disposition::Done);
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.attempt),
        (Status::Succeeded, 2),
        "one more, alone"
    );
}
