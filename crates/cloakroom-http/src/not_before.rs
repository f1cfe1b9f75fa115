//! `Not-Before`: earliest start of a job, as an RFC 3339 time.

use cloakroom_core::{Code, Timestamp};
use http::{HeaderMap, HeaderName};

use crate::problems::Rejection;

const NOT_BEFORE: HeaderName = HeaderName::from_static("not-before");

/// Parses the time of a request, if it has one. A time in the past means now.
pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<Timestamp>, Rejection> {
    let mut lines = headers.get_all(NOT_BEFORE).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(invalid(
            "the request has more than one Not-Before; send one",
        ));
    }
    let time = line.to_str().ok().and_then(|text| text.trim().parse().ok());
    time.map(Some).ok_or_else(|| {
        invalid("Not-Before is not an RFC 3339 time; send one with Z or an offset, such as 2026-11-21T08:00:00Z")
    })
}

pub(crate) fn invalid(detail: impl Into<String>) -> Rejection {
    Rejection::new(Code::InvalidNotBefore, detail)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(lines: &[&str]) -> Result<Option<i64>, Rejection> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(NOT_BEFORE, HeaderValue::from_str(line).expect("a header"));
        }
        from_headers(&headers).map(|time| time.map(Timestamp::as_millis))
    }

    #[test]
    fn a_time_is_read_in_any_offset() {
        let millis = Some(1_795_248_000_000);
        for text in [
            "2026-11-21T08:00:00Z",
            "2026-11-21T09:00:00.000+01:00",
            " 2026-11-21T08:00:00.0000000000Z ",
        ] {
            assert_eq!(read(&[text]).expect("a time"), millis, "{text}");
        }
        assert_eq!(read(&[]).expect("none"), None);
    }

    #[test]
    fn a_malformed_time_is_rejected() {
        for text in [
            "",
            "tomorrow",
            "2026-11-21",
            "2026-11-21T08:00:00",
            "1795248000",
            "2026-13-21T08:00:00Z",
            "2026-11-21T08:00:00+24:00",
            "2026-11-21T08:00:60Z",
        ] {
            assert!(read(&[text]).is_err(), "{text}");
        }
        assert!(
            read(&["2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z"]).is_err(),
            "two lines"
        );
    }
}
