//! What a deployment consists of, as its own functions are told: for operators' tools.

use aws_smithy_types::error::display::DisplayErrorContext;
use cloakroom_app::ports::PortError;

use crate::clients::Clients;
use crate::config::SubmitConfig;

/// The services of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The table of jobs.
    pub table: String,
    /// The bucket of payloads, results and dead letters.
    pub bucket: String,
    /// The queue of commands.
    pub queue_url: String,
}

/// The deployment whose functions are `{stack}-submit` and so on. Needs `lambda:GetFunctionConfiguration`.
pub async fn find(clients: &Clients, stack: &str) -> Result<Deployment, PortError> {
    let unusable = |reason: String| PortError::Misconfigured { service: "the deployment", reason };
    let name = format!("{stack}-submit");
    let got = clients.lambda().get_function_configuration().function_name(&name).send().await;
    let function = got.map_err(|error| {
        unusable(format!("the function {name} can't be asked for its variables: {}", DisplayErrorContext(&error)))
    })?;
    let variables = function.environment.and_then(|it| it.variables).unwrap_or_default();
    let config = SubmitConfig::from_env(&|name| variables.get(name).cloned())
        .map_err(|error| unusable(format!("{name} is not set up: {error}; run `cloakroom doctor`")))?;
    Ok(Deployment { table: config.table, bucket: config.bucket, queue_url: config.queue_url })
}
