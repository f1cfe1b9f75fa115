//! The function behind `/jobs`: tells how jobs are, hands out their results, and cancels them.

use cloakroom_aws::{Clients, HttpConfig, JobsConfig};

fn main() -> Result<(), lambda_http::Error> {
    lambda::run(async {
        let http = lambda::configured(HttpConfig::from_env);
        let config = lambda::configured(JobsConfig::from_env);
        let meter = lambda::meter();
        let jobs = cloakroom_aws::jobs(&config, &Clients::from_function_env(), meter);
        lambda::serve(cloakroom_http::router(
            lambda::site(&http),
            None,
            Some(jobs),
        ))
        .await
    })
}
