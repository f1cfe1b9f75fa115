//! Table of jobs, on DynamoDB.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ReturnValue,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use cloakroom_app::ports::{Acceptance, Change, JobStore, PartsRecord, PortError};
use cloakroom_core::{Job, JobId, JobKey, Status, Tenant, Timestamp, Transition, UploadId};

use crate::clients::Clients;
use crate::error::{TABLE, port_error};
use crate::expressions::{Expression, Placeholders, Update, expiry_second, update};
use crate::record::{self, Item, job_pk, name, number, text, upload_pk};

/// The port for one table.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl DynamoStore {
    /// Creates the adapter of this table.
    pub fn new(clients: &Clients, table: impl Into<String>) -> Self {
        Self {
            client: clients.dynamodb(),
            table: table.into(),
        }
    }

    /// Creates the table if it is missing. For the dev runner and for tests; a template creates the table of a
    /// deployment.
    pub async fn create_table(&self) -> Result<(), PortError> {
        let attribute = AttributeDefinition::builder()
            .attribute_name(name::PK)
            .attribute_type(ScalarAttributeType::S)
            .build();
        let key = KeySchemaElement::builder()
            .attribute_name(name::PK)
            .key_type(KeyType::Hash)
            .build();
        let made = self
            .client
            .create_table()
            .table_name(&self.table)
            .attribute_definitions(attribute.expect("name and type are set"))
            .key_schema(key.expect("name and type are set"))
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        match made {
            Ok(_) => {}
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateTableError::is_resource_in_use_exception) => {}
            Err(error) => return Err(port_error(TABLE, &error)),
        }
        self.enable_time_to_live().await
    }

    /// Returns the jobs that have not ended. Scans the whole table, for the dev runner, whose table is small. In a
    /// deployment, the table's stream notifies the sweeper.
    pub async fn open_jobs(&self) -> Result<Vec<JobKey>, PortError> {
        let mut placeholders = Placeholders::default();
        let open = Status::ALL
            .into_iter()
            .filter(|status| !status.is_terminal());
        let open = Expression::new(&mut placeholders).status_in(open).finish();
        let which = Expression::new(&mut placeholders)
            .name(name::TENANT)
            .text(", ")
            .name(name::ID)
            .finish();
        let (names, values) = placeholders.into_parts();
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression(open)
            .projection_expression(which)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(Some(values))
            .into_paginator()
            .send();
        let mut jobs = vec![];
        while let Some(page) = pages.next().await {
            let items = page
                .map_err(|error| port_error(TABLE, &error))?
                .items
                .unwrap_or_default();
            jobs.extend(items.iter().filter_map(record::key));
        }
        Ok(jobs)
    }

    /// Returns the jobs with listeners. Scans the whole table, for the dev runner. In a deployment, the table's stream
    /// notifies the publisher.
    pub async fn listened_jobs(&self) -> Result<Vec<Job>, PortError> {
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression(format!("attribute_exists({})", name::NOTIFY))
            .into_paginator()
            .send();
        let mut jobs = vec![];
        while let Some(page) = pages.next().await {
            let items = page
                .map_err(|error| port_error(TABLE, &error))?
                .items
                .unwrap_or_default();
            // A record that can't be read is reported where its job is used.
            jobs.extend(items.iter().filter_map(|item| record::read(item).ok()));
        }
        Ok(jobs)
    }

    /// Applies a transition. `made` derives the new job from the returned item.
    async fn update(
        &self,
        key: &JobKey,
        transition: &Transition,
        shown: ReturnValue,
        made: impl FnOnce(Option<Item>) -> Result<Job, PortError> + Send,
    ) -> Result<Change, PortError> {
        let Update {
            condition,
            changes,
            placeholders,
        } = update(transition);
        let (names, values) = placeholders.into_parts();
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(name::PK, job_pk(key))
            .condition_expression(condition)
            .update_expression(changes)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(Some(values))
            .return_values(shown)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match updated {
            Ok(answer) => made(answer.attributes).map(|job| Change::Made(Box::new(job))),
            Err(error) => {
                let found = refused_item(&error, update_refusal)?;
                found
                    .map(|item| read(key, &item).map(Box::new))
                    .transpose()
                    .map(Change::Refused)
            }
        }
    }

    async fn enable_time_to_live(&self) -> Result<(), PortError> {
        let described = self
            .client
            .describe_time_to_live()
            .table_name(&self.table)
            .send()
            .await;
        let described = described
            .map_err(|error| port_error(TABLE, &error))?
            .time_to_live_description;
        if described.is_some_and(|ttl| ttl.attribute_name.as_deref() == Some(name::EXPIRES_AT)) {
            return Ok(());
        }
        let ttl = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(name::EXPIRES_AT)
            .build();
        let ttl = ttl.expect("both members are set");
        let set = self
            .client
            .update_time_to_live()
            .table_name(&self.table)
            .time_to_live_specification(ttl)
            .send()
            .await;
        set.map(|_| ()).map_err(|error| port_error(TABLE, &error))
    }
}

