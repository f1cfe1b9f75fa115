//! The record of a job in the table of a deployment.

use cloakroom_app::core::{Job, JobKey, Tenant};
use cloakroom_app::ports::JobStore as _;
use cloakroom_app::{Host as _, SystemHost};
use cloakroom_aws::{Clients, DynamoStore};
use cloakroom_client::redact;
use cloakroom_doctor::deployment;

use crate::exit::{Exit, Failure};

/// Loads the record of a tenant's job from the table of this stack.
pub(super) async fn load(stack: &str, id: &str, tenant: &Tenant) -> Result<Job, Failure> {
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
    let job = DynamoStore::new(&clients, deployment.table)
        .load(&key)
        .await?;
    job.filter(|job| job.is_alive(SystemHost.now()))
        .ok_or_else(|| Failure {
            exit: Exit::Unknown,
            message: format!("job {id} of tenant {tenant} is unknown or has expired"),
        })
}
