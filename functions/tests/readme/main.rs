//! The README's command, compiled as it is printed there, and run.

#[expect(unreachable_pub, reason = "as it is printed")]
mod order;

use cloakroom_app::core::{ResultRef, Status};
use cloakroom_app::submit::SubmitError;
use cloakroom_app::testing::Room;

#[tokio::test(start_paused = true)]
async fn the_readmes_command_does_what_the_readme_says() {
    let room = Room::new(vec![order::command()]);
    let good = room
        .send(
            "order.place",
            Some("order-1"),
            r#"{"article":"coat hanger","amount":3}"#,
        )
        .await;
    let bad = room
        .send(
            "order.place",
            Some("order-2"),
            r#"{"article":"coat","amount":3}"#,
        )
        .await;
    let without_a_key = room
        .send(
            "order.place",
            None,
            r#"{"article":"coat hanger","amount":3}"#,
        )
        .await;
    assert_eq!(without_a_key, Err(SubmitError::KeyRequired));
    room.work_until_idle().await;
    let placed = room.poll(&good.expect("accepted").job.key()).await;
    let receipt = ResultRef::Inline {
        content_type: "application/json".into(),
        bytes: br#"{"total":21}"#.to_vec(),
    };
    assert_eq!(
        placed.success.and_then(|success| success.result),
        Some(receipt)
    );
    let refused = room.poll(&bad.expect("accepted").job.key()).await;
    let failure = refused.failure.expect("a failure");
    assert_eq!(
        (refused.status, failure.status, failure.code.as_str()),
        (Status::Failed, 404, "no-such-article")
    );
}

#[test]
fn the_command_is_the_one_that_is_printed() {
    let readme = include_str!("../../../README.md");
    let printed = readme
        .split_once("```rust\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .expect("a command")
        .0;
    assert_eq!(printed, include_str!("order.rs"));
}