#[async_trait]
impl JobStore for DynamoStore {
    /// The SDK retries after a lost response, so the condition may fail because of its own first attempt. The found job
    /// is then the one to write. The use case treats it like a replay, and sends the message, which has not been sent
    /// yet.
    async fn accept(&self, job: &Job) -> Result<Acceptance, PortError> {
        let mut placeholders = Placeholders::default();
        let now = expiry_second(job.created_at);
        let free = Expression::new(&mut placeholders)
            .absent_or(name::EXPIRES_AT, " <= ", now)
            .finish();
        let (names, values) = placeholders.into_parts();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(record::write(job)))
            .condition_expression(free)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Acceptance::Created),
            Err(error) => match refused_item(&error, put_refusal)? {
                Some(item) => {
                    read(&job.key(), &item).map(|found| Acceptance::Exists(Box::new(found)))
                }
                None => Err(unexpected(
                    "refused a new job without showing the one that is there",
                )),
            },
        }
    }

    async fn change(&self, key: &JobKey, transition: &Transition) -> Result<Change, PortError> {
        let made = |item: Option<Item>| {
            let item = item.ok_or_else(|| unexpected("changed a job without showing it"))?;
            read(key, &item)
        };
        self.update(key, transition, ReturnValue::AllNew, made)
            .await
    }

    async fn change_unseen(
        &self,
        seen: &Job,
        transition: &Transition,
    ) -> Result<Change, PortError> {
        let made = |_| Ok(transition.patch.apply(seen.clone()));
        self.update(&seen.key(), transition, ReturnValue::None, made)
            .await
    }

    async fn load(&self, key: &JobKey) -> Result<Option<Job>, PortError> {
        let got = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(name::PK, job_pk(key))
            .consistent_read(true)
            .send()
            .await;
        let item = got.map_err(|error| port_error(TABLE, &error))?.item;
        item.map(|item| read(key, &item)).transpose()
    }

    async fn take_upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
        job: JobId,
        until: Timestamp,
    ) -> Result<bool, PortError> {
        let mut placeholders = Placeholders::default();
        let this = text(job.to_string());
        let free = Expression::new(&mut placeholders)
            .absent_or(name::JOB, " = ", this.clone())
            .finish();
        let (names, values) = placeholders.into_parts();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(name::PK, upload_pk(tenant, upload))
            .item(name::V, number(record::VERSION))
            .item(name::JOB, this)
            .item(name::EXPIRES_AT, number(until.as_seconds_ceil()))
            .condition_expression(free)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(Some(values))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error) => refused_item(&error, put_refusal).map(|_| false),
        }
    }

    async fn keep_upload(&self, upload: &PartsRecord) -> Result<(), PortError> {
        let item = record::write_upload(upload);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await;
        put.map(|_| ()).map_err(|error| port_error(TABLE, &error))
    }

    async fn upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
    ) -> Result<Option<PartsRecord>, PortError> {
        let key = record::parts_pk(tenant, upload);
        let got = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(name::PK, key)
            .consistent_read(true)
            .send()
            .await;
        let item = got.map_err(|error| port_error(TABLE, &error))?.item;
        let read = |item: Item| {
            record::read_upload(&item).map_err(|error| {
                tracing::error!(%tenant, %upload, %error, "failed to read the record of an upload");
                PortError::Unreadable {
                    service: TABLE,
                    reason: error.to_string(),
                }
            })
        };
        item.map(read).transpose()
    }
}

/// Parses an item. An error is logged here, where the key is known; the record remains unchanged.
fn read(key: &JobKey, item: &Item) -> Result<Job, PortError> {
    record::read(item).map_err(|error| {
        tracing::error!(job_id = %key.id, tenant = %key.tenant, %error, "failed to read the record of a job");
        PortError::Unreadable { service: TABLE, reason: error.to_string() }
    })
}

fn unexpected(reason: &str) -> PortError {
    PortError::Misconfigured {
        service: TABLE,
        reason: reason.to_owned(),
    }
}

/// Returns the item that failed a condition, if that is why the write was rejected.
pub(crate) fn refused_item<E>(
    error: &SdkError<E, HttpResponse>,
    refusal: impl FnOnce(&E) -> Option<&ConditionalCheckFailedException>,
) -> Result<Option<Item>, PortError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match error.as_service_error().and_then(refusal) {
        Some(refusal) => Ok(refusal.item.clone()),
        None => Err(port_error(TABLE, error)),
    }
}

pub(crate) fn put_refusal(error: &PutItemError) -> Option<&ConditionalCheckFailedException> {
    if let PutItemError::ConditionalCheckFailedException(refusal) = error {
        Some(refusal)
    } else {
        None
    }
}

fn update_refusal(error: &UpdateItemError) -> Option<&ConditionalCheckFailedException> {
    if let UpdateItemError::ConditionalCheckFailedException(refusal) = error {
        Some(refusal)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
