//! Messages that are received again, after a fault or late.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_whose_deletion_was_lost_does_not_run_again_when_its_job_is_forgotten() {
    let (room, runs) = room();
    room.memory.produce("{}", producer_message(&room, &ORDER));
    let first = room.memory.receive(Duration::ZERO).expect("a message");
    room.work_until_idle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    for hours in [23, 24, 25, 80] {
        let age = room.host.now().since(first_sent(&first));
        sleep(Duration::from_secs(hours * 3600).saturating_sub(age)).await;
        let again = Delivery {
            receive_count: 2,
            ..first.clone()
        };
        let ends_at = room.host.now().after(Duration::from_secs(900));
        assert_eq!(room.worker.handle(&again, ends_at).await, Disposition::Done);
        room.work_until_idle().await;
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

fn first_sent(delivery: &Delivery) -> Timestamp {
    delivery
        .producer_message
        .as_ref()
        .and_then(|producer_message| producer_message.sent_at)
        .expect("a time")
}

/// Lets each port call fail once, before and after its effect, like a crash. The message then becomes visible again.
#[tokio::test(start_paused = true)]
async fn whichever_call_fails_the_command_is_done_once_or_its_job_fails_as_it_must() {
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(1_000_000));
    for (body, payload, status) in [
        (
            r#"{"text":"abc"}"#,
            PayloadLocation::Body,
            Status::Succeeded,
        ),
        ("a pointer", object("theirs", "1"), Status::Succeeded),
        (r#"{"txet":1}"#, PayloadLocation::Body, Status::Failed),
        ("{}", object("ours", "1"), Status::Accepted),
    ] {
        let mut calls = 0;
        for fault in [Fault::Before, Fault::Denied, Fault::After] {
            for n in 0..100 {
                let (room, runs) = room();
                room.memory
                    .put("theirs/1", "", large.clone().into())
                    .await
                    .expect("memory");
                room.memory.produce(
                    body,
                    ProducerMessage {
                        payload: payload.clone(),
                        ..producer_message(&room, &ORDER)
                    },
                );
                room.memory.fail_nth(n, fault);
                room.work_until_idle().await;
                if !room.memory.has_failed() {
                    break;
                }
                calls += 1;
                room.memory.calm();
                let facts = room.meter.facts();
                let dead = facts
                    .iter()
                    .filter(|fact| matches!(fact, Fact::Dead { .. }));
                assert_eq!(dead.count(), room.memory.dead_letters().len(), "{facts:?}");
                let found = room
                    .jobs
                    .get(&key_of(&room, "order-1"))
                    .await
                    .expect("memory");
                match status {
                    Status::Accepted => assert_eq!(
                        (found, room.memory.dead_letters().len()),
                        (None, 1),
                        "{n} {fault:?}"
                    ),
                    _ => assert_eq!(found.map(|job| job.status), Some(status), "{n} {fault:?}"),
                }
                let ran = usize::from(status == Status::Succeeded);
                assert_eq!(runs.load(Ordering::SeqCst), ran, "{n} {fault:?}");
            }
        }
        assert!(calls >= 2, "{calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_producers_message_comes_back_after_a_fault_later_and_later() {
    for (receive_count, wait) in [(1, 5), (4, 320), (9, 900)] {
        let (room, _) = room();
        room.memory.produce("{}", producer_message(&room, &ORDER));
        let delivery = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        room.memory.fail("accept", Fault::Before);
        let ends_at = room.host.now().after(Duration::from_secs(900));
        let disposition = room
            .worker
            .handle(
                &Delivery {
                    receive_count,
                    ..delivery
                },
                ends_at,
            )
            .await;
        assert_eq!(disposition, Disposition::Keep);
        let hidden = room.memory.messages().1.expect("it stays") - tokio::time::Instant::now();
        assert_eq!(hidden, Duration::from_secs(wait));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_taken_until_shortly_before_its_job_would_be_forgotten() {
    let kept = Duration::from_secs(24 * 3600).saturating_sub(LAST_CALL);
    for (age, taken) in [
        (kept.saturating_sub(Duration::from_millis(1)), true),
        (kept, false),
    ] {
        let (room, _) = room();
        let sent_at = Some(room.host.now().before(age));
        room.memory.produce(
            "{}",
            ProducerMessage {
                sent_at,
                ..producer_message(&room, &ORDER)
            },
        );
        room.work_until_idle().await;
        let found = room
            .jobs
            .get(&key_of(&room, "order-1"))
            .await
            .expect("memory");
        assert_eq!(
            (found.is_some(), room.memory.dead_letters().len()),
            (taken, usize::from(!taken)),
            "{age:?}"
        );
    }
    // Where the queue does not say, it is taken.
    let (room, _) = room();
    room.memory.produce(
        "{}",
        ProducerMessage {
            sent_at: None,
            ..producer_message(&room, &ORDER)
        },
    );
    room.work_until_idle().await;
    assert_eq!(
        room.poll(&key_of(&room, "order-1")).await.status,
        Status::Succeeded
    );
}
