//! Headers of a submission.

use cloakroom_core::ClientJobId;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::{Error, Key, Submission};

const CALLBACK_EVENTS: HeaderName = HeaderName::from_static("callback-events");
const CALLBACK_URL: HeaderName = HeaderName::from_static("callback-url");
const CAUSATION_ID: HeaderName = HeaderName::from_static("causation-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("correlation-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const NOT_BEFORE: HeaderName = HeaderName::from_static("not-before");
const REPLY_TO: HeaderName = HeaderName::from_static("reply-to");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

impl Submission {
    /// Formats the options that are headers. All attempts send the same, with the same random key.
    ///
    /// # Errors
    /// [`Error::Input`] if the key, or the characters of another value, are not valid.
    pub(crate) fn headers(&self) -> Result<HeaderMap, Error> {
        let events = self
            .callback_events
            .map(|events| events.as_str().to_owned());
        let cause = self.cause.as_ref();
        let correlation_id = self.correlation_id.as_ref();
        let correlation_id = correlation_id.or(cause.map(|cause| &cause.correlation_id));
        let values = [
            (IDEMPOTENCY_KEY, quoted(&self.key)?),
            (NOT_BEFORE, self.not_before.map(|time| time.to_string())),
            (CALLBACK_URL, self.callback_url.clone()),
            (CALLBACK_EVENTS, events),
            (REPLY_TO, self.reply_to.clone()),
            (CORRELATION_ID, correlation_id.cloned()),
            (CAUSATION_ID, cause.map(|cause| cause.causation_id.clone())),
            (TRACEPARENT, cause.map(|cause| cause.traceparent.clone())),
            (TRACESTATE, cause.and_then(|cause| cause.tracestate.clone())),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            let Some(value) = value else { continue };
            let value = HeaderValue::try_from(value)
                .map_err(|error| Error::input(format!("the header {name}"), &error))?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

/// Formats the key as a structured-field string (RFC 9651, section 3.3.3). A bare key that begins with a quote would be misread.
fn quoted(key: &Key) -> Result<Option<String>, Error> {
    let key = match key {
        Key::Random => return Ok(Some(format!("\"{}\"", uuid::Uuid::new_v4()))),
        Key::Without => return Ok(None),
        Key::Given(key) => key,
    };
    let key: ClientJobId = key
        .parse()
        .map_err(|error| Error::input(format!("{key:?} as a key"), &error))?;
    let escaped = key.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    Ok(Some(format!("\"{escaped}\"")))
}
