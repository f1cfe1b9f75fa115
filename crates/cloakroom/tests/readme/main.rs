//! The README's command, compiled as it is printed there, and run.

#[expect(unreachable_pub, reason = "as it is printed")]
mod order;

use cloakroom::testing::{self, json};
use cloakroom::{Status, service};

#[tokio::test]
async fn the_readmes_command_does_what_the_readme_says() {
    let service = testing::start(service![order::command()]).await;
    let order = json!({ "article": "coat hanger", "amount": 3 });
    let placed = service.submit("order.place", &order).await.expect("valid");
    let placed = service.finish(&placed).await;
    assert_eq!(placed.status, Status::Succeeded);
    assert_eq!(placed.result, Some(json!({ "total": 21 })));

    let order = json!({ "article": "coat", "amount": 3 });
    let failed = service.submit("order.place", &order).await.expect("valid");
    let failed = service.finish(&failed).await;
    let error = failed.error.expect("a failed job has an error");
    assert_eq!((failed.status, error.status), (Status::Failed, 404));
}

#[test]
fn the_command_is_the_one_that_is_printed() {
    let readme = include_str!("../../../../README.md");
    let printed = readme
        .split_once("```rust\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .expect("a command")
        .0;
    assert_eq!(printed, include_str!("order.rs"));
}
