//! The function behind `POST /commands/{type}` and `/uploads`: takes commands, and leaves the work to the worker.

use std::sync::Arc;

use cloakroom_aws::{Clients, EmbeddedMetrics, HttpConfig, MeterConfig, SubmitConfig, environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::start();
    let (config, http, meter) = lambda::configured(|| {
        let http = HttpConfig::from_env(&environment)?;
        Ok((SubmitConfig::from_env(&environment)?, http, MeterConfig::from_env(&environment)?))
    });
    let meter = Arc::new(EmbeddedMetrics::new(meter));
    let commands = commands::registry(config.diagnostics);
    let submit = cloakroom_aws::submit(&config, &Clients::of_function(), commands, meter);
    lambda::serve(cloakroom_http::router(lambda::site(&http), Some(submit), None)).await
}
