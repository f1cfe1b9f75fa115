//! `If-None-Match` and `If-Match` (RFC 9110, sections 13.1.1 and 13.1.2).
//!
//! A request that changes something is a [`Preconditions`] away from it: they are asked at the write. Of a request that reads,
//! `If-None-Match` decides whether it is answered 304, by [`IfNoneMatch`]; `If-Match` is asked of the answer ([`if_matched`]).

use axum::response::{IntoResponse as _, Response};
use cloakroom_core::{Code, Job};
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::accept::Variant;
use crate::problems::Refused;
use crate::{answer, list};

/// Conditions of a request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preconditions {
    matched: Option<Tags>,
    not_matched: Option<Tags>,
}

impl Preconditions {
    /// Reads the conditions of a request; `None` if it has none.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Option<Self>, Refused> {
        let (matched, not_matched) = (
            Tags::of(headers, &IF_MATCH)?,
            Tags::of(headers, &IF_NONE_MATCH)?,
        );
        let some = matched.is_some() || not_matched.is_some();
        Ok(some.then_some(Self {
            matched,
            not_matched,
        }))
    }

    /// Returns whether they hold of a job, or of none. The tag of its page stands for it as well as the document's.
    pub(crate) fn hold(&self, job: Option<&Job>) -> bool {
        let tags = job.map(|job| {
            [
                answer::etag(job, Variant::Json),
                answer::etag(job, Variant::Page),
            ]
        });
        let tags = tags.as_ref().map(<[String; 2]>::as_slice);
        self.matched
            .as_ref()
            .is_none_or(|wanted| wanted.have(tags, Comparison::Strong))
            && self
                .not_matched
                .as_ref()
                .is_none_or(|known| !known.have(tags, Comparison::Weak))
    }
}

/// The answer to a request whose conditions do not hold.
pub(crate) fn failed() -> Refused {
    let detail = "the job is not as If-Match or If-None-Match asks, or does not exist, and nothing was changed; \
                  read it again, and send its current ETag";
    Refused::new(Code::PreconditionFailed, detail)
}

/// The `If-Match` of a request that reads.
pub(crate) fn wanted(method: &Method, headers: &HeaderMap) -> Option<Result<Tags, Refused>> {
    let reads = *method == Method::GET || *method == Method::HEAD;
    if reads {
        Tags::of(headers, &IF_MATCH).transpose()
    } else {
        None
    }
}

/// 412 in place of an answer that does not match. Asked only of a success (RFC 9110, section 13.2.1).
pub(crate) fn if_matched(response: Response, wanted: Option<&Result<Tags, Refused>>) -> Response {
    let shown = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    match wanted {
        Some(Err(refused)) if shown => refused.clone().into_response(),
        Some(Ok(wanted)) if shown => {
            let tag = response
                .headers()
                .get(ETAG)
                .and_then(|tag| tag.to_str().ok())
                .map(ToOwned::to_owned);
            let tags: Vec<_> = tag.into_iter().collect();
            if wanted.have(Some(&tags), Comparison::Strong) {
                response
            } else {
                failed().into_response()
            }
        }
        _ => response,
    }
}

/// The tags of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tags {
    /// `*`: of anything that exists.
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
    fn of(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, Refused> {
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
            Refused::invalid(format!(
                "{name} is not valid; send *, or ETags as they came, each in its quotes"
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
                // Empty elements of a list are ignored (section 5.6.1.2): a list of none matches nothing.
                return Some(Self::List(tags));
            }
            let (weak, quoted) = rest
                .strip_prefix("W/")
                .map_or((false, rest), |quoted| (true, quoted));
            let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
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

    /// Returns whether one of these strong tags is among them; `None` stands for nothing that exists.
    fn have(&self, tags: Option<&[String]>, comparison: Comparison) -> bool {
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

/// What the client has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    /// `*`: anything.
    Any,
    /// One of these, each with its quotes and without its `W/`: the comparison is the weak one.
    Tags(Vec<String>),
}

impl IfNoneMatch {
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = list::joined(headers, &IF_NONE_MATCH)?;
        Some(if text.trim() == "*" {
            Self::Any
        } else {
            Self::Tags(tags(&text))
        })
    }

    /// Whether the client has this, with its quotes.
    pub(crate) fn has(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|known| known == tag),
        }
    }
}

/// The tags of a list. In a tag, unlike in a quoted string, a backslash is nothing special.
fn tags(text: &str) -> Vec<String> {
    let mut pieces = text.split('"');
    let mut tags = Vec::new();
    // What is between an odd quote and the next one is a tag; what remains after the last pair is not.
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

    fn has(lines: &[&str], tag: &str) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_NONE_MATCH, line.parse().expect("a header"));
        }
        IfNoneMatch::of(&headers).expect("there is one").has(tag)
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
            weak.have(Some(&tags), Comparison::Weak) && !weak.have(Some(&tags), Comparison::Strong)
        );
        assert!(!Tags::Any.have(None, Comparison::Weak), "nothing exists");
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
            assert!(has(lines, "\"a-1\""), "{lines:?}");
        }
        for lines in [
            &[""][..],
            &["a-1"],
            &["\"a-2\""],
            &["\"a-1"],
            &["\"x\", \"a-1"],
            &["\"x,\"a-1\",y\""],
        ] {
            assert!(!has(lines, "\"a-1\""), "{lines:?}");
        }
        assert_eq!(IfNoneMatch::of(&HeaderMap::new()), None);
    }
}
