//! Attempts whose worker crashed, or lost its lease.

use cloakroom_core::LeaseToken;

use super::*;
use crate::meter::Fact;

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_is_taken_over_from_when_its_lease_is_over() {
    let room = room();
    let key = sent(&room, r#"[{"sleep": 100}, "answer"]"#).await;
    let died = timeout(Duration::from_secs(45), room.work_once()).await;
    assert!(died.is_err());
    let begun = Instant::now();
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 2));
    assert!(
        begun.elapsed() < Duration::from_secs(31),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_in_every_attempt_fails_the_job_truthfully() {
    let room = room();
    let key = sent(&room, r#"[{"sleep": 100}]"#).await;
    for _ in 0..3 {
        while room
            .memory
            .messages()
            .1
            .is_some_and(|visible| visible > Instant::now())
        {
            sleep(Duration::from_secs(1)).await;
        }
        // It may find the lease alive at first.
        for _ in 0..60 {
            let work = timeout(Duration::from_secs(5), room.work_once());
            if work.await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.attempt, failure(&job).1),
        (Status::Failed, 3, "worker-crashed")
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_lease_is_stopped_and_its_outcome_refused() {
    let room = room();
    let begun = Instant::now();
    let key = sent(&room, r#"[{"listen": 250}, "answer"]"#).await;
    let slow = room
        .memory
        .receive(Duration::from_secs(10))
        .expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(900));
    let paused = Worker {
        settings: WorkerSettings {
            lease: Duration::from_secs(300),
            ..room.worker.settings
        },
        ..room.worker.clone()
    };
    // A worker whose sign of life comes too late, because it believes in a longer lease than the table does.
    let late = async {
        let disposition = paused.handle(&slow, ends_at).await;
        assert_eq!(
            (disposition, begun.elapsed().as_secs()),
            (Disposition::Keep, 100),
            "stopped by its first beat"
        );
    };
    let takes_over = async {
        sleep(Duration::from_secs(1)).await;
        let job = room.poll(&key).await;
        let token = job.lease.as_ref().expect("it runs").token;
        let short = Transition::renew(token, Duration::from_secs(1), None, room.host.now());
        room.worker
            .shared
            .store
            .change(&key, &short)
            .await
            .expect("memory");
        sleep(Duration::from_secs(10)).await;
        room.work_until_idle().await;
        let job = room.poll(&key).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 2));
        job
    };
    let ((), over) = tokio::join!(late, takes_over);
    assert_eq!(room.poll(&key).await, over, "what was recorded stays");
}

#[tokio::test(start_paused = true)]
async fn a_second_message_of_a_job_that_runs_is_done_with_at_once() {
    let room = room();
    let key = sent(&room, r#"[{"listen": 20}]"#).await;
    let body = room.memory.receive(Duration::ZERO).expect("a message").body;
    room.worker
        .queue
        .send(&key.tenant, body, Duration::ZERO, None)
        .await
        .expect("memory");
    let both = async {
        tokio::join!(room.work_once(), async {
            sleep(Duration::from_secs(1)).await;
            assert!(room.work_once().await);
            assert_eq!(room.memory.messages().0, 1);
        })
    };
    Box::pin(both).await;
    room.work_until_idle().await;
    assert_eq!(room.poll(&key).await.attempt, 1);
}

/// The other worker received the same message again.
#[tokio::test(start_paused = true)]
async fn the_end_of_another_attempt_of_the_same_message_is_not_taken_for_ones_own() {
    let room = room();
    sent(&room, r#"["answer"]"#).await;
    let delivery = room.memory.receive(Duration::from_secs(600));
    let delivery = delivery.expect("a message");
    // The first change is the claim.
    room.memory.meanwhile("change", |_| {});
    room.memory.meanwhile("change", |jobs| {
        for job in jobs.values_mut() {
            let other = LeaseToken::from_uuid(uuid::Uuid::from_u128(9));
            job.lease.as_mut().expect("it runs").token = other;
            job.status = Status::Succeeded;
        }
    });
    let ends_at = room.host.now().after(Duration::from_secs(900));
    let disposition = room.worker.handle(&delivery, ends_at).await;
    assert_eq!(disposition, Disposition::Keep);
    let facts = room.meter.facts();
    let ended = |fact: &&Fact| matches!(fact, Fact::Succeeded { .. });
    assert_eq!(facts.iter().filter(ended).count(), 0, "{facts:?}");
}
