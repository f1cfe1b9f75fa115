use cloakroom_aws::{Clients, JobsConfig, http_settings};
use lambda_http::Error;

use crate::{gateway, start};

/// Runs the function behind `/jobs`, which reports status, returns results and cancels jobs.
///
/// # Errors
/// Returns an error of the Lambda runtime. An invalid configuration ends the process with one line in the log.
pub fn status() -> Result<(), Error> {
    start::run(&[], async {
        let http = start::configured(http_settings);
        let config = start::configured(JobsConfig::from_env);
        let jobs = cloakroom_aws::jobs(&config, &Clients::from_function_env(), start::meter());
        gateway::serve(cloakroom_http::router(
            gateway::site(http),
            None,
            Some(jobs),
        ))
        .await
    })
}
