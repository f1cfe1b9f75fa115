//! The sender of webhooks.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, redirect, retry};

use crate::resolver::{Lookup, Resolver, SystemLookup};
use crate::{PostError, Reach, callback_url};

/// Time limit of a call, from name resolution to the response's head.
pub const TIME_LIMIT: Duration = Duration::from_secs(15);

const USER_AGENT: &str = concat!(
    "Cloakroom-Webhooks/",
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR")
);

/// Sends webhooks.
///
/// Create one and clone it: loading the machine's root certificates takes a few milliseconds. On a machine without root
/// certificates, each HTTPS request fails with [`PostError::Tls`].
#[derive(Debug, Clone)]
pub struct Webhooks {
    reach: Reach,
    client: Client,
}

impl Webhooks {
    /// Creates a sender that reaches these addresses.
    pub fn new(reach: Reach) -> Self {
        Self::with_lookup(reach, SystemLookup)
    }

    pub(crate) fn with_lookup(reach: Reach, lookup: impl Lookup + 'static) -> Self {
        Self::with_resolver(reach, &Resolver::new(lookup, reach.rule()))
    }

    pub(crate) fn with_resolver(reach: Reach, resolver: &Resolver) -> Self {
        let client = builder(resolver).build().unwrap_or_else(|_| {
            builder(resolver)
                .tls_certs_only([])
                .build()
                .expect("only root certificates can be missing")
        });
        Self { reach, client }
    }

    /// Sends one request, and returns the HTTP status. Redirects are not followed: 302 is a status like others.
    ///
    /// The caller passes all headers but `Host`, `Content-Length` and `User-Agent`. The call ends after [`TIME_LIMIT`].
    /// Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`PostError`] if no status was received. The host may have received the request all the same.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<u16, PostError> {
        let url = callback_url::parse(url, self.reach)?;
        let request = self
            .client
            .post(url)
            .headers(header_map(headers)?)
            .body(body)
            .send();
        // Dropping the response closes the connection, so that the length of its body does not matter.
        match tokio::time::timeout(TIME_LIMIT, request).await {
            Ok(Ok(response)) => Ok(response.status().as_u16()),
            Ok(Err(error)) => Err(PostError::from_client(&error)),
            Err(_elapsed) => Err(PostError::Timeout),
        }
    }
}

/// Returns the settings of the HTTP client. They also switch off what other crates of a program may add to it by features.
fn builder(resolver: &Resolver) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .dns_resolver(resolver.clone())
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        // A kept connection would bypass the check of addresses.
        .pool_max_idle_per_host(0)
        // One request a connection gains nothing from HTTP/2, and this leaves its attacks out.
        .http1_only()
}

fn header_map(headers: &[(&str, &str)]) -> Result<HeaderMap, PostError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).map_err(|_| PostError::InvalidHeader)?;
        let value = HeaderValue::try_from(*value).map_err(|_| PostError::InvalidHeader)?;
        map.append(name, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests;
