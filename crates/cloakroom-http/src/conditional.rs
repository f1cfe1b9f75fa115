//! `If-None-Match` and `If-Match` (RFC 9110, sections 13.1.1 and 13.1.2).
//!
//! [`Preconditions`] of a request that writes are checked by the write. For a request that reads, [`IfNoneMatch`] decides
//! between 200 and 304, and [`if_match`] checks the response.

use axum::response::{IntoResponse as _, Response};
use cloakroom_core::{Code, Job};
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::accept::Variant;
use crate::problems::Rejection;
use crate::{header_list, job_view};

/// Preconditions of a request that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

impl Preconditions {
    /// Parses the preconditions of a request. Returns `None` without any.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Option<Self>, Rejection> {
        let (if_match, if_none_match) = (
            Tags::from_headers(headers, &IF_MATCH)?,
            Tags::from_headers(headers, &IF_NONE_MATCH)?,
        );
        let some = if_match.is_some() || if_none_match.is_some();
        Ok(some.then_some(Self {
            if_match,
            if_none_match,
        }))
    }

    /// Returns true if a job meets them, or the absence of a job. Both the page's and the document's tags identify it.
    pub(crate) fn met_by(&self, job: Option<&Job>) -> bool {
        let tags = job.map(|job| {
            [
                job_view::etag(job, Variant::Json),
                job_view::etag(job, Variant::Page),
            ]
        });
        let tags = tags.as_ref().map(<[String; 2]>::as_slice);
        self.if_match
            .as_ref()
            .is_none_or(|required| required.match_any(tags, Comparison::Strong))
            && self
                .if_none_match
                .as_ref()
                .is_none_or(|excluded| !excluded.match_any(tags, Comparison::Weak))
    }
}

/// Returns the rejection of a request whose preconditions are not met.
pub(crate) fn precondition_failed() -> Rejection {
    let detail = "the job does not exist, or does not match If-Match or If-None-Match, and nothing was changed; \
                  read the job again and send its current ETag";
    Rejection::new(Code::PreconditionFailed, detail)
}

/// Parses `If-Match` of a request that reads.
pub(crate) fn if_match_of_read(
    method: &Method,
    headers: &HeaderMap,
) -> Option<Result<Tags, Rejection>> {
    let reads = *method == Method::GET || *method == Method::HEAD;
    if reads {
        Tags::from_headers(headers, &IF_MATCH).transpose()
    } else {
        None
    }
}

/// Replaces a successful response that does not match by 412 (RFC 9110, section 13.2.1).
pub(crate) fn if_match(response: Response, tags: Option<&Result<Tags, Rejection>>) -> Response {
    let success = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    match tags {
        Some(Err(rejection)) if success => rejection.clone().into_response(),
        Some(Ok(required)) if success => {
            let tag = response
                .headers()
                .get(ETAG)
                .and_then(|tag| tag.to_str().ok())
                .map(ToOwned::to_owned);
            let tags: Vec<_> = tag.into_iter().collect();
            if required.match_any(Some(&tags), Comparison::Strong) {
                response
            } else {
                precondition_failed().into_response()
            }
        }
        _ => response,
    }
}

/// Entity tags of a precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tags {
    /// `*`: any tag of a resource that exists.
    Any,
    /// One of these.
    List(Vec<Tag>),
}

/// An entity tag (RFC 9110, section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    weak: bool,
    /// Text, with its quotes.
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

impl Tags {
    fn from_headers(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, Rejection> {
        if !headers.contains_key(name) {
            return Ok(None);
        }
        let lines: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        let rule = || {
            let name = if *name == IF_MATCH {
                "If-Match"
            } else {
                "If-None-Match"
            };
            Rejection::invalid(format!(
                "{name} is not valid; send *, or ETags with their quotes"
            ))
        };
        Self::parse(&lines.join(",")).map(Some).ok_or_else(rule)
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let (mut tags, mut rest) = (Vec::new(), text);
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                // Empty elements of a list are ignored (section 5.6.1.2). An empty list matches nothing.
                return Some(Self::List(tags));
            }
            let (weak, quoted) = rest
                .strip_prefix("W/")
                .map_or((false, rest), |quoted| (true, quoted));
            let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
            if tag.contains(|c: char| c == ' ' || c.is_ascii_control()) {
                return None;
            }
            tags.push(Tag {
                weak,
                text: format!("\"{tag}\""),
            });
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
    }

