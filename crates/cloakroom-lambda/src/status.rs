use std::sync::Arc;

use cloakroom_app::{Jobs, Meter};
use cloakroom_aws::{Clients, JobsConfig, environment, http_settings};
use cloakroom_http::{HttpSettings, Site};
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
        let jobs = jobs(&config, &Clients::from_function_env(), start::meter());
        let streams = environment("CLOAKROOM_STREAMING").is_some_and(|on| on == "on");
        let router = cloakroom_http::router(site(http, streams), None, Some(jobs));
        if streams {
            gateway::stream(router).await
        } else {
            gateway::serve(router).await
        }
    })
}

fn jobs(config: &JobsConfig, clients: &Clients, meter: Arc<dyn Meter>) -> Jobs {
    let jobs = cloakroom_aws::jobs(config, clients, meter);
    cloakroom_aws::with_listeners(jobs, config, clients)
}

fn site(http: HttpSettings, streams: bool) -> Site {
    let longest_wait = http.longest_wait;
    let site = gateway::site(http);
    if streams {
        site
    } else {
        site.longest_stream(longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use cloakroom_app::Command;
    use cloakroom_app::meter::LogMeter;
    use cloakroom_app::testing::{Nothing, Room, nothing, tenant};
    use cloakroom_aws::Local;
    use lambda_http::tower::ServiceExt as _;
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn deliveries_and_links_are_served_where_they_are_configured() {
        let nowhere = Local {
            dynamodb_url: "http://127.0.0.1:9",
            sqs_url: "http://127.0.0.1:9",
            s3_url: "http://127.0.0.1:9",
            region: "us-east-1",
            access_key: "a",
            secret_key: "s",
        };
        for url in [None, Some("http://127.0.0.1:9/1/deliveries")] {
            let config = JobsConfig::from_env(&|name| match name {
                "CLOAKROOM_DELIVERIES_URL" => url.map(ToOwned::to_owned),
                "CLOAKROOM_NAMESPACE" => Some("00000000-0000-4000-8000-000000000001".to_owned()),
                "CLOAKROOM_PUBLIC_BASE_URL" => Some("/v1".to_owned()),
                _ => Some("x".to_owned()),
            });
            let config = config.expect("valid");
            let jobs = jobs(&config, &Clients::local(&nowhere), Arc::new(LogMeter));
            let served = (jobs.publisher.is_some(), jobs.links.is_some());
            assert_eq!(served, (url.is_some(), url.is_some()), "{url:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn events_end_before_the_gateway_does_unless_they_are_streamed() {
        let room = Room::new(vec![Command::json("act", nothing::<Nothing>)]);
        let job = room.send("act", None, "{}").await.expect("accepted").job;
        for (streams, seconds) in [(false, 20), (true, 55)] {
            let http = HttpSettings {
                longest_wait: Duration::from_secs(20),
                ..HttpSettings::default()
            };
            let site = site(http, streams).tenant(|_| Some(tenant()));
            let router = cloakroom_http::router(site, None, Some(room.jobs.clone()));
            let request = Request::get(format!("/jobs/{}/events", job.id)).body(Body::empty());
            let begun = Instant::now();
            let response = router.oneshot(request.expect("a request")).await;
            let body = response.expect("infallible").into_body();
            to_bytes(body, usize::MAX).await.expect("a stream");
            assert_eq!(begun.elapsed().as_secs(), seconds, "{streams}");
        }
    }
}
