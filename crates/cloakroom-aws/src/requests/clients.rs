//! Timeouts of calls, and the number of their attempts.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::ports::{JobStore as _, Objects as _, PartUploads as _, PortError, Queue as _};
use cloakroom_app::testing::new_job;
use tokio::time::{Instant, timeout};

use super::script::{Script, failed, ok};
use crate::{DynamoStore, S3Objects, SqsQueue};

const URL: &str = "http://sqs.example/123456789012/work";

/// Returns the duration and the number of attempts of a call without a response.
async fn unanswered<T: std::fmt::Debug>(
    script: &Script,
    call: impl Future<Output = Result<T, PortError>>,
) -> (Duration, usize) {
    let begun = Instant::now();
    let failed = timeout(Duration::from_secs(600), call)
        .await
        .expect("it ends");
    assert!(
        matches!(failed, Err(PortError::Unavailable { .. })),
        "{failed:?}"
    );
    (begun.elapsed(), script.count())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_answers_ends_after_9_seconds_and_3_tries() {
    let script = Script::default();
    let queue = SqsQueue::new(&script.clients(), URL);
    let (took, tries) = unanswered(&script, queue.hide("r", Duration::ZERO)).await;
    assert_eq!((took.as_secs(), tries), (9, 3), "{took:?}");
    let script = Script::default();
    let store = DynamoStore::new(&script.clients(), "jobs");
    let key = new_job(cloakroom_core::Timestamp::from_millis(7), 1).key();
    let (took, tries) = unanswered(&script, store.load(&key)).await;
    assert_eq!((took.as_secs(), tries), (9, 3), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_try_that_nobody_answers_ends_after_3_seconds() {
    let script = Script::default();
    let queue = SqsQueue::new(&script.clients(), URL);
    let call = tokio::spawn(async move { queue.hide("r", Duration::ZERO).await });
    for (millis, tries) in [(2_999, 1), (1_100, 2)] {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        assert_eq!(script.count(), tries, "the second follows within a second");
    }
    call.abort();
}

#[tokio::test(start_paused = true)]
async fn bytes_have_25_seconds() {
    let script = Script::default();
    let objects = S3Objects::new(&script.clients(), "payloads");
    let (took, tries) = unanswered(
        &script,
        objects.put("a", "text/plain", Bytes::from_static(b"x")),
    )
    .await;
    assert_eq!((took, tries), (Duration::from_secs(25), 1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_messages_is_no_part_of_the_time_that_a_try_has() {
    let script = Script::default();
    let queue = SqsQueue::new(&script.clients(), URL);
    let receive = queue.receive(1, Duration::from_secs(20));
    let (took, tries) = unanswered(&script, async { receive.await.map(|_| ()) }).await;
    assert_eq!(
        (took, tries),
        (Duration::from_secs(29), 2),
        "23 s, and what is left of 29 s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_is_tried_three_times_where_it_may_be_answered_another_time() {
    let away = || failed(503, r#"{"__type":"ServiceUnavailable"}"#);
    let script = Script::new([away(), away(), away()]);
    let hidden = SqsQueue::new(&script.clients(), URL)
        .hide("r", Duration::ZERO)
        .await;
    assert!(
        matches!(hidden, Err(PortError::Unavailable { .. })),
        "{hidden:?}"
    );
    assert_eq!(script.count(), 3);
    let script = Script::new([away(), away(), ok("{}")]);
    assert_eq!(
        SqsQueue::new(&script.clients(), URL)
            .hide("r", Duration::ZERO)
            .await,
        Ok(())
    );
}

#[tokio::test(start_paused = true)]
async fn no_call_takes_silence_for_an_answer() {
    let script = Script::default();
    let (clients, job) = (
        script.clients(),
        new_job(cloakroom_core::Timestamp::from_millis(7), 1),
    );
    let store = DynamoStore::new(&clients, "jobs");
    unanswered(&script, store.create_table()).await;
    unanswered(&script, store.accept(&job)).await;
    unanswered(&script, store.open_jobs()).await;
    let objects = S3Objects::new(&clients, "payloads");
    unanswered(&script, objects.create_bucket()).await;
    unanswered(&script, objects.info("a")).await;
    unanswered(&script, async { objects.open("a").await.map(|_| ()) }).await;
    unanswered(&script, objects.parts("a", "u-1", 1..=9)).await;
    unanswered(&script, objects.join_parts("a", "u-1", &[])).await;
    unanswered(&script, SqsQueue::new(&clients, URL).delete("r")).await;
    unanswered(&script, SqsQueue::new(&clients, URL).state()).await;
}

#[tokio::test]
async fn a_connection_has_2_seconds_to_come_about() {
    let script = Script::new([ok("{}"), ok("{}"), ok("")]);
    let clients = script.clients();
    SqsQueue::new(&clients, URL)
        .hide("r", Duration::ZERO)
        .await
        .expect("hidden");
    let key = new_job(cloakroom_core::Timestamp::from_millis(7), 1).key();
    assert_eq!(
        DynamoStore::new(&clients, "jobs").load(&key).await,
        Ok(None)
    );
    S3Objects::new(&clients, "payloads")
        .delete("a")
        .await
        .expect("deleted");
    let timeouts = script.connect_timeouts();
    assert!(
        timeouts.len() >= 3
            && timeouts
                .iter()
                .all(|time| *time == Some(Duration::from_secs(2))),
        "{timeouts:?}"
    );
}
