//! The function behind `/jobs`: tells how jobs are, hands out their results, and cancels them.

use cloakroom_aws::{Clients, HttpConfig, JobsConfig, MeterConfig, environment};

fn main() -> Result<(), lambda_http::Error> {
    lambda::run(async {
        let (config, http, meter) = lambda::configured(|| {
            let http = HttpConfig::from_env(&environment)?;
            Ok((JobsConfig::from_env(&environment)?, http, MeterConfig::from_env(&environment)?))
        });
        let meter = lambda::meter(meter);
        let jobs = cloakroom_aws::jobs(&config, &Clients::of_function(), meter);
        lambda::serve(cloakroom_http::router(lambda::site(&http), None, Some(jobs))).await
    })
}
