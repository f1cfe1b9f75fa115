//! Builder of a client.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{RetryPolicy, redact};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Url, redirect};

use crate::client::Inner;
use crate::settings::Settings;
use crate::{Client, Clock, Error, Retry, Uploading, error};

/// Builder of a [`Client`]. Each method documents the default of its setting.
pub struct Builder {
    base_url: String,
    credentials_from: Option<String>,
    user_agent: String,
    headers: Vec<(String, String)>,
    settings: Settings,
}

impl Client {
    /// Creates a client of the service at `base_url`, which may have a path: `https://host/stage`.
    pub fn new(base_url: &str) -> Result<Self, Error> {
        Self::builder(base_url).build()
    }

    /// Returns a builder of a client of the service at `base_url`.
    pub fn builder(base_url: &str) -> Builder {
        Builder::new(base_url)
    }
}

impl Builder {
    fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            credentials_from: None,
            user_agent: concat!("cloakroom-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            headers: Vec::new(),
            settings: Settings::default(),
        }
    }

    /// Uses the credentials of another URL (`https://user:password@host`) if it has the same origin and the base URL has none.
    ///
    /// Credentials in a URL are sent as `Authorization: Basic`, unless that header is set otherwise. They are never shown.
    #[must_use]
    pub fn credentials_from(mut self, url: &str) -> Self {
        self.credentials_from = Some(url.to_owned());
        self
    }

    /// Sends a token as `Authorization: Bearer`: to the service only, and never to a redirect's target.
    #[must_use]
    pub fn bearer_token(self, token: &str) -> Self {
        let value = format!("Bearer {token}");
        self.header(AUTHORIZATION.as_str(), &value)
    }

    /// Sends a header, such as `x-api-key`, with every request to the service, and to no other host.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets `User-Agent`. Default: `cloakroom-client/` and the version.
    #[must_use]
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        user_agent.clone_into(&mut self.user_agent);
        self
    }

    /// Sets the attempts of one request and the delays between them. Default: 8 attempts, with delays that double from 250 ms up
    /// to 10 s, and full jitter. `Retry-After` is also respected.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Sets the time after the first failure in which the client retries. Default: 60 s. Zero disables retries.
    #[must_use]
    pub fn retry_within(mut self, duration: Duration) -> Self {
        self.settings.retry_within = duration;
        self
    }

    /// Sets a function that is called before each delay of a retry.
    #[must_use]
    pub fn on_retry(mut self, report: impl Fn(&Retry) + Send + Sync + 'static) -> Self {
        self.settings.on_retry = Some(Box::new(report));
        self
    }

    /// Sets the most bytes of a submission's body. A larger payload is uploaded first. Default: 4 MiB.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// Sets the most bytes of an upload in one part. A larger payload is uploaded in parts of up to 16 MiB, or more if there would
    /// be over 10,000 parts. Default: 16 MiB.
    #[must_use]
    pub fn parts_from(mut self, bytes: u64) -> Self {
        self.settings.parts_from = bytes;
        self
    }

    /// Sets the number of parts that are sent at the same time. Default: 4.
    #[must_use]
    pub fn parts_at_once(mut self, parts: usize) -> Self {
        self.settings.parts_at_once = parts.max(1);
        self
    }

    /// Sets a function that is called several times a second during an upload, by any thread.
    #[must_use]
    pub fn on_upload(mut self, report: impl Fn(&Uploading) + Send + Sync + 'static) -> Self {
        self.settings.on_upload = Some(Box::new(report));
        self
    }

    /// Sets the seconds, up to 25, for which [`Client::wait`] asks the service to hold a poll. Default: 20. With zero it follows
    /// `Retry-After` only, and no events.
    #[must_use]
    pub fn long_poll_seconds(mut self, seconds: u64) -> Self {
        self.settings.long_poll_seconds = seconds.min(25);
        self
    }

    /// Sets the timeout of a response. The time of a long poll, and of sending a large payload, is added to it. Default: 30 s.
    #[must_use]
    pub fn timeout(mut self, duration: Duration) -> Self {
        self.settings.timeout = duration;
        self
    }

    /// Sets the clock. Default: the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// - [`Error::Input`] if the URL or a header is not valid
    /// - [`Error::Transport`] if TLS can't be set up, such as on a machine without root certificates
    pub fn build(self) -> Result<Client, Error> {
        let mut base = base_url(&self.base_url)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name)
                .map_err(|error| Error::input("the header's name", &error))?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|error| Error::input(format!("the header {name}"), &error))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        // The client follows redirects itself, because the caller's headers must not reach another origin.
        let http = || {
            reqwest::Client::builder()
                .user_agent(&self.user_agent)
                .redirect(redirect::Policy::none())
                .connect_timeout(self.settings.timeout.min(Duration::from_secs(10)))
        };
        // A service on this machine is never behind the proxy that the environment names.
        let http = || {
            if is_loopback(&base) {
                http().no_proxy()
            } else {
                http()
            }
        };
        // A machine without root certificates, such as a slim container, can still reach a service without TLS.
        let built = match http().build() {
            Err(_) if base.scheme() == "http" => http().tls_certs_only([]).build(),
            built => built,
        };
        let http = built.map_err(|error| Error::Transport {
            what: "set up the HTTP client",
            reason: error::chain(error),
        })?;
        if let Some(basic) = self.credentials(&base).and_then(|url| basic(&http, url)) {
            headers.entry(AUTHORIZATION).or_insert(basic);
        }
        without_credentials(&mut base);
        Ok(Client {
            inner: Arc::new(Inner {
                http,
                base,
                headers,
                settings: self.settings,
            }),
        })
    }
}

impl Builder {
    /// Returns the URL with the caller's credentials.
    fn credentials(&self, base: &Url) -> Option<Url> {
        if has_credentials(base) {
            return Some(base.clone());
        }
        let other = Url::parse(self.credentials_from.as_deref()?).ok()?;
        (other.origin() == base.origin() && has_credentials(&other)).then_some(other)
    }
}

/// Returns true if two URLs have the same scheme, host and port. Credentials make no difference.
pub fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
    origin(one).is_some_and(|one| origin(other) == Some(one))
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

pub(crate) fn without_credentials(url: &mut Url) {
    // Both fail only for a URL that can have no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// Returns the header that the HTTP client makes of a URL's credentials.
fn basic(http: &reqwest::Client, url: Url) -> Option<HeaderValue> {
    http.get(url)
        .build()
        .ok()?
        .headers_mut()
        .remove(AUTHORIZATION)
}

/// Parses a base URL. It has no query and no fragment, and the result has no slash at the end of its path.
fn base_url(text: &str) -> Result<Url, Error> {
    let bad =
        |reason: &str| Error::input(format!("{:?} as the base URL", redact::url(text)), &reason);
    let mut url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("expected http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it has a query or a fragment: remove it"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
