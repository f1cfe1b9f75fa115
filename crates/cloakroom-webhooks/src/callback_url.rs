//! Callback URLs: the checks that need no network.

use std::net::IpAddr;

use url::{Host, ParseError, Url};

use crate::Reach;

/// Maximum length of a callback URL, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// Maximum length of a host name without the dot at its end, in bytes (RFC 1035).
const MAX_NAME_BYTES: usize = 253;

/// Maximum length of one part of a host name, in bytes.
const MAX_LABEL_BYTES: usize = 63;

/// Reason why a URL can't receive webhooks. Its text is for the client who chose the URL, and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallbackUrl {
    /// The URL is longer than [`MAX_URL_BYTES`].
    #[error("the callback URL is longer than {MAX_URL_BYTES} bytes; send a shorter one")]
    TooLong,
    /// The URL contains a character that URLs must percent-encode.
    #[error(
        "the callback URL contains a space, a backslash or a character outside of ASCII; percent-encode it"
    )]
    ForbiddenCharacter,
    /// The URL is not absolute.
    #[error("the callback URL is not absolute; send one such as https://hooks.example.com/jobs")]
    NotAbsolute,
    /// The URL's scheme is not allowed.
    #[error("the callback URL has the wrong scheme; send one that starts with https://")]
    ForbiddenScheme,
    /// The URL has no host.
    #[error("the callback URL has no host; send one such as https://hooks.example.com/jobs")]
    NoHost,
    /// The URL's host name is not valid.
    #[error("the host name of the callback URL is not valid; correct it")]
    InvalidHost,
    /// The URL's host is an address that is not public, or names the local machine.
    #[error("the host of the callback URL is not public; use a host on the internet")]
    NotPublic,
    /// The URL contains a user name or password.
    #[error(
        "the callback URL contains a user name or password; remove it, and verify the signatures of webhooks instead"
    )]
    Credentials,
    /// The URL has a fragment.
    #[error("the callback URL has a fragment; remove the # and all that follows")]
    Fragment,
    /// The URL's port is 0.
    #[error("the port of the callback URL is 0; send the port of your server")]
    PortZero,
    /// The URL can't be parsed.
    #[error("the callback URL is not valid ({0}); correct it")]
    Malformed(String),
}

/// Checks a callback URL without resolving its host name.
///
/// # Errors
/// [`InvalidCallbackUrl`] if the URL is not suitable. A host name that does not exist is no error: [`post`] reports it.
///
/// [`post`]: crate::Webhooks::post
pub fn check_url(url: &str, reach: Reach) -> Result<(), InvalidCallbackUrl> {
    parse(url, reach).map(drop)
}

/// Parses a callback URL, with the checks of [`check_url`].
pub(crate) fn parse(text: &str, reach: Reach) -> Result<Url, InvalidCallbackUrl> {
    if text.len() > MAX_URL_BYTES {
        return Err(InvalidCallbackUrl::TooLong);
    }
    // The URL parser would remove tabs and line breaks, and read a backslash as a slash.
    if !text.bytes().all(|it| it.is_ascii_graphic() && it != b'\\') {
        return Err(InvalidCallbackUrl::ForbiddenCharacter);
    }
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => InvalidCallbackUrl::NotAbsolute,
        ParseError::EmptyHost => InvalidCallbackUrl::NoHost,
        ParseError::IdnaError
        | ParseError::InvalidDomainCharacter
        | ParseError::InvalidIpv4Address
        | ParseError::InvalidIpv6Address => InvalidCallbackUrl::InvalidHost,
        other => InvalidCallbackUrl::Malformed(other.to_string()),
    })?;
    if !reach.allows_scheme(url.scheme()) {
        return Err(InvalidCallbackUrl::ForbiddenScheme);
    }
    check_authority(text, url.scheme())?;
    if url.fragment().is_some() {
        return Err(InvalidCallbackUrl::Fragment);
    }
    if url.port() == Some(0) {
        return Err(InvalidCallbackUrl::PortZero);
    }
    check_host(&url, reach)?;
    Ok(url)
}

/// Checks the part between `://` and the path, as written.
///
/// The URL parser also accepts `https:host`, `https:///host` and `https://@host`, and repairs them. Other parsers read them
/// differently.
fn check_authority(text: &str, scheme: &str) -> Result<(), InvalidCallbackUrl> {
    let rest = text
        .split_once("://")
        .filter(|(before, _)| before.eq_ignore_ascii_case(scheme))
        .map(|(_, rest)| rest)
        .ok_or(InvalidCallbackUrl::NotAbsolute)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(InvalidCallbackUrl::NoHost);
    }
    if authority.contains('@') {
        return Err(InvalidCallbackUrl::Credentials);
    }
    Ok(())
}

/// Checks the host as the URL parser returns it: all notations of IP addresses are addresses by now.
fn check_host(url: &Url, reach: Reach) -> Result<(), InvalidCallbackUrl> {
    let is_allowed = match url.host() {
        None => return Err(InvalidCallbackUrl::NoHost),
        Some(Host::Ipv4(addr)) => reach.rule()(IpAddr::V4(addr)),
        Some(Host::Ipv6(addr)) => reach.rule()(IpAddr::V6(addr)),
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            if !is_host_name(name) {
                return Err(InvalidCallbackUrl::InvalidHost);
            }
            let is_local = name == "localhost" || name.ends_with(".localhost");
            reach == Reach::Local || !is_local
        }
    };
    if is_allowed {
        Ok(())
    } else {
        Err(InvalidCallbackUrl::NotPublic)
    }
}

/// Returns true for names that DNS, TLS and HTTP libraries accept. Underscores are common in practice.
fn is_host_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.split('.').all(|label| {
            (1..=MAX_LABEL_BYTES).contains(&label.len())
                && label
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
        })
}

#[cfg(test)]
mod tests;
