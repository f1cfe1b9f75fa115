//! Queues and their attributes.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName as Name;

use crate::harness::in_memory;

#[tokio::test]
async fn an_unknown_queue_is_told_as_such_by_every_action() {
    let running = in_memory().await;
    let (sqs, url) = (running.sqs(), running.services.queue_url("nobody"));
    let handle = "nobody.c0ffee00-0000-4000-8000-000000000000.c0ffee00-0000-4000-8000-000000000000";
    macro_rules! refused {
        ($request:expr) => {
            let error = $request
                .send()
                .await
                .expect_err("refused")
                .into_service_error();
            assert!(error.is_queue_does_not_exist(), "{error:?}");
        };
    }
    refused!(sqs.get_queue_url().queue_name("nobody"));
    refused!(sqs.send_message().queue_url(&url).message_body("x"));
    refused!(sqs.receive_message().queue_url(&url));
    refused!(sqs.receive_message().queue_url(&url).wait_time_seconds(20));
    refused!(sqs.delete_message().queue_url(&url).receipt_handle(handle));
    refused!(
        sqs.delete_message()
            .queue_url(&url)
            .receipt_handle("nonsense")
    );
    refused!(
        sqs.change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle)
            .visibility_timeout(1)
    );
    refused!(
        sqs.get_queue_attributes()
            .queue_url(&url)
            .attribute_names(Name::All)
    );
    refused!(sqs.purge_queue().queue_url(&url));
}

#[tokio::test]
async fn a_queue_is_made_once_and_found_by_name() {
    let running = in_memory().await;
    let sqs = running.sqs();
    let made = running.queue("jobs", &[("VisibilityTimeout", "45")]).await;
    assert_eq!(made, running.services.queue_url("jobs"));
    assert_eq!(
        running.queue("jobs", &[("VisibilityTimeout", "45")]).await,
        made
    );
    assert_eq!(running.queue("jobs", &[]).await, made);
    let other = sqs
        .create_queue()
        .queue_name("jobs")
        .attributes(Name::VisibilityTimeout, "46")
        .send()
        .await
        .expect_err("made otherwise")
        .into_service_error();
    assert!(other.is_queue_name_exists(), "{other:?}");

    running.queue("jobs-dead", &[]).await;
    running.queue("events", &[]).await;
    let listed = sqs
        .list_queues()
        .queue_name_prefix("jobs")
        .send()
        .await
        .expect("listed");
    assert_eq!(
        listed.queue_urls(),
        [made.clone(), running.services.queue_url("jobs-dead")]
    );
    let found = sqs
        .get_queue_url()
        .queue_name("jobs")
        .send()
        .await
        .expect("found");
    assert_eq!(found.queue_url(), Some(made.as_str()));

    sqs.delete_queue()
        .queue_url(&made)
        .send()
        .await
        .expect("deleted");
    let gone = sqs
        .get_queue_url()
        .queue_name("jobs")
        .send()
        .await
        .expect_err("gone");
    assert!(gone.into_service_error().is_queue_does_not_exist());
}

#[tokio::test]
async fn what_a_queue_cannot_be_is_said() {
    let running = in_memory().await;
    let sqs = running.sqs();
    let fifo = sqs
        .create_queue()
        .queue_name("jobs.fifo")
        .send()
        .await
        .expect_err("no");
    let fifo = fifo.into_service_error();
    assert!(fifo.is_unsupported_operation(), "{fifo:?}");
    assert!(
        fifo.message()
            .is_some_and(|m| m.contains("standard queues only"))
    );
    let name = sqs
        .create_queue()
        .queue_name("a b")
        .send()
        .await
        .expect_err("no");
    assert_eq!(
        name.into_service_error().code(),
        Some("InvalidParameterValue")
    );
    let set = |name, value: &str| {
        let request = sqs
            .create_queue()
            .queue_name("jobs")
            .attributes(name, value);
        async move {
            request
                .send()
                .await
                .expect_err("refused")
                .into_service_error()
        }
    };
    assert!(
        set(Name::VisibilityTimeout, "43201")
            .await
            .is_invalid_attribute_value()
    );
    assert!(
        set(Name::MessageRetentionPeriod, "59")
            .await
            .is_invalid_attribute_value()
    );
    assert!(
        set(Name::from("Colour"), "red")
            .await
            .is_invalid_attribute_name()
    );
    let nowhere = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:nobody","maxReceiveCount":3}"#;
    assert_eq!(
        set(Name::RedrivePolicy, nowhere).await.code(),
        Some("InvalidParameterValue")
    );
}

#[tokio::test]
async fn attributes_are_set_read_and_counted() {
    let running = in_memory().await;
    let (sqs, queue) = (
        running.sqs(),
        running.queue("jobs", &[("DelaySeconds", "0")]).await,
    );
    running.time.pass_s(7);
    sqs.set_queue_attributes()
        .queue_url(&queue)
        .attributes(Name::VisibilityTimeout, "90")
        .send()
        .await
        .expect("set");
    let send = || sqs.send_message().queue_url(&queue).message_body("x");
    for _ in 0..3 {
        send().send().await.expect("sent");
    }
    send().delay_seconds(60).send().await.expect("sent");
    sqs.receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");

    let all = sqs
        .get_queue_attributes()
        .queue_url(&queue)
        .attribute_names(Name::All)
        .send()
        .await
        .expect("read");
    let all = all.attributes().expect("some");
    for (name, value) in [
        (Name::QueueArn, "arn:aws:sqs:us-east-1:000000000000:jobs"),
        (Name::VisibilityTimeout, "90"),
        (Name::DelaySeconds, "0"),
        (Name::MessageRetentionPeriod, "345600"),
        (Name::MaximumMessageSize, "1048576"),
        (Name::ReceiveMessageWaitTimeSeconds, "0"),
        (Name::CreatedTimestamp, "1800000000"),
        (Name::LastModifiedTimestamp, "1800000007"),
        (Name::ApproximateNumberOfMessages, "2"),
        (Name::ApproximateNumberOfMessagesNotVisible, "1"),
        (Name::ApproximateNumberOfMessagesDelayed, "1"),
    ] {
        assert_eq!(all.get(&name).map(String::as_str), Some(value), "{name}");
    }

    let one = sqs
        .get_queue_attributes()
        .queue_url(&queue)
        .attribute_names(Name::QueueArn)
        .send()
        .await
        .expect("read");
    assert_eq!(
        one.attributes().map(std::collections::HashMap::len),
        Some(1)
    );

    sqs.purge_queue()
        .queue_url(&queue)
        .send()
        .await
        .expect("purged");
    running.time.pass_s(100);
    let left = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    assert_eq!(left.messages(), []);
}
