//! Operations of DynamoDB that Cloakroom needs.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ReturnValue,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TimeToLiveSpecification,
};

use crate::harness::{Running, in_memory};

pub(crate) async fn table(running: &Running) {
    running
        .dynamodb()
        .create_table()
        .table_name("jobs")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("id")
                .attribute_type(ScalarAttributeType::S)
                .build()
                .expect("complete"),
        )
        .key_schema(
            KeySchemaElement::builder()
                .attribute_name("id")
                .key_type(KeyType::Hash)
                .build()
                .expect("complete"),
        )
        .send()
        .await
        .expect("the table is made");
}

/// Writes a job that must not exist yet.
pub(crate) async fn put(
    running: &Running,
    id: &str,
) -> Result<PutItemOutput, SdkError<PutItemError>> {
    running
        .dynamodb()
        .put_item()
        .table_name("jobs")
        .item("id", AttributeValue::S(id.into()))
        .item("version", AttributeValue::N("1".into()))
        .item("retention", AttributeValue::N("100".into()))
        .item("x", AttributeValue::S("goes".into()))
        .condition_expression("attribute_not_exists(id)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
}

#[tokio::test]
async fn a_refused_put_gives_the_item_that_was_there() {
    let running = in_memory().await;
    table(&running).await;
    put(&running, "a").await.expect("new");
    let refused = put(&running, "a")
        .await
        .expect_err("taken")
        .into_service_error();
    let PutItemError::ConditionalCheckFailedException(refused) = refused else {
        panic!("{refused:?}");
    };
    let item = refused.item().expect("the item");
    assert_eq!(item["version"], AttributeValue::N("1".into()));
}

#[tokio::test]
async fn an_update_computes_from_what_is_there() {
    let running = in_memory().await;
    table(&running).await;
    put(&running, "a").await.expect("new");
    let update = |now: &str| {
        running
            .dynamodb()
            .update_item()
            .table_name("jobs")
            .key("id", AttributeValue::S("a".into()))
            .update_expression(
                "SET expires_at = :now + retention, version = version + :one, \
                 started_at = if_not_exists(started_at, :now) REMOVE x",
            )
            .condition_expression("attribute_exists(id)")
            .expression_attribute_values(":now", AttributeValue::N(now.into()))
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };
    update("1000").await.expect("updated");
    let updated = update("2000").await.expect("updated");
    let item = updated.attributes().expect("all new");
    let number = |name: &str| item[name].as_n().expect("a number").as_str();
    assert_eq!(number("expires_at"), "2100");
    assert_eq!(number("version"), "3");
    assert_eq!(number("started_at"), "1000");
    assert!(!item.contains_key("x"));
}

#[tokio::test]
async fn the_sweep_deletes_what_is_over() {
    let running = in_memory().await;
    table(&running).await;
    let dynamodb = running.dynamodb();
    dynamodb
        .update_time_to_live()
        .table_name("jobs")
        .time_to_live_specification(
            TimeToLiveSpecification::builder()
                .attribute_name("expires_at")
                .enabled(true)
                .build()
                .expect("complete"),
        )
        .send()
        .await
        .expect("set");
    for (id, expires_at) in [("over", "1000"), ("later", "99999999999")] {
        dynamodb
            .put_item()
            .table_name("jobs")
            .item("id", AttributeValue::S(id.into()))
            .item("expires_at", AttributeValue::N(expires_at.into()))
            .send()
            .await
            .expect("put");
    }
    assert_eq!(running.services.sweep_expired().await, 1);
    assert_eq!(running.services.sweep_expired().await, 0);
    let left = dynamodb
        .scan()
        .table_name("jobs")
        .send()
        .await
        .expect("scanned");
    assert_eq!(left.items()[0]["id"], AttributeValue::S("later".into()));
}
