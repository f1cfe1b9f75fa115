//! Checks of the credentials and the region.

use aws_sdk_dynamodb::config::ProvideCredentials as _;
use cloakroom_core::redact;

use crate::answer::{End, Stop};
use crate::command::Aws;
use crate::deployment::{self, check_endpoints};
use crate::finding::{Finding, check};
use cloakroom_aws::Clients;

/// Checks that a region and credentials are configured, and returns the target of commands. Whether the credentials are
/// valid is determined by the first call.
pub(crate) async fn ask(clients: &Clients, stack: &str) -> Result<(Aws, Finding), Stop> {
    check_endpoints(clients).map_err(|reason| no_endpoint(&reason))?;
    let sdk = clients.sdk();
    let Some(region) = sdk.region() else {
        return Err(no_region());
    };
    let endpoint = sdk.endpoint_url().map(redact::url);
    let place = endpoint
        .as_ref()
        .map_or_else(|| region.to_string(), |url| format!("{region} at {url}"));
    let aws = Aws {
        region: region.to_string(),
        endpoint,
        stack: stack.to_owned(),
    };
    let given = match sdk.credentials_provider() {
        Some(provider) => provider
            .provide_credentials()
            .await
            .map_err(|error| deployment::no_credentials(&error)),
        None => Err("no source is configured".to_owned()),
    };
    let key = given
        .map_err(|reason| no_credentials(&reason))?
        .access_key_id()
        .to_owned();
    Ok((
        aws,
        check("credentials", "credentials").ok(format!("access key {key}, {place}")),
    ))
}

fn no_endpoint(reason: &str) -> Stop {
    let why =
        "nothing can be checked: AWS_ENDPOINT_URL (unset for AWS itself) selects the services";
    let finding = check("credentials", "endpoint").fail(reason, why);
    Stop(
        Box::new(finding.fixed_by("unset AWS_ENDPOINT_URL")),
        End::Unidentified,
    )
}

fn no_region() -> Stop {
    let finding = check("credentials", "region").fail(
        "no region is set",
        "nothing can be checked: AWS_REGION, or the profile, selects the region of the deployment",
    );
    Stop(
        Box::new(finding.fixed_by("aws configure set region us-east-1")),
        End::Unidentified,
    )
}

fn no_credentials(reason: &str) -> Stop {
    let finding = check("credentials", "credentials").fail(
        format!("none found: {reason}"),
        "nothing can be checked; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile or a role",
    );
    Stop(
        Box::new(finding.fixed_by("eval \"$(aws configure export-credentials --format env)\"")),
        End::Unidentified,
    )
}
