//! Recording an attempt's end while the table is unavailable.

use super::*;

/// Runs a job of 5 s while the table is unavailable from the first second. Returns the disposition and the duration.
async fn worked_through(
    room: &Room,
    trouble: impl FnOnce(),
    lasts: Duration,
) -> (Disposition, Duration) {
    let delivery = received(room, 1);
    let (begun, ends_at) = (
        Instant::now(),
        room.host.now().after(Duration::from_secs(60)),
    );
    let outage = async {
        sleep(Duration::from_secs(1)).await;
        trouble();
        sleep(lasts).await;
        room.memory.calm();
    };
    let work = async {
        let disposition = room.worker.handle(&delivery, ends_at).await;
        (disposition, begun.elapsed())
    };
    let (worked, ()) = tokio::join!(work, outage);
    if worked.0 == Disposition::Done {
        room.memory.delete(&delivery);
    }
    worked
}

#[tokio::test(start_paused = true)]
async fn while_the_table_is_away_an_end_is_written_again_with_longer_and_longer_waits() {
    let room = room();
    let key = sent(&room, r#"[{"listen": 5}]"#).await;
    let worked = worked_through(
        &room,
        || room.memory.down(&["change"]),
        Duration::from_secs(40),
    )
    .await;
    // At 5 s and 0.2, 0.6, 1.4, 3, 6.2, 12.6, 22.6, 32.6 and 42.6 s later; before the long waits the message is hidden for longer.
    assert_eq!(worked, (Disposition::Done, Duration::from_millis(47_600)));
    let hidden = ["change", "hide"];
    let calls = [
        &["change"; 5][..],
        &hidden,
        &hidden,
        &hidden,
        &hidden,
        &hidden,
        &["change"],
    ]
    .concat();
    assert_eq!(room.memory.calls(), calls);
    let job = room.poll(&key).await;
    // The submission took a millisecond.
    let written_at = job.created_at.after(Duration::from_millis(47_601));
    assert_eq!(
        (job.status, job.finished_at, job.updated_at),
        (Status::Succeeded, Some(written_at), written_at)
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_stays_hidden_until_after_the_next_try_to_write_an_end() {
    let room = room();
    sent(&room, r#"[{"listen": 5}]"#).await;
    let looks = async {
        sleep(Duration::from_secs(9)).await;
        // The next try is at 11.2 s, and the lease is 30 s.
        assert_eq!(hidden(&room), Duration::from_secs(34 - 1));
    };
    let worked = worked_through(
        &room,
        || room.memory.down(&["change"]),
        Duration::from_secs(40),
    );
    tokio::join!(worked, looks);
}

#[tokio::test(start_paused = true)]
async fn a_retry_whose_answer_was_lost_comes_after_its_own_delay() {
    let room = room();
    let key = sent(&room, r#"[{"retryable-after": 20}, "answer"]"#).await;
    let delivery = received(&room, 1);
    // The first change is the claim.
    room.memory.fail_nth(1, Fault::After);
    handle(&room, &delivery).await;
    assert_eq!(room.poll(&key).await.status, Status::Retrying);
    let wait = hidden(&room);
    assert!((18..=20).contains(&wait.as_secs()), "{wait:?}");
    let facts = room.meter.facts();
    let retried = |fact: &&Fact| matches!(fact, Fact::Retried { .. });
    assert_eq!(facts.iter().filter(retried).count(), 1, "{facts:?}");
}

#[tokio::test(start_paused = true)]
async fn just_before_its_functions_end_a_worker_leaves_the_end_to_a_message_that_tells_of_it() {
    for (down, given_up) in [(true, 57_600), (false, 58_500)] {
        let room = room();
        let key = sent(&room, r#"[{"listen": 5}, "answer"]"#).await;
        let trouble = || {
            if down {
                room.memory.down(&["change"]);
            } else {
                room.memory.slow("change", Duration::from_secs(1000));
            }
        };
        let worked = worked_through(&room, trouble, Duration::from_secs(70)).await;
        assert_eq!(worked, (Disposition::Done, Duration::from_millis(given_up)));
        let again = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        let lease = room.poll(&key).await.lease.map(|lease| lease.token);
        assert_eq!(
            Envelope::read(&again.body).expect("ours").unrecorded(),
            lease
        );
        assert!(lease.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_can_not_be_sent_again_is_hidden_at_least_until_its_job_is_due() {
    let room = Room::new(vec![
        Command::json("play", play).backoff(Duration::from_secs(8), Duration::from_secs(1800)),
    ]);
    sent(&room, r#"[{"retryable-after": 1500}]"#).await;
    let delivery = received(&room, 4);
    room.memory.down(&["send"]);
    assert_eq!(handle(&room, &delivery).await, Disposition::Keep);
    assert_eq!(hidden(&room), Duration::from_secs(1500));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_just_before_its_function_is_written_all_the_same() {
    let mut room = room();
    room.worker.settings.grace = Duration::from_millis(3_500);
    let key = sent(&room, r#"[{"sleep": 100}]"#).await;
    let delivery = received(&room, 1);
    let slow = async {
        sleep(Duration::from_secs(1)).await;
        room.memory.slow("change", Duration::from_millis(300));
    };
    let ends_at = room.host.now().after(Duration::from_secs(30));
    let begun = Instant::now();
    let (disposition, ()) = tokio::join!(room.worker.handle(&delivery, ends_at), slow);
    assert_eq!(begun.elapsed(), Duration::from_millis(29_800));
    assert_eq!(
        (disposition, room.poll(&key).await.status),
        (Disposition::Keep, Status::Retrying)
    );
}
