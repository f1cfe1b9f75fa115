use super::*;
use crate::services::Fixture;

const VISIBILITY: Duration = Duration::from_secs(60);

async fn queues(fixture: &Fixture) -> Queues {
    let queues = SqsQueue::create(&fixture.clients, "work", VISIBILITY, 3)
        .await
        .expect("make the queues");
    fixture.calls.take();
    queues
}

async fn one(queue: &SqsQueue) -> Delivery {
    let mut received = queue.receive(10, Duration::ZERO).await.expect("receive");
    assert_eq!(received.len(), 1, "one message");
    received.pop().expect("one message")
}

async fn none(queue: &SqsQueue) {
    assert_eq!(queue.receive(10, Duration::ZERO).await, Ok(vec![]));
}

#[tokio::test]
async fn a_message_is_sent_received_hidden_and_deleted() {
    let fixture = Fixture::start().await;
    let Queues { queue, .. } = queues(&fixture).await;
    let tenant = Tenant::default();
    queue
        .send(&tenant, "{\"n\":1}".into(), Duration::ZERO, None)
        .await
        .expect("send");
    let first = one(&queue).await;
    assert_eq!((first.body.as_str(), first.receive_count), ("{\"n\":1}", 1));
    none(&queue).await;
    queue
        .hide(&first.receipt, Duration::from_millis(4_001))
        .await
        .expect("hide");
    fixture.advance_clock(Duration::from_millis(4_999));
    none(&queue).await;
    fixture.advance_clock(Duration::from_millis(1));
    let second = one(&queue).await;
    assert_eq!(
        (&second.message_id, second.receive_count),
        (&first.message_id, 2)
    );
    queue
        .hide(&second.receipt, Duration::ZERO)
        .await
        .expect("show at once");
    let third = one(&queue).await;
    assert_eq!(third.receive_count, 3);
    queue.delete(&third.receipt).await.expect("delete");
    fixture.advance_clock(VISIBILITY);
    none(&queue).await;
}

#[tokio::test]
async fn a_message_that_is_no_longer_this_receipts_is_no_fault() {
    let fixture = Fixture::start().await;
    let Queues { queue, .. } = queues(&fixture).await;
    queue
        .send(&Tenant::default(), "x".into(), Duration::ZERO, None)
        .await
        .expect("send");
    let delivery = one(&queue).await;
    queue.delete(&delivery.receipt).await.expect("delete");
    for receipt in [delivery.receipt.as_str(), "no receipt at all"] {
        assert_eq!(
            queue.hide(receipt, Duration::from_secs(5)).await,
            Ok(()),
            "{receipt}"
        );
        assert_eq!(queue.delete(receipt).await, Ok(()), "{receipt}");
    }
    queue
        .send(&Tenant::default(), "y".into(), Duration::ZERO, None)
        .await
        .expect("send");
    let late = one(&queue).await;
    fixture.advance_clock(VISIBILITY);
    assert_eq!(
        queue.hide(&late.receipt, Duration::from_secs(5)).await,
        Ok(()),
        "visible again"
    );
}

#[tokio::test]
async fn a_message_can_be_hidden_for_very_long_even_a_while_after_its_receipt() {
    let fixture = Fixture::start().await;
    let Queues { queue, .. } =
        SqsQueue::create(&fixture.clients, "slow", Duration::from_secs(5_400), 3)
            .await
            .expect("make the queues");
    queue
        .send(&Tenant::default(), "x".into(), Duration::ZERO, None)
        .await
        .expect("send");
    let delivery = one(&queue).await;
    fixture.advance_clock(Duration::from_secs(899));
    assert_eq!(queue.hide(&delivery.receipt, Duration::MAX).await, Ok(()));
    fixture.advance_clock(MAX_HIDE.saturating_sub(Duration::from_millis(1)));
    none(&queue).await;
    fixture.advance_clock(Duration::from_millis(1));
    one(&queue).await;
}

#[tokio::test]
async fn what_was_received_too_often_is_among_the_dead_letters() {
    let fixture = Fixture::start().await;
    let Queues {
        queue,
        dead_letters,
    } = queues(&fixture).await;
    assert_eq!(dead_letters.url(), fixture.queue_url("work-dead"));
    queue
        .send(&Tenant::default(), "poison".into(), Duration::ZERO, None)
        .await
        .expect("send");
    for count in 1..=3 {
        assert_eq!(one(&queue).await.receive_count, count);
        fixture.advance_clock(VISIBILITY);
    }
    none(&queue).await;
    assert_eq!(one(&dead_letters).await.body, "poison");
}

