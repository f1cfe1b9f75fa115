//! The builder of a client.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{RetryPolicy, redact};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Url, redirect};

use crate::client::Inner;
use crate::settings::Settings;
use crate::{Client, Clock, Error, Retry, Uploading, error};

/// Makes a [`Client`]. What is not said stays at the default, which each method names.
pub struct Builder {
    base_url: String,
    credentials_from: Option<String>,
    user_agent: String,
    headers: Vec<(String, String)>,
    settings: Settings,
}

impl Client {
    /// A client of the service at `base_url`, which may have a path: `https://host/stage`.
    pub fn new(base_url: &str) -> Result<Self, Error> {
        Self::builder(base_url).build()
    }

    /// Builds a client of the service at `base_url`, with other settings than the default ones.
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

    /// Takes the credentials of another URL (`https://user:password@host`) if it has the same origin and the base URL has none.
    ///
    /// Credentials in a URL are sent as `Authorization: Basic`, unless that header is set otherwise. They are never shown.
    #[must_use]
    pub fn credentials_from(mut self, url: &str) -> Self {
        self.credentials_from = Some(url.to_owned());
        self
    }

    /// Says who the caller is: sent as `Authorization: Bearer`, to the service alone and never to where it redirects.
    #[must_use]
    pub fn bearer_token(self, token: &str) -> Self {
        let value = format!("Bearer {token}");
        self.header(AUTHORIZATION.as_str(), &value)
    }

    /// Sends a header with every request to the service, and to it alone: as in `x-api-key`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets `User-Agent`; `cloakroom-client/` and the version by default.
    #[must_use]
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        user_agent.clone_into(&mut self.user_agent);
        self
    }

    /// How often to ask for one answer, and how far apart: 8 attempts, from 250 ms doubling up to 10 s, with full
    /// jitter. `Retry-After` is obeyed besides.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// How long after the first failure the client still asks again: 60 s. Zero: it never does.
    #[must_use]
    pub fn retry_within(mut self, duration: Duration) -> Self {
        self.settings.retry_within = duration;
        self
    }

    /// Is called before each wait for another attempt; does nothing by default.
    #[must_use]
    pub fn on_retry(mut self, report: impl Fn(&Retry) + Send + Sync + 'static) -> Self {
        self.settings.on_retry = Some(Box::new(report));
        self
    }

    /// The most bytes that a submission's body may have, 4 MiB: a larger payload is uploaded first.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// The most bytes that are uploaded in one part, 16 MiB: a larger payload goes in parts of as many bytes, or more where there would
    /// be over 10,000.
    #[must_use]
    pub fn parts_from(mut self, bytes: u64) -> Self {
        self.settings.parts_from = bytes;
        self
    }

    /// How many parts are sent at the same time: 4.
    #[must_use]
    pub fn parts_at_once(mut self, parts: usize) -> Self {
        self.settings.parts_at_once = parts.max(1);
        self
    }

    /// Is called as an upload goes on, some times a second or more, by whichever thread sends; does nothing by default.
    #[must_use]
    pub fn on_upload(mut self, report: impl Fn(&Uploading) + Send + Sync + 'static) -> Self {
        self.settings.on_upload = Some(Box::new(report));
        self
    }

    /// How many seconds [`Client::wait`] asks the service to hold a poll, up to 25: 20. Zero: it polls as told by
    /// `Retry-After` alone.
    #[must_use]
    pub fn long_poll_seconds(mut self, seconds: u64) -> Self {
        self.settings.long_poll_seconds = seconds.min(25);
        self
    }

    /// How long an answer may take, the time of a held poll and of sending a large payload aside: 30 s.
    #[must_use]
    pub fn timeout(mut self, duration: Duration) -> Self {
        self.settings.timeout = duration;
        self
    }

    /// Waits by another clock; by the machine's, if not said.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Makes the client. Fails as [`Error::Input`] if the URL or a header is not one, and as [`Error::Transport`] if
    /// TLS can't be set up, as on a machine without root certificates.
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
        // Redirects are followed by hand, one at a time, because no header of the caller's may reach another origin.
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
        // A machine without root certificates, as in a slim container, can still talk to a service without TLS.
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
    /// The URL whose credentials are the caller's.
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

/// The header that the HTTP client makes of a URL's credentials.
fn basic(http: &reqwest::Client, url: Url) -> Option<HeaderValue> {
    http.get(url)
        .build()
        .ok()?
        .headers_mut()
        .remove(AUTHORIZATION)
}

/// Reads a base URL: without query and fragment, its path without a slash at the end.
fn base_url(text: &str) -> Result<Url, Error> {
    let bad =
        |reason: &str| Error::input(format!("{:?} as the base URL", redact::url(text)), &reason);
    let mut url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("want http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it may have a path, and no query or fragment"));
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
