//! Settings of a deployment's HTTP interface. They come from the configuration; the router applies them, and the doctor
//! checks them.

use std::time::Duration;

use crate::jobs::LONGEST_WAIT;

/// Default token claim that identifies the tenant: the user.
pub const TENANT_CLAIM: &str = "sub";

/// Settings of all HTTP responses. All of them have a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Path of the public base URL: empty, or for example `/v1`. Every path in a response starts with it. Requests are
    /// accepted with and without it, because some gateways remove it.
    pub base_path: String,
    /// Origins whose pages may read responses.
    pub cors: Cors,
    /// Authorizer of the gateway, which identifies the callers.
    pub authorizer: Authorizer,
    /// Token claim that identifies the tenant.
    pub tenant_claim: String,
    /// Ids of the app clients whose tokens are accepted. If empty, all tokens that the gateway accepts are accepted.
    pub token_audience: Vec<String>,
    /// Maximum duration of a long poll (`Prefer: wait`), at most 25 s. Zero disables long polls.
    pub longest_wait: Duration,
}

impl Default for HttpSettings {
    /// Returns the settings of an API at the root, for its own origin only, without an authorizer.
    fn default() -> Self {
        Self {
            base_path: String::new(),
            cors: Cors::default(),
            authorizer: Authorizer::default(),
            tenant_claim: TENANT_CLAIM.to_owned(),
            token_audience: vec![],
            longest_wait: LONGEST_WAIT,
        }
    }
}

/// Origins whose pages may read responses. Cookies are never allowed, because no response depends on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cors {
    /// Only the service's own origin.
    #[default]
    None,
    /// Any origin.
    Any,
    /// These origins, each as a browser sends it: `https://shop.example`, without a path.
    Only(Vec<String>),
}

/// Kind of authorizer in the gateway. With any kind but `None`, requests of unknown callers are rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authorizer {
    /// No authorizer. A caller without an identity is the tenant `default`.
    #[default]
    None,
    /// Requests are signed with AWS credentials.
    Iam,
    /// Requests carry a token of a user pool, or of another issuer.
    Jwt,
    /// Requests carry an API key.
    ApiKey,
    /// A Lambda authorizer, which the template does not create, names a principal.
    Custom,
}

impl Authorizer {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::None, Self::Iam, Self::Jwt, Self::ApiKey, Self::Custom];

    /// Returns the name of the kind in the configuration.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The template and stored configurations have these names.
    #[test]
    fn the_names_of_authorizers_stay() {
        let names = Authorizer::ALL.map(Authorizer::as_str);
        assert_eq!(names, ["none", "iam", "jwt", "api-key", "custom"]);
    }

    #[test]
    fn no_other_origin_is_allowed_unless_it_is_configured() {
        assert_eq!(HttpSettings::default().cors, Cors::None);
    }
}
