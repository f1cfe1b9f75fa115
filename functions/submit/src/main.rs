//! The function behind `POST /commands/{type}` and `POST /uploads`: takes commands, and leaves the work to the worker.

use cloakroom_aws::{Clients, HttpConfig, SubmitConfig, environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::start();
    let (config, http) = lambda::configured(|| {
        Ok((SubmitConfig::from_env(&environment)?, HttpConfig::from_env(&environment)?)) //
    });
    let commands = commands::registry(config.diagnostics);
    let submit = cloakroom_aws::submit(&config, &Clients::load().await, commands);
    lambda::serve(cloakroom_http::router(lambda::site(&http), Some(submit), None)).await
}
