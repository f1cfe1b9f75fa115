//! Batches: single entries fail, or the whole batch.

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    SendMessageBatchRequestEntry,
};

use crate::harness::in_memory;

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(body)
        .build()
        .expect("complete")
}

#[tokio::test]
async fn good_entries_are_sent_while_bad_ones_fail() {
    let running = in_memory().await;
    let (sqs, queue) = (
        running.sqs(),
        running
            .queue("jobs", &[("MaximumMessageSize", "1024")])
            .await,
    );
    let answer = sqs
        .send_message_batch()
        .queue_url(&queue)
        .entries(entry("good", "hello"))
        .entries(entry("illegal", "a\0b"))
        .entries(entry("large", &"x".repeat(1025)))
        .send()
        .await
        .expect("answered");
    let sent = answer.successful();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].id(), "good");
    assert_eq!(
        sent[0].md5_of_message_body(),
        "5d41402abc4b2a76b9719d911017c592"
    );
    let failed: Vec<_> = answer
        .failed()
        .iter()
        .map(|entry| (entry.id(), entry.code(), entry.sender_fault()))
        .collect();
    assert_eq!(
        failed,
        [
            ("illegal", "InvalidMessageContents", true),
            ("large", "InvalidParameterValue", true)
        ]
    );
    let received = sqs
        .receive_message()
        .queue_url(&queue)
        .max_number_of_messages(10)
        .send()
        .await
        .expect("received");
    assert_eq!(received.messages().len(), 1);
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole_when_it_is_none() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    let send = |entries| {
        let request = sqs
            .send_message_batch()
            .queue_url(&queue)
            .set_entries(Some(entries));
        async move {
            request
                .send()
                .await
                .expect_err("refused")
                .into_service_error()
        }
    };
    assert!(send(vec![]).await.is_empty_batch_request());
    let eleven = (0..11).map(|n| entry(&n.to_string(), "x")).collect();
    assert!(send(eleven).await.is_too_many_entries_in_batch_request());
    let twice = vec![entry("a", "x"), entry("a", "y")];
    assert!(send(twice).await.is_batch_entry_ids_not_distinct());
    assert!(
        send(vec![entry("a b", "x")])
            .await
            .is_invalid_batch_entry_id()
    );
    let half = "x".repeat(1 << 19);
    let long = vec![entry("a", &half), entry("b", &half), entry("c", "x")];
    assert!(send(long).await.is_batch_request_too_long());
}

#[tokio::test]
async fn receipts_are_used_in_batches() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    sqs.send_message_batch()
        .queue_url(&queue)
        .entries(entry("a", "x"))
        .entries(entry("b", "y"))
        .send()
        .await
        .expect("sent");
    let receive = || {
        sqs.receive_message()
            .queue_url(&queue)
            .max_number_of_messages(10)
            .send()
    };
    let received = receive().await.expect("received");
    let handle = |n: usize| received.messages()[n].receipt_handle().expect("a handle");
    let change = |id: &str, handle: &str| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .visibility_timeout(0)
            .build()
            .expect("complete")
    };
    let changed = sqs
        .change_message_visibility_batch()
        .queue_url(&queue)
        .entries(change("first", handle(0)))
        .entries(change("none", "nonsense"))
        .send()
        .await
        .expect("answered");
    assert_eq!(changed.successful().len(), 1);
    assert_eq!(changed.failed()[0].code(), "ReceiptHandleIsInvalid");
    let again = receive().await.expect("received");
    assert_eq!(again.messages().len(), 1);

    let delete = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .build()
            .expect("complete")
    };
    let deleted = sqs
        .delete_message_batch()
        .queue_url(&queue)
        .entries(delete(
            "first",
            again.messages()[0].receipt_handle().expect("a handle"),
        ))
        .entries(delete("second", handle(1)))
        .entries(delete("none", "nonsense"))
        .send()
        .await
        .expect("answered");
    assert_eq!(deleted.successful().len(), 2);
    assert_eq!(deleted.failed()[0].id(), "none");
    running.time.pass_s(60);
    assert_eq!(receive().await.expect("received").messages(), []);
}
