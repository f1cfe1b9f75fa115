//! The function behind `/jobs`: tells how jobs are, hands out their results, and cancels them.

use cloakroom_aws::{Clients, HttpConfig, JobsConfig, environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::start();
    let (config, http) = lambda::configured(|| {
        Ok((JobsConfig::from_env(&environment)?, HttpConfig::from_env(&environment)?)) //
    });
    let jobs = cloakroom_aws::jobs(&config, &Clients::load().await);
    lambda::serve(cloakroom_http::router(lambda::site(&http), None, Some(jobs))).await
}
