use cloakroom_app::Registry;
use cloakroom_aws::{Clients, SubmitConfig, http_settings};
use cloakroom_webhooks::{Reach, check_url};
use lambda_http::Error;

use crate::{gateway, start};

/// Runs the function behind `POST /commands/{type}` and `/uploads`, which accepts commands.
///
/// # Errors
/// Returns an error of the Lambda runtime. An invalid configuration ends the process with one line in the log.
pub fn submit(commands: Registry) -> Result<(), Error> {
    start::run(&commands.crates(), async {
        let http = start::configured(http_settings);
        let config = start::configured(SubmitConfig::from_env);
        let commands = commands.with_diagnostics(config.diagnostics);
        let submit = cloakroom_aws::submit(
            &config,
            &Clients::from_function_env(),
            commands,
            start::meter(),
        );
        let site = gateway::site(http);
        let site = if config.webhooks {
            site.callbacks(|url| check_url(url, Reach::Public).map_err(|error| error.to_string()))
        } else {
            site
        };
        gateway::serve(cloakroom_http::router(site, Some(submit), None)).await
    })
}
