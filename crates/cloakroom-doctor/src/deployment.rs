//! Finds the table, bucket and queue of a deployment in the configuration of its functions. For operators' tools.

use std::collections::HashMap;
use std::error::Error;

use aws_sdk_dynamodb::config::ProvideCredentials as _;
use cloakroom_app::ports::PortError;
use cloakroom_core::redact;

use cloakroom_aws::Clients;
use cloakroom_aws::SubmitConfig;
use cloakroom_aws::error::port_error;

/// Resources of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Name of the table of jobs.
    pub table: String,
    /// Name of the bucket of payloads, results and dead letters.
    pub bucket: String,
    /// URL of the queue of commands.
    pub queue_url: String,
}

/// Finds the deployment whose functions are named `{stack}-submit` and so on. Requires
/// `lambda:GetFunctionConfiguration`.
pub async fn find(clients: &Clients, stack: &str) -> Result<Deployment, PortError> {
    let name = format!("{stack}-submit");
    let variables = variables(clients, &name).await?;
    let config = SubmitConfig::from_env(&|name| variables.get(name).cloned()).map_err(|error| {
        unusable(format!(
            "{name} is misconfigured: {error}; run `cloakroom doctor`"
        ))
    })?;
    Ok(Deployment {
        table: config.table,
        bucket: config.bucket,
        queue_url: config.queue_url,
    })
}

/// Finds the secret with the keys of the deployment. Requires `lambda:GetFunctionConfiguration`.
pub async fn keys_secret(clients: &Clients, stack: &str) -> Result<String, PortError> {
    let name = format!("{stack}-status");
    let mut variables = variables(clients, &name).await?;
    variables.remove("CLOAKROOM_KEYS_SECRET").ok_or_else(|| {
        unusable(format!(
            "the function {name} has no CLOAKROOM_KEYS_SECRET; deploy the current template"
        ))
    })
}

fn unusable(reason: String) -> PortError {
    PortError::Misconfigured {
        service: "the deployment",
        reason,
    }
}

/// Returns the variables of a function.
async fn variables(clients: &Clients, name: &str) -> Result<HashMap<String, String>, PortError> {
    check_identity(clients).await?;
    let got = aws_sdk_lambda::Client::new(clients.sdk())
        .get_function_configuration()
        .function_name(name)
        .send()
        .await;
    let function = got.map_err(|error| match port_error("AWS Lambda", &error) {
        PortError::Misconfigured { reason, .. } => unusable(format!(
            "the function {name}: {reason}; check --stack, AWS_REGION and the credentials"
        )),
        other @ (PortError::Unavailable { .. } | PortError::Unreadable { .. }) => other,
    })?;
    let variables = function.environment.and_then(|it| it.variables);
    Ok(variables.unwrap_or_default())
}

/// Checks that a region and credentials are configured. Otherwise each call would fail with an error text of the SDK.
async fn check_identity(clients: &Clients) -> Result<(), PortError> {
    let unusable = |reason: String| PortError::Misconfigured {
        service: "AWS",
        reason,
    };
    let sdk = clients.sdk();
    check_endpoints(clients).map_err(unusable)?;
    if sdk.region().is_none() {
        return Err(unusable(
            "no region is set; set AWS_REGION, or a region in the profile".to_owned(),
        ));
    }
    let missing = |reason: &str| {
        unusable(format!(
            "there are no credentials: {reason}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ))
    };
    let provider = sdk
        .credentials_provider()
        .ok_or_else(|| missing("no source is configured"))?;
    provider
        .provide_credentials()
        .await
        .map(drop)
        .map_err(|error| missing(&no_credentials(&error)))
}

/// Variables that contain the endpoints of services.
const ENDPOINTS: [&str; 5] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SQS",
];

/// Checks the variables that contain endpoints. The SDK ignores a malformed URL, and would call AWS instead.
pub(crate) fn check_endpoints(clients: &Clients) -> Result<(), String> {
    for name in ENDPOINTS {
        let Some(url) = std::env::var(name).ok().filter(|url| !url.is_empty()) else {
            continue;
        };
        let is_http = ["http://", "https://"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        let is_ignored = name == "AWS_ENDPOINT_URL" && clients.sdk().endpoint_url().is_none();
        if !is_http || is_ignored {
            return Err(format!(
                "{name} is not a valid URL: {:?}; correct it, or unset it",
                redact::url(&url)
            ));
        }
    }
    Ok(())
}

/// Returns the reason for missing credentials in one line, without the sources that are not configured.
pub(crate) fn no_credentials(error: &(dyn Error + 'static)) -> String {
    let mut lines = vec![];
    let mut cause = Some(error);
    while let Some(error) = cause {
        lines.extend(error.to_string().lines().map(|line| {
            line.trim()
                .trim_end_matches(" Attempted:")
                .trim_end_matches('.')
                .to_owned()
        }));
        cause = error.source();
    }
    lines.retain(|line| !line.is_empty() && !line.contains("was not enabled"));
    lines.dedup();
    redact::text(&lines.join("; "))
}
