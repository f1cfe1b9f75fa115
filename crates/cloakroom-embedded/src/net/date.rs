//! The header `Date`.

use std::time::SystemTime;

use hyper::header::HeaderValue;

/// Returns the machine's time as `Date` has it.
pub(super) fn date() -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now())).expect("a date is ASCII")
}
