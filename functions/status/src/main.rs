//! The function behind `/jobs`: tells how jobs are, hands out their results, and cancels them.

use std::sync::Arc;

use cloakroom_aws::{Clients, EmbeddedMetrics, HttpConfig, JobsConfig, MeterConfig, environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::start();
    let (config, http, meter) = lambda::configured(|| {
        let http = HttpConfig::from_env(&environment)?;
        Ok((JobsConfig::from_env(&environment)?, http, MeterConfig::from_env(&environment)?))
    });
    let meter = Arc::new(EmbeddedMetrics::new(meter));
    let jobs = cloakroom_aws::jobs(&config, &Clients::of_function(), meter);
    lambda::serve(cloakroom_http::router(lambda::site(&http), None, Some(jobs))).await
}
