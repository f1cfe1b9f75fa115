//! Lists in headers (RFC 9110, section 5.6.1): over several lines, and with commas in quoted strings.

use http::{HeaderMap, HeaderName};

/// Joins the lines of a header to one list. Lines that are not text are left out.
pub(crate) fn join_lines(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// Splits a text at the separators outside of quoted strings. The parts are trimmed, and empty ones left out.
pub(crate) fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |c| {
        if escaped {
            escaped = false;
        } else if quoted && c == '\\' {
            escaped = true;
        } else if c == '"' {
            quoted = !quoted;
        }
        c == separator && !quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// Reads a token or a quoted string (RFC 9110, section 5.6.4). Returns `None` if the text is neither.
pub(crate) fn unquote(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        return (!text.is_empty() && !text.contains([' ', '\t', '"'])).then(|| text.to_owned());
    };
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(value),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::ACCEPT;

    use super::*;

    #[test]
    fn lines_are_joined_without_those_that_are_not_text() {
        let mut headers = HeaderMap::new();
        assert_eq!(join_lines(&headers, &ACCEPT), None);
        for line in [&b"a"[..], b"\xc3\xa9", b"b,c"] {
            let line = HeaderValue::from_bytes(line).expect("a header");
            headers.append(ACCEPT, line);
        }
        assert_eq!(join_lines(&headers, &ACCEPT).as_deref(), Some("a,b,c"));
    }

    #[test]
    fn separators_in_quoted_strings_are_text() {
        assert_eq!(
            split(r#"a, ,b="x,\",y" ,c"#, ',').collect::<Vec<_>>(),
            ["a", r#"b="x,\",y""#, "c"]
        );
        assert_eq!(
            split(r#""a,b",c"#, ',').collect::<Vec<_>>(),
            [r#""a,b""#, "c"],
            "from the first character on"
        );
    }

    #[test]
    fn a_value_is_a_token_or_a_quoted_string() {
        assert_eq!(unquote("10").as_deref(), Some("10"));
        assert_eq!(unquote(r#""1\0""#).as_deref(), Some("10"));
        for bad in ["", "1 0", "\"10", "\"10\"0", "\"", "\"\\\""] {
            assert_eq!(unquote(bad), None, "{bad}");
        }
    }
}