#[tokio::test]
async fn queues_are_made_once_and_take_new_settings() {
    let fixture = Fixture::start().await;
    let Queues { queue, .. } = queues(&fixture).await;
    queue
        .send(&Tenant::default(), "x".into(), Duration::ZERO, None)
        .await
        .expect("send");
    let again = SqsQueue::create(&fixture.clients, "work", Duration::from_secs(7), 1)
        .await
        .expect("find the queues");
    assert_eq!(again.queue.url(), queue.url());
    one(&again.queue).await;
    fixture.advance_clock(Duration::from_secs(7));
    none(&again.queue).await;
    one(&again.dead_letters).await;
}

#[tokio::test]
async fn any_tenant_is_a_group_and_a_message_may_be_large() {
    let fixture = Fixture::start().await;
    let Queues { queue, .. } = queues(&fixture).await;
    let visible: String = ('!'..='~').collect();
    for name in [visible, "a".repeat(128), "other/tenant#1".into()] {
        queue
            .send(
                &name.parse().expect("a good name"),
                "x".repeat(1_000_000),
                Duration::ZERO,
                None,
            )
            .await
            .expect("send");
        let delivery = one(&queue).await;
        assert_eq!(delivery.body.len(), 1_000_000);
        queue.delete(&delivery.receipt).await.expect("delete");
    }
}

#[tokio::test]
async fn each_call_of_the_port_is_one_call_to_sqs() {
    let fixture = Fixture::start().await;
    let Queues { queue, .. } = queues(&fixture).await;
    queue
        .send(&Tenant::default(), "x".into(), Duration::ZERO, None)
        .await
        .expect("send");
    let delivery = one(&queue).await;
    queue
        .hide(&delivery.receipt, Duration::from_secs(1))
        .await
        .expect("hide");
    queue.delete(&delivery.receipt).await.expect("delete");
    assert_eq!(
        fixture.calls.take(),
        [
            "SQS.SendMessage",
            "SQS.ReceiveMessage",
            "SQS.ChangeMessageVisibility",
            "SQS.DeleteMessage"
        ]
    );
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_an_operators_to_mend() {
    let fixture = Fixture::start().await;
    let queue = SqsQueue::new(&fixture.clients, fixture.queue_url("no-such-queue"));
    let failed = queue
        .send(&Tenant::default(), "x".into(), Duration::ZERO, None)
        .await;
    assert!(
        matches!(failed, Err(PortError::Misconfigured { service: QUEUE, .. })),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_queue_tells_of_its_backlog_and_how_long_a_message_may_come_back() {
    let fixture = Fixture::start().await;
    let Queues {
        queue,
        dead_letters,
    } = queues(&fixture).await;
    assert_eq!(
        queue.state().await,
        Ok(QueueState {
            backlog: false,
            cycle: VISIBILITY * 3
        })
    );
    let without_dead_letters = dead_letters.state().await.expect("a state");
    assert_eq!(
        without_dead_letters.cycle.as_secs().to_string(),
        DEAD_LETTER_RETENTION_SECONDS,
        "its retention"
    );
    queue
        .send(&Tenant::default(), "x".into(), Duration::ZERO, None)
        .await
        .expect("send");
    assert!(queue.state().await.expect("a state").backlog);
    one(&queue).await;
    assert!(
        !queue.state().await.expect("a state").backlog,
        "a worker has it"
    );
}

#[test]
fn a_redrive_policy_counts_in_numbers_or_texts() {
    for (policy, count) in [
        (r#"{"maxReceiveCount":10}"#, Some(10)),
        (r#"{"maxReceiveCount":"10"}"#, Some(10)),
        ("{}", None),
        ("", None),
    ] {
        assert_eq!(max_receive_count(policy), count, "{policy}");
    }
}

#[tokio::test]
async fn xrays_header_goes_along_beside_the_message() {
    let fixture = Fixture::start().await;
    let Queues { queue, .. } = queues(&fixture).await;
    let xray = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    for sent in [Some(xray), None] {
        queue
            .send(&Tenant::default(), "x".into(), Duration::ZERO, sent)
            .await
            .expect("send");
        let name = MessageSystemAttributeName::AwsTraceHeader;
        let receive = queue.client().receive_message().queue_url(queue.url());
        let received = receive
            .message_system_attribute_names(name.clone())
            .send()
            .await
            .expect("receive");
        let [message] = received.messages() else {
            panic!("one message: {received:?}")
        };
        let header = message
            .attributes()
            .and_then(|attributes| attributes.get(&name));
        assert_eq!(
            (message.body(), header.map(String::as_str)),
            (Some("x"), sent)
        );
    }
}
