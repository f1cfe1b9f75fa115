//! Requests to reply queues.

use std::collections::BTreeMap;

use cloakroom_app::ports::{PortError, Reply, ReplyQueues as _};
use cloakroom_app::testing::new_job;
use cloakroom_core::{ReplyQueue, Timestamp};

use super::script::{Answer, Script, failed, ok};
use crate::SqsReplies;

const STANDARD: &str = "http://sqs.example/123456789012/orders";
const FIFO: &str = "http://sqs.example/123456789012/orders.fifo";

fn name(text: &str) -> ReplyQueue {
    text.parse().expect("a name")
}

fn replies(url: &str, answers: impl IntoIterator<Item = Answer>) -> (Script, SqsReplies) {
    let script = Script::new(answers);
    let queues = BTreeMap::from([(name("orders"), url.to_owned())]);
    let replies = SqsReplies::new(&script.clients(), queues, "payloads");
    (script, replies)
}

/// Returns a reply with a body of this length.
pub(super) fn reply(length: usize) -> Reply {
    let mut job = new_job(Timestamp::from_millis(7), 1);
    job.tenant = "shop-1".parse().expect("a tenant");
    Reply {
        id: format!("{}/3", job.id),
        job: job.key(),
        body: "x".repeat(length),
        kind: "cloakroom.job.succeeded".to_owned(),
        correlation_id: "order-1042".to_owned(),
        causation_id: None,
    }
}

/// Length of the names, types and values of the attributes of [`reply`].
const ATTRIBUTES: usize = ("correlationid".len() + "order-1042".len())
    + ("type".len() + "cloakroom.job.succeeded".len())
    + ("id".len() + "00000000-0000-0000-0000-000000000001/3".len())
    + 3 * "String".len();

#[tokio::test]
async fn a_reply_is_a_message_with_the_ids_and_the_type_of_its_event() {
    let (script, replies) = replies(STANDARD, [ok("{}"), ok("{}")]);
    let sent = replies.send_reply(&name("orders"), reply(3)).await;
    assert_eq!(sent, Ok(true));
    let caused = Reply {
        causation_id: Some("j/2".to_owned()),
        ..reply(3)
    };
    let sent = replies.send_reply(&name("orders"), caused).await;
    assert_eq!(sent, Ok(true));
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_reply_to_a_fifo_queue_is_in_the_group_of_its_job_and_deduplicated_by_its_event() {
    let (script, replies) = replies(FIFO, [ok("{}")]);
    let sent = replies.send_reply(&name("orders"), reply(3)).await;
    assert_eq!(sent, Ok(true));
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_reply_that_is_too_large_for_a_message_is_stored_and_referred_to() {
    let (script, replies) = replies(STANDARD, [ok(""), ok("{}")]);
    let large = reply(256 * 1024 - ATTRIBUTES + 1);
    let sent = replies.send_reply(&name("orders"), large).await;
    assert_eq!(sent, Ok(true));
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_reply_of_256_kib_with_its_attributes_is_one_message() {
    let caused = "causationid".len() + "j/2".len() + "String".len();
    let most = 256 * 1024 - ATTRIBUTES;
    for (length, causation_id, requests) in [
        (most, None, 1),
        (most - caused, Some("j/2"), 1),
        (most - caused + 1, Some("j/2"), 2),
    ] {
        let (script, replies) = replies(STANDARD, [ok("{}"), ok("{}")]);
        let reply = Reply {
            causation_id: causation_id.map(str::to_owned),
            ..reply(length)
        };
        let sent = replies.send_reply(&name("orders"), reply).await;
        assert_eq!((sent, script.count()), (Ok(true), requests), "{length}");
    }
}

#[tokio::test]
async fn the_length_of_a_reply_is_in_bytes() {
    let (script, replies) = replies(STANDARD, [ok(""), ok("{}")]);
    let mut large = reply(0);
    large.body = "é".repeat(200 * 1024);
    let sent = replies.send_reply(&name("orders"), large).await;
    assert_eq!((sent, script.count()), (Ok(true), 2), "it is stored");
}

#[tokio::test]
async fn a_queue_that_the_deployment_does_not_have_gets_no_reply() {
    let (script, replies) = replies(STANDARD, []);
    let sent = replies.send_reply(&name("other"), reply(3)).await;
    assert_eq!((sent, script.count()), (Ok(false), 0));
}

#[tokio::test]
async fn a_reply_that_can_not_be_sent_or_stored_is_an_error() {
    let denied = || failed(403, r#"{"__type":"AccessDenied"}"#);
    for length in [3, 256 * 1024] {
        let (script, replies) = replies(STANDARD, [denied()]);
        let sent = replies.send_reply(&name("orders"), reply(length)).await;
        assert!(
            matches!(sent, Err(PortError::Misconfigured { .. })),
            "{sent:?}"
        );
        assert_eq!(script.count(), 1);
    }
}
