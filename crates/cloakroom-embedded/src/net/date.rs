//! `Date` header.

use std::time::SystemTime;

use hyper::header::HeaderValue;

/// Returns the system time in the format of `Date`.
pub(super) fn date() -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now())).expect("a date is ASCII")
}
