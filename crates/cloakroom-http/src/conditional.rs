//! `If-None-Match` (RFC 9110, section 13.1.2).

use http::HeaderMap;
use http::header::IF_NONE_MATCH;

use crate::list;

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
        Some(if text.trim() == "*" { Self::Any } else { Self::Tags(tags(&text)) })
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
        for lines in [&[""][..], &["a-1"], &["\"a-2\""], &["\"a-1"], &["\"x\", \"a-1"], &["\"x,\"a-1\",y\""]] {
            assert!(!has(lines, "\"a-1\""), "{lines:?}");
        }
        assert_eq!(IfNoneMatch::of(&HeaderMap::new()), None);
    }
}
