//! `Accept` (RFC 9110, section 12.5.1): whether a person or a program asks.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::list;

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// JSON; also to whoever accepts neither, as an answer is better than none.
    Json,
    /// A page for a person.
    Page,
}

/// The precision of a media type that was named in full.
const EXACT: u8 = 3;

/// How much a media type is wanted: by its quality, then by how closely it was named.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Wish {
    quality: f32,
    precision: u8,
}

impl Variant {
    /// The page where HTML is wanted more than JSON; JSON otherwise.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let Some(accept) = list::joined(headers, &ACCEPT) else {
            return Self::Json;
        };
        let html = wish(&accept, "text/html");
        // A program that names problem documents alone is one for all that.
        let problem = Some(wish(&accept, "application/problem+json"))
            .filter(|problem| problem.precision == EXACT);
        let json = wish(&accept, "application/json");
        let json = problem.filter(|problem| *problem > json).unwrap_or(json);
        if html.quality > 0.0 && html > json {
            Self::Page
        } else {
            Self::Json
        }
    }
}

/// What the closest range that a media type is in says of it.
fn wish(accept: &str, media_type: &str) -> Wish {
    let kind = media_type.split('/').next().unwrap_or_default();
    let mut best = Wish {
        quality: 0.0,
        precision: 0,
    };
    for range in list::split(accept, ',') {
        let mut parts = list::split(range, ';');
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
        if precision > best.precision || (precision == best.precision && quality > best.quality) {
            best = Wish { quality, precision };
        }
    }
    best
}

/// The weight among the parameters, 1 where there is none; `None` when it is malformed.
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
        Variant::of(&headers)
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
    fn whoever_does_not_prefer_html_gets_json() {
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
        assert_eq!(Variant::of(&HeaderMap::new()), Variant::Json);
    }
}
