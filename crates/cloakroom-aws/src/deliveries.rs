//! Records of deliveries, in the table of jobs.

use async_trait::async_trait;
use cloakroom_app::ports::{DeliveryStore, PortError, StoredDeliveries};
use cloakroom_core::{DeliveryLog, JobKey, Timestamp};

use crate::error::{TABLE, port_error};
use crate::expressions::{Expression, Placeholders};
use crate::record::{deliveries_pk, millis, name, number, read_deliveries, write_deliveries};
use crate::table::{DynamoStore, put_refusal, refused_item};

#[async_trait]
impl DeliveryStore for DynamoStore {
    async fn load_deliveries(
        &self,
        job: &JobKey,
        created_at: Timestamp,
    ) -> Result<Option<StoredDeliveries>, PortError> {
        let got = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(name::PK, deliveries_pk(job))
            .consistent_read(true)
            .send()
            .await;
        let item = got.map_err(|error| port_error(TABLE, &error))?.item;
        let Some(item) = item else {
            return Ok(None);
        };
        read_deliveries(&item, created_at).map_err(|error| {
            tracing::error!(job_id = %job.id, tenant = %job.tenant, %error, "failed to read the deliveries of a job");
            PortError::Unreadable {
                service: TABLE,
                reason: error.to_string(),
            }
        })
    }

    async fn save_deliveries(
        &self,
        job: &JobKey,
        created_at: Timestamp,
        log: &DeliveryLog,
        seen: Option<u64>,
        expires_at: Timestamp,
    ) -> Result<bool, PortError> {
        let mut placeholders = Placeholders::default();
        let mut condition = Expression::new(&mut placeholders);
        let incarnation = millis(created_at);
        match seen {
            None => condition.absent_or(name::CREATED_AT, " <> ", incarnation),
            Some(revision) => condition
                .name(name::CREATED_AT)
                .text(" = ")
                .value(incarnation)
                .text(" AND ")
                .name(name::REVISION)
                .text(" = ")
                .value(number(revision)),
        };
        let condition = condition.finish();
        let (names, values) = placeholders.into_parts();
        let stored = StoredDeliveries {
            log: log.clone(),
            revision: seen.unwrap_or(0) + 1,
            expires_at,
        };
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write_deliveries(job, created_at, &stored)))
            .condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(Some(values))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error) => refused_item(&error, put_refusal).map(|_| false),
        }
    }
}
