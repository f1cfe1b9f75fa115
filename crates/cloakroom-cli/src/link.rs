//! `cloakroom link`.

use std::time::Duration;

use clap::ValueEnum;
use cloakroom_client::Scope;

use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id or URL of the job
    #[arg(value_name = "ID")]
    job: String,
    /// Permissions of the link, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "read")]
    scope: Vec<Permission>,
    /// Time until the link expires
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(60..=86_400))]
    ttl: Option<u64>,
}

/// Permission of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Permission {
    Read,
    Cancel,
    Signal,
}

impl From<Permission> for Scope {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::Read => Self::Read,
            Permission::Cancel => Self::Cancel,
            Permission::Signal => Self::Signal,
        }
    }
}

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let screen = Screen::new();
    let client = service.client_of(&args.job, &screen)?;
    let scopes: Vec<Scope> = args.scope.into_iter().map(Scope::from).collect();
    let ttl = args.ttl.map(Duration::from_secs);
    let link = client.links(&args.job, &scopes, ttl).await?;
    screen.note(&format!("the link expires at {}", link.expires_at));
    show::line(&link.url)?;
    Ok(Exit::Success)
}
