use cloakroom_app::Registry;
use cloakroom_aws::{Clients, SubmitConfig, http_settings};
use cloakroom_http::{HttpSettings, Site};
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
        let site = site(http, config.webhooks);
        gateway::serve(cloakroom_http::router(site, Some(submit), None)).await
    })
}

fn site(http: HttpSettings, webhooks: bool) -> Site {
    let site = gateway::site(http);
    if webhooks {
        site.callbacks(|url| check_url(url, Reach::Public).map_err(|error| error.to_string()))
    } else {
        site
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use cloakroom_app::Command;
    use cloakroom_app::testing::{Nothing, Room, nothing};
    use lambda_http::tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn webhooks_go_to_public_addresses_by_https_where_there_are_any() {
        for (webhooks, url, status) in [
            (true, "https://hooks.example/x", 202),
            (true, "http://hooks.example/x", 400),
            (true, "https://127.0.0.1/x", 400),
            (false, "https://hooks.example/x", 400),
        ] {
            let room = Room::new(vec![Command::json("act", nothing::<Nothing>)]);
            let site = site(HttpSettings::default(), webhooks);
            let router = cloakroom_http::router(site, Some((room.submit, room.uploads)), None);
            let request = Request::post("/commands/act").header("callback-url", url);
            let request = request.body(Body::from("{}")).expect("a request");
            let response = router.oneshot(request).await.expect("infallible");
            assert_eq!(response.status(), status, "{webhooks} {url}");
        }
    }
}
