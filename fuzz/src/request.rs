//! Requests as text: a request line, headers, an empty line and the body, as in HTTP but without lengths. Lines that
//! start with `---` separate requests, and may contain an action before the next one.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri};

/// Maximum number of requests in an input.
const MOST: usize = 8;

/// Action before a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// No action.
    Nothing,
    /// The worker processes all messages: `--- work`.
    Work,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) before: Before,
    pub(crate) method: Method,
    /// Target, if a server can parse it.
    pub(crate) uri: Uri,
    /// Query as sent, even if it is invalid in a URI.
    pub(crate) query: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Sent {
    /// Returns the header with this name, if it has one line.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.iter().filter(|(known, _)| known == name);
        lines
            .next()?
            .1
            .to_str()
            .ok()
            .filter(|_| lines.next().is_none())
    }
}

/// Splits an input at lines that start with `---`. Returns each part with the rest of the line before it.
pub(crate) fn parts(input: &[u8]) -> Vec<(&[u8], &[u8])> {
    let (mut parts, mut word, mut begin, mut at) = (vec![], &b""[..], 0, 0);
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"---") {
            parts.push((word, &input[begin..at]));
            (word, begin) = (rest.trim_ascii(), at + line.len());
        }
        at += line.len();
    }
    parts.push((word, &input[begin..]));
    parts.truncate(MOST);
    parts
}

/// Parses a request, if it has a request line. In its head, `{job}` is replaced by a job's path, and `{upload}` by an
/// upload's id. Headers that a server would reject are omitted.
pub(crate) fn read(before: &[u8], text: &[u8], job: &str, upload: &str) -> Option<Sent> {
    let (head, body) = match text.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&text[..at], &text[at + 2..]),
        None => (text, &b""[..]),
    };
    let head = match std::str::from_utf8(head) {
        Ok(head) => head
            .replace("{job}", job)
            .replace("{upload}", upload)
            .into_bytes(),
        Err(_) => head.to_owned(),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let target = String::from_utf8_lossy(words.next()?);
    let query = target
        .split_once('?')
        .map_or_else(String::new, |(_, query)| query.to_owned());
    let uri = Uri::try_from(&*target)
        .or_else(|_| Uri::try_from(target.replace(|c| !allowed(c), "%3C")))
        .ok()?;
    let header = |line: &[u8]| {
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        Some((
            name,
            HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?,
        ))
    };
    let before = if before == b"work" {
        Before::Work
    } else {
        Before::Nothing
    };
    let headers = lines.filter_map(header).collect();
    Some(Sent {
        before,
        method,
        uri,
        query,
        headers,
        body: Bytes::copy_from_slice(body),
    })
}

/// Returns true if a URI may contain the character.
fn allowed(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '`' | '\\' | '^' | '{' | '}' | '|')
}
