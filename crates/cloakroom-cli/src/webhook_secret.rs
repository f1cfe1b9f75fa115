//! `cloakroom webhook-secret`: prints the secret that signs a tenant's webhooks.

use std::path::PathBuf;

use cloakroom_app::core::{DeploymentKeys, Tenant, Timestamp};
use cloakroom_app::{Host as _, SystemHost};

use crate::exit::{Exit, Failure};
use crate::show;
use crate::stack::name;

/// Prints the secret alone on one line, in the form that receivers configure: `whsec_…`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the dev runner's data
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".cloakroom",
        conflicts_with = "stack"
    )]
    data: PathBuf,
    /// Name of the stack of a deployment on AWS
    #[arg(long, value_parser = name)]
    stack: Option<String>,
    /// Tenant whose webhooks the secret signs
    #[arg(long, default_value = "default")]
    tenant: Tenant,
    /// Replace the secret first; webhooks are signed with the old one too for 24 hours
    #[arg(long)]
    rotate: bool,
}

impl Args {
    /// Returns the keys after a requested replacement, and whether they must be stored.
    fn rotated(&self, keys: &DeploymentKeys, now: Timestamp) -> Option<DeploymentKeys> {
        self.rotate
            .then(|| keys.clone().with_rotated_webhooks(&self.tenant, now))
    }
}

pub(crate) async fn run(args: Args) -> Result<Exit, Failure> {
    let now = SystemHost.now();
    let keys = match &args.stack {
        Some(stack) => of_stack(&args, stack, now).await?,
        None => of_folder(&args, now)?,
    };
    let secrets = keys.webhook_secrets(&args.tenant, now);
    let current = secrets.first().expect("there is always a current secret");
    show::line(&current.reveal())?;
    Ok(Exit::Success)
}

#[cfg(feature = "dev")]
fn of_folder(args: &Args, now: Timestamp) -> Result<DeploymentKeys, Failure> {
    let mut store = cloakroom_dev::keys::DevKeys::in_folder(&args.data).map_err(Failure::usage)?;
    let keys = store.read().map_err(Failure::usage)?;
    match args.rotated(&keys, now) {
        None => Ok((*keys).clone()),
        Some(rotated) => {
            store.replace(rotated.clone()).map_err(Failure::usage)?;
            Ok(rotated)
        }
    }
}

#[cfg(not(feature = "dev"))]
fn of_folder(_args: &Args, _now: Timestamp) -> Result<DeploymentKeys, Failure> {
    Err(crate::left_out::dev())
}

#[cfg(feature = "deployments")]
async fn of_stack(args: &Args, stack: &str, now: Timestamp) -> Result<DeploymentKeys, Failure> {
    use cloakroom_app::ports::KeyStore as _;

    let clients = cloakroom_aws::Clients::load().await;
    let secret = cloakroom_doctor::deployment::keys_secret(&clients, stack).await?;
    let store = cloakroom_aws::SecretKeys::new(&clients, secret);
    let keys = store.keys().await?;
    match args.rotated(&keys, now) {
        None => Ok((*keys).clone()),
        Some(rotated) => {
            store.replace(&rotated).await?;
            Ok(rotated)
        }
    }
}

#[cfg(not(feature = "deployments"))]
async fn of_stack(_args: &Args, _stack: &str, _now: Timestamp) -> Result<DeploymentKeys, Failure> {
    Err(crate::left_out::deployments())
}
