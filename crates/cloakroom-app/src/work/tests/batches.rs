//! Batches whose messages are handled concurrently.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_batch_is_worked_side_by_side_and_each_message_on_its_own() {
    let room = room();
    for acts in [
        r#"[{"sleep": 10}]"#,
        r#"["terminal"]"#,
        r#"["retryable"]"#,
        r#"["panic"]"#,
        r#"[{"sleep": 10}]"#,
    ] {
        sent(&room, acts).await;
    }
    let batch: Vec<_> =
        std::iter::from_fn(|| room.memory.receive(Duration::from_secs(60))).collect();
    let begun = Instant::now();
    let dispositions = room
        .worker
        .handle_batch(&batch, room.host.now().after(Duration::from_secs(900)))
        .await;
    let done: Vec<_> = dispositions
        .iter()
        .map(|disposition| *disposition == Disposition::Done)
        .collect();
    assert_eq!(done, [true, true, false, false, true]);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_panics_keeps_its_message_and_leaves_the_others_of_its_batch_alone() {
    let mut panics = 0;
    for n in 0..100 {
        let mut room = room();
        room.submit.inline_limit = 0;
        let keys = [
            sent(&room, r#"["answer-large"]"#).await,
            sent(&room, r#"["answer-large"]"#).await,
        ];
        let batch: Vec<_> =
            std::iter::from_fn(|| room.memory.receive(Duration::from_secs(60))).collect();
        room.memory.fail_nth(n, Fault::Panic);
        let ends_at = room.host.now().after(Duration::from_secs(900));
        let dispositions = timeout(
            Duration::from_secs(900),
            room.worker.handle_batch(&batch, ends_at),
        )
        .await;
        let dispositions = dispositions.expect("within its function");
        if !room.memory.has_failed() {
            assert_eq!(dispositions, [Disposition::Done; 2]);
            break;
        }
        panics += 1;
        room.memory.calm();
        let [kept, done] = match dispositions[..] {
            [Disposition::Keep, Disposition::Done] => [0, 1],
            [Disposition::Done, Disposition::Keep] => [1, 0],
            _ => panic!("call {n}: {dispositions:?}"),
        };
        assert_eq!(
            room.poll(&keys[done]).await.status,
            Status::Succeeded,
            "call {n}"
        );
        room.memory.delete(&batch[done]);
        room.work_until_idle().await;
        assert_eq!(
            room.poll(&keys[kept]).await.status,
            Status::Succeeded,
            "call {n}"
        );
    }
    assert_eq!(
        panics,
        2 * ["change", "open", "read", "put", "change", "delete"].len()
    );
}
