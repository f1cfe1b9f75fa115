//! Removes credentials from texts that people read: messages, errors and log lines.
//!
//! A URL contains credentials in two places: before its host (`user:password@`), and in the query of a presigned URL.

use std::error::Error;

/// Replacement for removed text.
const REMOVED: &str = "***";

/// Returns a text without the credentials of the URLs in it.
pub fn text(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| !is_boundary(c)) {
        let (before, word) = rest.split_at(start);
        let end = word.find(is_boundary).unwrap_or(word.len());
        redacted.push_str(before);
        let (word, after) = word.split_at(end);
        if word.contains("://") || is_signed(word) {
            redacted.push_str(&url(word));
        } else {
            redacted.push_str(word);
        }
        rest = after;
    }
    redacted + rest
}

/// Returns an error and its causes in one line, without credentials and without what a cause repeats.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    self::text(&text.replace(['\r', '\n'], " "))
}

/// Returns a URL without its credentials and its query. In a malformed URL, everything before the last `@` is removed,
/// because an unescaped password is a common reason.
pub fn url(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (&url[..scheme.len() + 3], rest),
        None => ("", url),
    };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let credentials = match authority.rfind('@') {
        Some(at) => Some(at),
        None if scheme.is_empty() || !has_good_port(authority) => rest.rfind('@'),
        None => None,
    };
    let (mark, rest) = match credentials {
        Some(at) => (format!("{REMOVED}@"), &rest[at + 1..]),
        None => (String::new(), rest),
    };
    match rest.split_once('?') {
        Some((before, _)) => format!("{scheme}{mark}{before}?{REMOVED}"),
        None => format!("{scheme}{mark}{rest}"),
    }
}

/// Characters that end a URL in a text.
fn is_boundary(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')
}

/// Returns true if a word looks like a presigned URL, with or without a scheme.
fn is_signed(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.split_once('?')
        .is_some_and(|(_, query)| query.contains("x-amz-") || query.contains("signature="))
}

fn has_good_port(authority: &str) -> bool {
    let after_address = authority.rsplit(']').next().unwrap_or_default();
    after_address
        .split_once(':')
        .is_none_or(|(_, port)| port.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
