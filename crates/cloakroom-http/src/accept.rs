//! `Accept` (RFC 9110, section 12.5.1): a page for a person, or JSON for a program.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::header_list;

/// Representation of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// JSON, also for clients that accept neither: a response is better than 406.
    Json,
    /// A page for a person.
    Page,
}

/// Precision of a media range without a wildcard.
const EXACT: u8 = 3;

/// Preference for a media type, ordered by quality, then by the precision of its range.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Preference {
    quality: f32,
    precision: u8,
}

impl Variant {
    /// Selects the page if the client prefers HTML to JSON, and JSON otherwise.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let Some(accept) = header_list::join_lines(headers, &ACCEPT) else {
            return Self::Json;
        };
        let html = preference(&accept, "text/html");
        let json = preference(&accept, "application/json");
        // A client that names only problem documents is a program, too.
        let problem = preference(&accept, "application/problem+json");
        let is_first = html > json && (problem.precision != EXACT || html > problem);
        if html.quality > 0.0 && is_first {
            Self::Page
        } else {
            Self::Json
        }
    }
}

/// Returns the preference that the most precise range gives a media type.
fn preference(accept: &str, media_type: &str) -> Preference {
    let kind = media_type.split('/').next().unwrap_or_default();
    let mut best = Preference {
        quality: 0.0,
        precision: 0,
    };
    for range in header_list::split(accept, ',') {
        let mut parts = header_list::split(range, ';');
        let name = parts.next().unwrap_or_default();
        let precision = if name.eq_ignore_ascii_case(media_type) {
            EXACT
        } else if name
            .strip_suffix("/*")
            .is_some_and(|name| name.eq_ignore_ascii_case(kind))
        {
            2
        } else if name == "*/*" {
            1
        } else {
            continue;
        };
        let Some(quality) = quality(parts) else {
            continue;
        };
        if (precision, quality) > (best.precision, best.quality) {
            best = Preference { quality, precision };
        }
    }
    best
}

/// Returns the weight among the parameters, or 1 without one. Returns `None` if it is malformed.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<f32> {
    let weight = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    match weight {
        None => Some(1.0),
        Some(text) => text
            .parse()
            .ok()
            .filter(|quality| (0.0..=1.0).contains(quality)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(accept: &str) -> Variant {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().expect("a header"));
        Variant::from_headers(&headers)
    }

    #[test]
    fn a_browser_gets_a_page() {
        for accept in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "text/html",
            "TEXT/HTML",
            "text/*",
            "text/html, */*",
            "application/json;q=0.9, text/html",
            "text/html;q=0.5, application/json;q=0.4",
            "text/html;charset=utf-8, */*;q=0.1",
            "application/json;q=0, */*",
            "text/html;q=0.9, text/html;q=0.1, application/json;q=0.5",
            "text/html;q=0.1, text/html;q=0.9, application/json;q=0.5",
        ] {
            assert_eq!(variant(accept), Variant::Page, "{accept}");
        }
    }

    #[test]
    fn a_client_that_does_not_prefer_html_gets_json() {
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/problem+json, text/html;q=0.9",
            "application/json, text/html",
            "text/html, application/json",
            "text/html;q=0.4, application/json;q=0.5",
            "text/html;q=0, */*",
            "text/html;q=0",
            "application/json;q=0.9, text/html; Q=0.1",
            "text/html;q=x",
            "text/*, application/json",
            "image/png",
            "application/*, text/html;q=0.9",
            "text/html;q=0.1, text/*;q=0.9, application/json;q=0.5",
            "text/*;q=0.9, text/html;q=0.1, application/json;q=0.5",
            "text/*;q=0.1, */*;q=0.9",
            "x;\"",
        ] {
            assert_eq!(variant(accept), Variant::Json, "{accept}");
        }
        assert_eq!(Variant::from_headers(&HeaderMap::new()), Variant::Json);
    }
}
