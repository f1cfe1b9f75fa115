//! Decisions of a deployment about its HTTP side.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::http_settings::{Cors, HttpSettings};
use cloakroom_app::jobs::LONGEST_WAIT;
use cloakroom_core::Tenant;
use http::request::Parts;

use crate::listeners::CallbackCheck;
use crate::prefer::LONGEST_STREAM;

/// Determines the caller's tenant from the head of the request and its host's extensions. A request without a tenant is
/// rejected on every route.
pub type TenantResolver = Arc<dyn Fn(&Parts) -> Option<Tenant> + Send + Sync>;

/// HTTP side of a deployment: its settings, and the source of the caller's tenant.
#[derive(Clone)]
pub struct Site {
    pub(crate) settings: HttpSettings,
    /// Source of the caller's tenant. The default is the tenant `default` for every caller.
    pub(crate) tenant: TenantResolver,
    /// Check of the URLs of webhooks.
    pub(crate) callback_check: CallbackCheck,
    /// Longest time of a stream of events.
    pub(crate) longest_stream: Duration,
}

impl Site {
    /// Creates a site with these settings and the one tenant `default`. More than 25 s of `longest_wait` count as 25 s.
    pub fn new(mut settings: HttpSettings) -> Self {
        let length = settings.base_path.trim_end_matches('/').len();
        settings.base_path.truncate(length);
        settings.longest_wait = settings.longest_wait.min(LONGEST_WAIT);
        Self {
            settings,
            tenant: Arc::new(|_| Some(Tenant::default())),
            callback_check: |_| Err("this service sends no webhooks; omit Callback-Url".to_owned()),
            longest_stream: LONGEST_STREAM,
        }
    }

    /// Creates a site at a public base URL (`https://api.example.com/v1`) or at its path (`/v1`). Only the path is used.
    pub fn from_base_url(base: &str) -> Self {
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
        Self::new(HttpSettings {
            base_path,
            ..HttpSettings::default()
        })
    }

    /// Sets the origins of the pages that may read responses.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.settings.cors = cors;
        self
    }

    /// Sets the source of the caller's tenant.
    #[must_use]
    pub fn tenant(
        mut self,
        tenant: impl Fn(&Parts) -> Option<Tenant> + Send + Sync + 'static,
    ) -> Self {
        self.tenant = Arc::new(tenant);
        self
    }

    /// Permits webhooks, to URLs that pass this check.
    #[must_use]
    pub fn callbacks(mut self, check: CallbackCheck) -> Self {
        self.callback_check = check;
        self
    }

    /// Sets the longest time of a long poll. More than 25 s counts as 25 s.
    #[must_use]
    pub fn longest_wait(mut self, longest: Duration) -> Self {
        self.settings.longest_wait = longest.min(LONGEST_WAIT);
        self
    }

    /// Sets the longest time of a stream of events, for hosts that return it in one response at its end. More than 55 s
    /// counts as 55 s.
    #[must_use]
    pub fn longest_stream(mut self, longest: Duration) -> Self {
        self.longest_stream = longest.min(LONGEST_STREAM);
        self
    }

    /// Removes the base path from a path that begins with it. Other paths are returned unchanged.
    pub(crate) fn strip_base_path<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(&self.settings.base_path) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

impl Default for Site {
    /// Returns a site with the default settings and the one tenant `default`.
    fn default() -> Self {
        Self::new(HttpSettings::default())
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("settings", &self.settings)
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
            bases.map(|base| Site::from_base_url(base).settings.base_path),
            ["", "", "/v1", "/v1", "", "", "/a/v1"]
        );
    }

    #[test]
    fn a_host_sets_lower_limits_of_time_and_no_higher_ones() {
        for (seconds, wait, stream) in [(7, 7, 7), (40, 25, 40), (120, 25, 55)] {
            let longest = Duration::from_secs(seconds);
            let site = Site::default().longest_wait(longest);
            let site = site.longest_stream(longest);
            let of_settings = Site::new(HttpSettings {
                longest_wait: longest,
                ..HttpSettings::default()
            });
            assert_eq!(site.settings.longest_wait.as_secs(), wait);
            assert_eq!(of_settings.settings.longest_wait.as_secs(), wait);
            assert_eq!(site.longest_stream.as_secs(), stream);
        }
    }

    #[test]
    fn a_request_is_served_with_the_base_path_or_without() {
        let site = Site::from_base_url("/v1");
        assert_eq!(
            ["/v1/jobs", "/jobs", "/v1", "/v12/jobs"].map(|path| site.strip_base_path(path)),
            ["/jobs", "/jobs", "/", "/v12/jobs"]
        );
        assert_eq!(Site::from_base_url("").strip_base_path("/jobs"), "/jobs");
    }
}
