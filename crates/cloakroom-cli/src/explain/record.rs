//! The records of a job in the table of a deployment.

use cloakroom_app::core::view::HistoryView;
use cloakroom_app::core::{JobKey, Tenant};
use cloakroom_app::ports::{DeliveryStore as _, JobStore as _};
use cloakroom_app::{Host as _, SystemHost};
use cloakroom_aws::{Clients, DynamoStore};
use cloakroom_client::{DeliveryView, redact};
use cloakroom_doctor::deployment;

use super::story::Story;
use crate::exit::{Exit, Failure};

/// Loads the records of a tenant's job from the table of this stack.
pub(super) async fn load(stack: &str, id: &str, tenant: &Tenant) -> Result<Story, Failure> {
    let wrong = |_| {
        Failure::usage(format!(
            "failed to read {:?} as a job's id",
            redact::url(id)
        ))
    };
    let id = id.parse().map_err(wrong)?;
    let clients = Clients::load().await;
    let deployment = deployment::find(&clients, stack).await?;
    let key = JobKey {
        tenant: tenant.clone(),
        id,
    };
    read(&DynamoStore::new(&clients, deployment.table), &key).await
}

async fn read(table: &DynamoStore, key: &JobKey) -> Result<Story, Failure> {
    let job = table.load(key).await?;
    let job = job
        .filter(|job| job.is_alive(SystemHost.now()))
        .ok_or_else(|| Failure {
            exit: Exit::Unknown,
            message: format!(
                "job {} of tenant {} is unknown or has expired",
                key.id, key.tenant
            ),
        })?;
    let stored = match &job.events {
        Some(_) => table.load_deliveries(key, job.created_at).await?,
        None => None,
    };
    let deliveries = stored.iter().flat_map(|stored| &stored.log.deliveries);
    Ok(Story {
        history: HistoryView::from_job(&job, ""),
        deliveries: deliveries.map(DeliveryView::from_delivery).collect(),
    })
}

#[cfg(test)]
mod tests {
    use cloakroom_app::core::delivery::AttemptOutcome;
    use cloakroom_app::core::{DeliveryKind, DeliveryLog, Timestamp};

    use super::*;

    #[test]
    fn a_stored_delivery_is_told_like_one_of_the_service() {
        let (mut log, at) = (
            DeliveryLog::default(),
            Timestamp::from_seconds(1_795_248_000),
        );
        let target = "https://hooks.example.com";
        log.add(DeliveryKind::Webhook, target, 3, "", at);
        log.record("3-webhook", &AttemptOutcome::Status(503), at, 0.0);
        let views: Vec<_> = log
            .deliveries
            .iter()
            .map(DeliveryView::from_delivery)
            .collect();
        assert_eq!(
            super::super::delivered::told(&views),
            "delivery 3-webhook to webhook https://hooks.example.com: pending, next attempt at 2026-11-21T08:00:05.000Z\n\
             2026-11-21T08:00:00.000Z  attempt 1: status 503\n"
        );
    }
}
