//! `Idempotency-Key`: the client's own id of a job, as a structured-field string (RFC 9651, section 3.3.3) or bare.

use cloakroom_core::{ClientJobId, Code};
use http::{HeaderMap, HeaderName};

use crate::problems::Rejection;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Parses the key of a request, if it has one. The quoted and the bare form are the same key.
pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<ClientJobId>, Rejection> {
    let mut lines = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(invalid(
            "the request has more than one Idempotency-Key; send one",
        ));
    }
    let text = line.to_str().map_err(|_| invalid(RULE))?;
    let key = match text.trim_matches([' ', '\t']) {
        quoted if quoted.starts_with('"') => unquote(quoted).ok_or_else(|| invalid(RULE))?,
        bare => bare.to_owned(),
    };
    key.parse().map(Some).map_err(|_| invalid(RULE))
}

const RULE: &str = "send 1 to 255 visible ASCII characters without spaces as the Idempotency-Key, bare or in double \
                    quotes with \\ before each \" and \\";

fn invalid(detail: &str) -> Rejection {
    Rejection::new(Code::InvalidIdempotencyKey, detail)
}

/// Parses a structured-field string. Returns `None` if it is malformed.
fn unquote(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('"')?.chars();
    let mut key = String::new();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(key),
            '\\' => key.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => key.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(lines: &[&[u8]]) -> Result<Option<String>, Rejection> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                IDEMPOTENCY_KEY,
                http::HeaderValue::from_bytes(line).expect("a header"),
            );
        }
        from_headers(&headers).map(|key| key.map(String::from))
    }

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        for (sent, read) in [
            ("order-1042", "order-1042"),
            ("\"order-1042\"", "order-1042"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r"a\b", r"a\b"),
            ("a\"b", "a\"b"),
            (" \"x\" ", "x"),
            ("a,b;c=d", "a,b;c=d"),
        ] {
            assert_eq!(
                key(&[sent.as_bytes()]).expect("a good key").as_deref(),
                Some(read),
                "{sent}"
            );
        }
        let longest = "k".repeat(255);
        assert_eq!(
            key(&[format!("\"{longest}\"").as_bytes()])
                .expect("a good key")
                .as_deref(),
            Some(longest.as_str())
        );
        assert_eq!(key(&[]).expect("no key"), None);
    }

    proptest! {
        #[test]
        fn any_key_is_read_from_its_quoted_form_and_from_its_bare_one(text in "[!-~]{1,255}") {
            let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(key(&[quoted.as_bytes()]).expect("a good key"), Some(text.clone()));
            if !text.starts_with('"') {
                prop_assert_eq!(key(&[text.as_bytes()]).expect("a good key"), Some(text));
            }
        }
    }

    #[test]
    fn a_malformed_key_is_rejected() {
        let long = "k".repeat(256);
        for bad in [
            "",
            "\"\"",
            " ",
            "a b",
            "\"a b\"",
            "\"a",
            "\"",
            "\"a\"b",
            "\"a\\\"",
            "\"a\\b\"",
            "\"a\";p=1",
            &long,
            "\"a\tb\"",
        ] {
            assert!(key(&[bad.as_bytes()]).is_err(), "{bad}");
        }
        assert!(key(&["é".as_bytes()]).is_err() && key(&[b"\xff"]).is_err());
        assert!(key(&[b"a", b"a"]).is_err(), "two lines");
    }
}
