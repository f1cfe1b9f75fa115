use cloakroom_aws::{Clients, JobsConfig, environment, http_settings};
use lambda_http::Error;

use crate::{gateway, start};

/// Runs the function behind `/jobs`, which reports status, returns results and cancels jobs.
///
/// Streams its responses if `CLOAKROOM_STREAMING` is `on`: this is the function of server-sent events. Otherwise it
/// returns them whole, and ends events after `CLOAKROOM_LONGEST_WAIT_SECONDS`, before the gateway's timeout.
///
/// # Errors
/// Returns an error of the Lambda runtime. An invalid configuration ends the process with one line in the log.
pub fn status() -> Result<(), Error> {
    start::run(&[], async {
        let http = start::configured(http_settings);
        let config = start::configured(JobsConfig::from_env);
        let clients = Clients::from_function_env();
        let jobs = cloakroom_aws::jobs(&config, &clients, start::meter());
        let jobs = cloakroom_aws::with_listeners(jobs, &config, &clients);
        let longest_wait = http.longest_wait;
        let site = gateway::site(http);
        if environment("CLOAKROOM_STREAMING").is_some_and(|on| on == "on") {
            gateway::stream(cloakroom_http::router(site, None, Some(jobs))).await
        } else {
            let site = site.longest_stream(longest_wait);
            gateway::serve(cloakroom_http::router(site, None, Some(jobs))).await
        }
    })
}
