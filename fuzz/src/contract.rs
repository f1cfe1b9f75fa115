//! Properties of every response, whatever the request, according to `openapi.yaml` and the contract.

use std::sync::LazyLock;

use bytes::Bytes;
use cloakroom_core::Code;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::Value;

/// Path of the public base URL.
pub(crate) const BASE: &str = "/v1";

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_yaml_ng::from_str(include_str!("../../openapi.yaml")).expect("YAML that JSON can say")
});

impl Answer {
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(
            value
                .to_str()
                .expect("headers of answers are visible ASCII"),
        )
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.header(&LOCATION)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Panics if the response violates the contract.
    pub(crate) fn check(&self, method: &Method, path: &str) {
        assert!(
            !self.status.is_server_error(),
            "{} of {method} {path}: {:?}",
            self.status,
            self.body
        );
        for (name, value) in &self.headers {
            assert!(value.to_str().is_ok(), "{name} of {method} {path}");
        }
        let id = self
            .headers
            .get("x-request-id")
            .expect("every answer has an id");
        assert!((1..=128).contains(&id.len()), "{id:?}");
        let content_type = self.header(&CONTENT_TYPE).unwrap_or_default();
        if method == Method::HEAD || matches!(self.status.as_u16(), 204 | 303 | 304) {
            assert!(self.body.is_empty(), "{} {method} {path}", self.status);
        } else if self.status.as_u16() >= 400 && content_type != "text/html; charset=utf-8" {
            assert_eq!(content_type, "application/problem+json", "{method} {path}");
            self.check_problem(path);
        }
        match self.status.as_u16() {
            202 => self.check_retry_after(),
            303 => assert!(self.location().is_some_and(|place| !place.is_empty())),
            405 => assert!(self.header(&ALLOW).is_some()),
            _ => {}
        }
        assert!(self.status.as_u16() < 400 || self.header(&CACHE_CONTROL).is_some());
        self.check_documented(method, path);
    }

    fn check_retry_after(&self) {
        let seconds = self
            .header(&RETRY_AFTER)
            .and_then(|text| text.parse::<u64>().ok());
        assert!(
            seconds.is_some_and(|seconds| (1..=30).contains(&seconds)),
            "{:?}",
            self.headers
        );
    }

    fn check_problem(&self, path: &str) {
        let problem = self.json();
        let text = |name: &str| {
            problem[name]
                .as_str()
                .filter(|text| !text.is_empty())
                .expect(name)
                .to_owned()
        };
        assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
        let (code, kind, title) = (text("code"), text("type"), text("title"));
        assert!(!text("detail").contains("panicked"));
        assert!(text("instance").starts_with(BASE), "{problem} of {path}");
        // The problem of a finished job may have its handler's code. All other codes are known.
        let code = if problem["job"].is_null() {
            code
        } else {
            kind.rsplit(':').next().unwrap_or_default().to_owned()
        };
        let known = Code::ALL
            .iter()
            .find(|known| known.as_str() == code)
            .unwrap_or_else(|| panic!("{problem}"));
        assert_eq!((kind, title), (known.type_uri(), known.title().to_owned()));
        assert!(
            !problem["job"].is_null() || known.status() == self.status.as_u16(),
            "{problem}"
        );
    }

    /// Checks that the response of a documented path is documented. Any other path must not exist.
    fn check_documented(&self, method: &Method, path: &str) {
        // The base path itself is the service's root.
        let path = match path.strip_prefix(BASE) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        };
        // Methods are case-sensitive (RFC 9110, section 9.1), and in lower case in the document.
        let name = if method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        let name = if name.bytes().all(|b| b.is_ascii_uppercase()) {
            name.to_lowercase()
        } else {
            String::new()
        };
        let status = self.status.as_u16();
        let Some(item) = DOCUMENT["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .find(|(it, _)| is(it, path))
        else {
            // `OPTIONS *` concerns the server. A caller without an identity gets a 403 first.
            let server = method == Method::OPTIONS && path == "*" && status == 204;
            return assert!(
                server || matches!(status, 403 | 404),
                "{status} of {method} {path}"
            );
        };
        let Some(responses) = item.1.get(&name).map(|operation| &operation["responses"]) else {
            let options = method == Method::OPTIONS && status == 204;
            return assert!(
                options || matches!(status, 403 | 405),
                "{status} of {method} {path}"
            );
        };
        let (exact, family) = (status.to_string(), format!("{}XX", status / 100));
        assert!(
            responses.get(&exact).or(responses.get(&family)).is_some(),
            "openapi.yaml lacks {status} of {method} {path}"
        );
    }
}

/// Returns true if a path matches a template.
fn is(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(left), Some(right))
                if left == right || (left.starts_with('{') && !right.is_empty()) => {}
            _ => return false,
        }
    }
}
