//! Dead letters, and moving them back.

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use crate::harness::{Running, in_memory};

const JOBS: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";
const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:jobs-dead";

/// Returns a queue with a maximum receive count of two, and its dead-letter queue.
async fn queues(running: &Running) -> (String, String) {
    let dead = running.queue("jobs-dead", &[]).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{DEAD}","maxReceiveCount":"2"}}"#);
    let jobs = running.queue("jobs", &[("RedrivePolicy", &policy)]).await;
    (jobs, dead)
}

async fn receive(running: &Running, queue: &str) -> Vec<aws_sdk_sqs::types::Message> {
    let received = running
        .sqs()
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(10)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .expect("received");
    received.messages.unwrap_or_default()
}

#[tokio::test]
async fn a_message_received_too_often_is_found_among_the_dead_letters() {
    let running = in_memory().await;
    let (jobs, dead) = queues(&running).await;
    let sent = running
        .sqs()
        .send_message()
        .queue_url(&jobs)
        .message_body("x")
        .send()
        .await
        .expect("sent");
    for _ in 0..2 {
        assert_eq!(receive(&running, &jobs).await.len(), 1);
        running.time.pass_s(30);
    }
    assert_eq!(
        receive(&running, &dead).await,
        [],
        "moved by the next receive, not before"
    );
    assert_eq!(receive(&running, &jobs).await, []);
    let letters = receive(&running, &dead).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message_id, sent.message_id);
    let attributes = letters[0].attributes().expect("asked for");
    assert_eq!(
        attributes[&MessageSystemAttributeName::DeadLetterQueueSourceArn],
        JOBS
    );
    assert_eq!(
        attributes[&MessageSystemAttributeName::SentTimestamp],
        "1800000000000"
    );
}

#[tokio::test]
async fn live_messages_are_served_past_dead_ones() {
    let running = in_memory().await;
    let (jobs, dead) = queues(&running).await;
    let send = |body| {
        running
            .sqs()
            .send_message()
            .queue_url(&jobs)
            .message_body(body)
            .send()
    };
    for n in 0..12 {
        send(format!("dead {n}")).await.expect("sent");
    }
    for _ in 0..2 {
        while !receive(&running, &jobs).await.is_empty() {}
        running.time.pass_s(30);
    }
    send("alive".into()).await.expect("sent");
    let received = receive(&running, &jobs).await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].body(), Some("alive"));
    assert_eq!(receive(&running, &dead).await.len(), 10);
    assert_eq!(receive(&running, &dead).await.len(), 2);
}

#[tokio::test]
async fn dead_letters_are_moved_back_as_new_messages() {
    let running = in_memory().await;
    let (jobs, _) = queues(&running).await;
    let sqs = running.sqs();
    let sent = sqs
        .send_message()
        .queue_url(&jobs)
        .message_body("x")
        .send()
        .await
        .expect("sent");
    for _ in 0..2 {
        receive(&running, &jobs).await;
        running.time.pass_s(30);
    }
    assert_eq!(receive(&running, &jobs).await, []);
    let task = sqs
        .start_message_move_task()
        .source_arn(DEAD)
        .send()
        .await
        .expect("the task starts");
    assert!(task.task_handle().is_some());

    let back = receive(&running, &jobs).await;
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].body(), Some("x"));
    assert_ne!(back[0].message_id, sent.message_id);
    let attributes = back[0].attributes().expect("asked for");
    assert_eq!(
        attributes[&MessageSystemAttributeName::ApproximateReceiveCount],
        "1"
    );
    assert_eq!(
        attributes[&MessageSystemAttributeName::SentTimestamp],
        "1800000060000"
    );

    let tasks = sqs
        .list_message_move_tasks()
        .source_arn(DEAD)
        .send()
        .await
        .expect("listed");
    let task = &tasks.results()[0];
    assert_eq!(task.status(), Some("COMPLETED"));
    assert_eq!(task.approximate_number_of_messages_moved(), 1);

    let no_dead_letters = sqs.start_message_move_task().source_arn(JOBS).send().await;
    assert!(no_dead_letters.is_err());
    let nobody = sqs
        .start_message_move_task()
        .source_arn(DEAD.replace("dead", "gone"))
        .send()
        .await;
    let nobody = nobody.expect_err("refused").into_service_error();
    assert!(nobody.is_resource_not_found_exception(), "{nobody:?}");
}

#[tokio::test]
async fn without_its_dead_letter_queue_a_message_is_received_on() {
    let running = in_memory().await;
    let (jobs, dead) = queues(&running).await;
    let sqs = running.sqs();
    sqs.send_message()
        .queue_url(&jobs)
        .message_body("x")
        .send()
        .await
        .expect("sent");
    sqs.delete_queue()
        .queue_url(&dead)
        .send()
        .await
        .expect("deleted");
    for _ in 0..4 {
        assert_eq!(receive(&running, &jobs).await.len(), 1);
        running.time.pass_s(30);
    }
    sqs.set_queue_attributes()
        .queue_url(&jobs)
        .attributes(QueueAttributeName::RedrivePolicy, "")
        .send()
        .await
        .expect("taken away");
    assert_eq!(receive(&running, &jobs).await.len(), 1);
}
