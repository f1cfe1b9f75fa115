//! Conformance of the table of jobs.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use cloakroom_app::testing::conformance;
use cloakroom_app::{Host as _, SystemHost};
use cloakroom_aws::DynamoStore;
use cloakroom_tests::fresh_key;

use crate::place::{Open, Place, cleaned_up};

pub(crate) async fn is_a_table_of_jobs(place: Place) {
    let open = place.open().await;
    let name = fresh_key("cloakroom-conformance");
    make(&open, &name).await;
    let store = DynamoStore::new(&open.clients, &name);
    let test = Box::pin(conformance::job_store(&store, SystemHost.now()));
    cleaned_up(test, Box::pin(remove(&open, &name))).await;
}

/// Creates the table like the template, except for its time to live, which takes a while on AWS.
pub(crate) async fn make(open: &Open, name: &str) {
    let Some(sdk) = &open.sdk else {
        return DynamoStore::new(&open.clients, name)
            .create_table()
            .await
            .expect("make the table");
    };
    let client = Client::new(sdk);
    let attribute = AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(ScalarAttributeType::S)
        .build();
    let key = KeySchemaElement::builder()
        .attribute_name("pk")
        .key_type(KeyType::Hash)
        .build();
    let made = client
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute.expect("name and type are set"))
        .key_schema(key.expect("name and type are set"))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await;
    made.expect("make the table");
    let there = client
        .wait_until_table_exists()
        .table_name(name)
        .wait(Duration::from_secs(60))
        .await;
    there.expect("the table is there in a minute");
}

/// Removes the table.
pub(crate) async fn remove(open: &Open, name: &str) {
    if let Some(sdk) = &open.sdk {
        Client::new(sdk)
            .delete_table()
            .table_name(name)
            .send()
            .await
            .expect("remove the table");
    }
}
