//! Configuration of the HTTP API.

use std::time::Duration;

use super::variable::{ConfigError, Lookup, after_scheme, optional, within};

/// Configuration of every function that serves HTTP. Every variable has a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// `CLOAKROOM_PUBLIC_BASE_URL`: its path, empty or as in `/v1`. Clients find the API below it.
    pub base_path: String,
    /// `CLOAKROOM_CORS_ORIGINS`: origins whose pages may call the API.
    pub cors: CorsOrigins,
    /// `CLOAKROOM_AUTHORIZER`: the gateway's way to identify callers.
    pub authorizer: Authorizer,
    /// `CLOAKROOM_TENANT_CLAIM`: claim of a token that names the tenant.
    pub tenant_claim: String,
    /// `CLOAKROOM_TOKEN_AUDIENCE`: ids of the app clients whose tokens are accepted. Empty accepts every token that the gateway does.
    pub token_audience: Vec<String>,
    /// `CLOAKROOM_LONGEST_WAIT_SECONDS`: longest time that a response is held.
    pub longest_wait: Duration,
}

/// Default claim that names the tenant: the user.
pub const TENANT_CLAIM: &str = "sub";

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            base_path: String::new(),
            cors: CorsOrigins::default(),
            authorizer: Authorizer::default(),
            tenant_claim: TENANT_CLAIM.to_owned(),
            token_audience: vec![],
            longest_wait: cloakroom_app::jobs::LONGEST_WAIT,
        }
    }
}

/// The gateway's way to identify callers. With any but the first, a request without an identity is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authorizer {
    /// The gateway identifies nobody. A request without an identity is of the tenant `default`.
    #[default]
    None,
    /// Requests are signed with AWS credentials.
    Iam,
    /// Requests carry a token of a user pool, or of another issuer.
    Jwt,
    /// Requests carry an API key.
    ApiKey,
    /// A Lambda authorizer, which the template does not make, names a principal.
    Custom,
}

impl Authorizer {
    pub(super) const ALL: [Self; 5] =
        [Self::None, Self::Iam, Self::Jwt, Self::ApiKey, Self::Custom];

    /// Returns the configured text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Iam => "iam",
            Self::Jwt => "jwt",
            Self::ApiKey => "api-key",
            Self::Custom => "custom",
        }
    }
}

/// Origins whose pages a browser allows to call the API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CorsOrigins {
    /// The API's own origin.
    #[default]
    Own,
    /// All origins.
    Any,
    /// These origins, as in `https://app.example.com`.
    These(Vec<String>),
}

impl HttpConfig {
    /// Reads the variables.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            base_path: base_path(lookup)?,
            cors: cors(lookup)?,
            authorizer: authorizer(lookup)?,
            tenant_claim: tenant_claim(lookup)?,
            token_audience: token_audience(lookup)?,
            longest_wait: longest_wait(lookup)?,
        })
    }
}

fn base_path(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the URL under which clients find the API (https://api.example.com/v1), or the path of it (/v1)";
    let path = optional(lookup, "CLOAKROOM_PUBLIC_BASE_URL", want, |text| {
        let path = match after_scheme(text) {
            Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
            None => text.starts_with('/').then_some(text)?,
        };
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#\\\"<>".contains(&b));
        // Two slashes at the start would make a link to another site of it.
        (plain && !path.starts_with("//")).then(|| path.trim_end_matches('/').to_owned())
    })?;
    Ok(path.unwrap_or_default())
}

fn cors(lookup: Lookup<'_>) -> Result<CorsOrigins, ConfigError> {
    let want = "*, or origins with commas between them (https://app.example.com, without a path)";
    let origins = optional(lookup, "CLOAKROOM_CORS_ORIGINS", want, |text| {
        if text == "*" {
            return Some(CorsOrigins::Any);
        }
        let origin = |text: &str| {
            let host = after_scheme(text)?;
            let plain = host
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"/?#\\\"<>@*,".contains(&b));
            plain.then(|| text.to_ascii_lowercase())
        };
        text.split(',')
            .map(|text| origin(text.trim()))
            .collect::<Option<_>>()
            .map(CorsOrigins::These)
    })?;
    Ok(origins.unwrap_or_default())
}

fn authorizer(lookup: Lookup<'_>) -> Result<Authorizer, ConfigError> {
    let authorizer = optional(
        lookup,
        "CLOAKROOM_AUTHORIZER",
        "none, iam, jwt, api-key or custom",
        |text| {
            Authorizer::ALL
                .into_iter()
                .find(|known| known.as_str() == text)
        },
    )?;
    Ok(authorizer.unwrap_or_default())
}

fn tenant_claim(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the name of a claim, without spaces, as in custom:tenant";
    let claim = optional(lookup, "CLOAKROOM_TENANT_CLAIM", want, |text| {
        text.bytes()
            .all(|b| b.is_ascii_graphic())
            .then(|| text.to_owned())
    })?;
    Ok(claim.unwrap_or_else(|| TENANT_CLAIM.to_owned()))
}

fn token_audience(lookup: Lookup<'_>) -> Result<Vec<String>, ConfigError> {
    let want = "ids of app clients, with commas between them";
    let audience = optional(lookup, "CLOAKROOM_TOKEN_AUDIENCE", want, |text| {
        let ids: Vec<_> = text.split(',').map(|id| id.trim().to_owned()).collect();
        ids.iter()
            .all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic()))
            .then_some(ids)
    })?;
    Ok(audience.unwrap_or_default())
}

fn longest_wait(lookup: Lookup<'_>) -> Result<Duration, ConfigError> {
    let longest = cloakroom_app::jobs::LONGEST_WAIT;
    let seconds = optional(
        lookup,
        "CLOAKROOM_LONGEST_WAIT_SECONDS",
        "a number of seconds from 0 to 25",
        |text| within(text, 0, longest.as_secs()),
    )?;
    Ok(seconds.map_or(longest, Duration::from_secs))
}
