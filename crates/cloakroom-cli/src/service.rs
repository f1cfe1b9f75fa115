//! The service that the program calls, and the caller's credentials.

use std::time::Duration;

use cloakroom_client::{Builder, Client, is_same_origin, redact};

use crate::exit::Failure;
use crate::show::Screen;

/// Default address of `dev`.
const LOCAL: &str = "http://127.0.0.1:9000";

#[derive(Debug, clap::Args)]
pub(crate) struct Service {
    /// Base URL of the service; user:password@ before its host is sent as Basic authentication
    #[arg(long, global = true, env = "CLOAKROOM_URL", hide_env_values = true, default_value = LOCAL)]
    pub(crate) url: String,
    /// Your credentials, sent as a bearer token
    #[arg(long, global = true, env = "CLOAKROOM_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Time to retry while the service is unavailable
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    retry_for: u64,
}

impl Service {
    /// Creates a client of the service.
    pub(crate) fn client(&self, screen: &Screen) -> Result<Client, Failure> {
        self.client_with(screen, |builder| builder)
    }

    /// Creates a client of the service with further settings.
    pub(crate) fn client_with(
        &self,
        screen: &Screen,
        more: impl FnOnce(Builder) -> Builder,
    ) -> Result<Client, Failure> {
        Ok(more(self.with_token(self.builder(&self.url, screen))).build()?)
    }

    /// Creates a client of the service that has the job: the one in the job's URL, else the one of `--url`. The token and the
    /// credentials of `--url` are sent only to the same origin.
    pub(crate) fn client_of(&self, job: &str, screen: &Screen) -> Result<Client, Failure> {
        let Some((base, _)) = job
            .split_once("/jobs/")
            .filter(|(base, _)| base.contains("://"))
        else {
            return self.client(screen);
        };
        let builder = self.builder(base, screen).credentials_from(&self.url);
        if is_same_origin(base, &self.url) {
            return Ok(self.with_token(builder).build()?);
        }
        let client = builder.build()?;
        if self.token.is_some() {
            let (url, base) = (redact::url(&self.url), client.base_url());
            screen.note(&format!(
                "the token is for {url} and was not sent to {base}; use --url {base} to send it there"
            ));
        }
        Ok(client)
    }

    /// Returns the option of a command line that selects the same service.
    pub(crate) fn option(client: &Client) -> String {
        match client.base_url() {
            LOCAL => String::new(),
            url => format!(" --url {url}"),
        }
    }

    fn builder(&self, url: &str, screen: &Screen) -> Builder {
        let screen = screen.clone();
        Client::builder(url)
            .user_agent(concat!("cloakroom-cli/", env!("CARGO_PKG_VERSION")))
            .retry_within(Duration::from_secs(self.retry_for))
            .on_retry(move |retry| {
                screen.note(&format!(
                    "no response ({}); retrying in {:.1} s",
                    retry.reason,
                    retry.wait.as_secs_f64()
                ));
            })
    }

    fn with_token(&self, builder: Builder) -> Builder {
        match &self.token {
            Some(token) => builder.bearer_token(token),
            None => builder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_url_says_which_service_has_the_job() {
        let service = Service {
            url: LOCAL.to_owned(),
            token: None,
            retry_for: 0,
        };
        let id = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";
        let base = |job: String| {
            service
                .client_of(&job, &Screen::new())
                .expect("a client")
                .base_url()
                .to_owned()
        };
        assert_eq!(base(id.to_owned()), LOCAL);
        assert_eq!(base(format!("/jobs/{id}")), LOCAL);
        assert_eq!(
            base(format!("https://host/stage/jobs/{id}/result")),
            "https://host/stage"
        );
    }
}
