//! The function behind `POST /commands/{type}` and `/uploads`: takes commands, and leaves the work to the worker.

use cloakroom_aws::{Clients, HttpConfig, SubmitConfig};

fn main() -> Result<(), lambda_http::Error> {
    lambda::run(async {
        let http = lambda::configured(HttpConfig::from_env);
        let config = lambda::configured(SubmitConfig::from_env);
        let meter = lambda::meter();
        let commands = commands::registry(config.diagnostics);
        let submit = cloakroom_aws::submit(&config, &Clients::from_function_env(), commands, meter);
        lambda::serve(cloakroom_http::router(
            lambda::site(&http),
            Some(submit),
            None,
        ))
        .await
    })
}
