//! What a deployment decides about its HTTP side.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::jobs::LONGEST_WAIT;
use cloakroom_core::Tenant;
use http::request::Parts;

use crate::Cors;

/// Finds out who the caller is, from the head of the request and what its host put into the extensions. Nobody that is
/// known: the request is refused, whatever it asks for.
pub type TenantOf = Arc<dyn Fn(&Parts) -> Option<Tenant> + Send + Sync>;

/// Where the service is, who may read it from a browser, and who the caller is.
#[derive(Clone)]
pub struct Site {
    /// The path of the public base URL: empty, or as in `/v1`. Every path in an answer begins with it; a request is
    /// served with it or without, as some gateways take it off and some do not.
    pub base_path: String,
    /// The origins of the pages that may read the answers.
    pub cors: Cors,
    /// Who the caller is; the tenant `default` unless it is set.
    pub tenant: TenantOf,
    /// Longest time that a response is held (`Prefer: wait`): 25 s unless it is set. Zero holds none.
    pub longest_wait: Duration,
}

impl Site {
    /// A site at a public base URL (`https://api.example.com/v1`), of which only the path counts, or at that path alone.
    pub fn new(base: &str) -> Self {
        let path = match base.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => base,
        };
        let path = path.trim_matches('/');
        let base_path = if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        };
        Self {
            base_path,
            ..Self::default()
        }
    }

    /// With these origins.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = cors;
        self
    }

    /// With this way to find the tenant.
    #[must_use]
    pub fn tenant(
        mut self,
        tenant: impl Fn(&Parts) -> Option<Tenant> + Send + Sync + 'static,
    ) -> Self {
        self.tenant = Arc::new(tenant);
        self
    }

    /// Limits how long a response is held; more than 25 s counts as 25 s.
    #[must_use]
    pub fn longest_wait(mut self, longest: Duration) -> Self {
        self.longest_wait = longest.min(LONGEST_WAIT);
        self
    }

    /// A path without the base path, as routes are written; as it is when it doesn't begin with it.
    pub(crate) fn below<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(&self.base_path) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

impl Default for Site {
    /// A site at the root, for no other origin, of the one tenant `default`.
    fn default() -> Self {
        let tenant: TenantOf = Arc::new(|_| Some(Tenant::default()));
        Self {
            base_path: String::new(),
            cors: Cors::None,
            tenant,
            longest_wait: LONGEST_WAIT,
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("base_path", &self.base_path)
            .field("cors", &self.cors)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_of_the_public_base_url_counts() {
        let bases = [
            "",
            "/",
            "/v1",
            "v1/",
            "https://api.example.com",
            "https://api.example.com/",
            "https://api.example.com/a/v1/",
        ];
        assert_eq!(
            bases.map(|base| Site::new(base).base_path),
            ["", "", "/v1", "/v1", "", "", "/a/v1"]
        );
    }

    #[test]
    fn a_request_is_served_with_the_base_path_or_without() {
        let site = Site::new("/v1");
        assert_eq!(
            ["/v1/jobs", "/jobs", "/v1", "/v12/jobs"].map(|path| site.below(path)),
            ["/jobs", "/jobs", "/", "/v12/jobs"]
        );
        assert_eq!(Site::new("").below("/jobs"), "/jobs");
    }
}