    /// Returns true if one of a resource's strong tags is among them. `None` is a resource that does not exist.
    fn match_any(&self, tags: Option<&[String]>, comparison: Comparison) -> bool {
        match (self, tags) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::List(known), Some(tags)) => {
                let counts = |known: &&Tag| comparison == Comparison::Weak || !known.weak;
                known
                    .iter()
                    .filter(counts)
                    .any(|known| tags.contains(&known.text))
            }
        }
    }
}

/// Tags of the representations that the client has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    /// `*`: any tag.
    Any,
    /// One of these, each with its quotes and without its `W/`, as the comparison is weak.
    Tags(Vec<String>),
}

impl IfNoneMatch {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = header_list::join_lines(headers, &IF_NONE_MATCH)?;
        Some(if text.trim() == "*" {
            Self::Any
        } else {
            Self::Tags(split_tags(&text))
        })
    }

    /// Returns true if the client has the representation with this tag, in its quotes.
    pub(crate) fn contains(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|known| known == tag),
        }
    }
}

/// Splits a list into its tags. In a tag, unlike in a quoted string, a backslash has no special meaning.
fn split_tags(text: &str) -> Vec<String> {
    let mut pieces = text.split('"');
    let mut tags = Vec::new();
    // Each tag is between an odd quote and the next one. Text after the last pair is no tag.
    while let (Some(_), Some(tag)) = (pieces.next(), pieces.next()) {
        tags.push(format!("\"{tag}\""));
    }
    if text.matches('"').count() % 2 == 1 {
        tags.pop();
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(lines: &[&str], tag: &str) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_NONE_MATCH, line.parse().expect("a header"));
        }
        IfNoneMatch::from_headers(&headers)
            .expect("there is one")
            .contains(tag)
    }

    #[test]
    fn a_condition_is_a_star_or_tags_in_quotes() {
        let tag = |weak, text: &str| Tag {
            weak,
            text: text.to_owned(),
        };
        assert_eq!(Tags::parse(" * "), Some(Tags::Any));
        let list = vec![
            tag(false, "\"a,b\""),
            tag(true, "\"c\""),
            tag(false, "\"\""),
        ];
        assert_eq!(
            Tags::parse("\"a,b\" ,W/\"c\",, \"\""),
            Some(Tags::List(list))
        );
        for empty in ["", " , "] {
            assert_eq!(Tags::parse(empty), Some(Tags::List(vec![])), "{empty:?}");
        }
        for bad in [
            "\"a b\"",
            "\"a\tb\"",
            "a",
            "\"a",
            "a\"",
            "\"a\" \"b\"",
            "\"a\"b",
            "w/\"a\"",
            "*, \"a\"",
            "\"a\", *",
            "**",
        ] {
            assert_eq!(Tags::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_weak_tag_never_matches_strongly() {
        let weak = Tags::parse("W/\"a\"").expect("a tag");
        let tags = ["\"a\"".to_owned()];
        assert!(
            weak.match_any(Some(&tags), Comparison::Weak)
                && !weak.match_any(Some(&tags), Comparison::Strong)
        );
        assert!(
            !Tags::Any.match_any(None, Comparison::Weak),
            "nothing exists"
        );
    }

    #[test]
    fn a_tag_is_found_in_a_list_by_weak_comparison() {
        for lines in [
            &["\"a-1\""][..],
            &["W/\"a-1\""],
            &["\"x\", W/\"a-1\" , \"y\""],
            &["\"x\"", "\"a-1\""],
            &["\"x,y\",\"a-1\""],
            &["*"],
            &["\"\\\",\"a-1\""],
        ] {
            assert!(contains(lines, "\"a-1\""), "{lines:?}");
        }
        for lines in [
            &[""][..],
            &["a-1"],
            &["\"a-2\""],
            &["\"a-1"],
            &["\"x\", \"a-1"],
            &["\"x,\"a-1\",y\""],
        ] {
            assert!(!contains(lines, "\"a-1\""), "{lines:?}");
        }
        assert_eq!(IfNoneMatch::from_headers(&HeaderMap::new()), None);
    }
}
