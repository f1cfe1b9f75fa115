//! Ids that connect a request to the runs of its job and to the caller's own traces.
//!
//! The trace of a request is the one in its `traceparent`, else X-Ray's in its `X-Amzn-Trace-Id`, else a new one. So every
//! request has a trace id, and every job.

mod xray;

use cloakroom_app::TraceContext;
use cloakroom_app::envelope::RequestTrace;
use cloakroom_core::{CommandType, JobId, Tenant};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use tracing::field::display;
use uuid::Uuid;
use xray::XRay;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Id of a request.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Most bytes of a `tracestate` that are passed on: the standard's minimum (section 3.3.1.5).
const TRACESTATE_LIMIT: usize = 512;

/// Ids of a request and of its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestIds {
    /// Caller's own id if it is 1 to 128 visible ASCII characters, else a new one.
    pub(crate) request_id: String,
    pub(crate) context: TraceContext,
    tracestate: Option<String>,
    xray: Option<XRay>,
}

impl RequestIds {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let xray = single_line(headers, &X_AMZN_TRACE_ID).and_then(XRay::parse);
        let sent =
            single_line(headers, &TRACEPARENT).and_then(|text| TraceContext::parse(text.trim()));
        // A `tracestate` belongs to the `traceparent` beside it, and to no other.
        let tracestate = sent.as_ref().and_then(|_| tracestate(headers));
        let context = sent.or_else(|| xray.as_ref().map(|xray| xray.trace_context(random())));
        let context = context.unwrap_or_else(|| TraceContext::new(random()));
        let valid =
            |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        let request_id = headers
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(valid);
        let request_id = request_id.map_or_else(|| Uuid::new_v4().to_string(), ToOwned::to_owned);
        Self {
            request_id,
            context,
            tracestate,
            xray,
        }
    }

    fn envelope_trace(&self) -> RequestTrace {
        RequestTrace {
            traceparent: Some(self.context.to_string()),
            tracestate: self.tracestate.clone(),
            request_id: Some(self.request_id.clone()),
            xray: self.xray.as_ref().map(XRay::to_string),
        }
    }
}

/// Returns the trace that the envelope of a command carries.
pub(crate) fn envelope_trace(parts: &Parts) -> RequestTrace {
    parts
        .extensions
        .get()
        .map(RequestIds::envelope_trace)
        .unwrap_or_default()
}

/// Records the tenant, command and job in the request's span, for the log lines that follow. Each is recorded once.
pub(crate) fn record(tenant: Option<&Tenant>, command: Option<&CommandType>, job: Option<JobId>) {
    let span = tracing::Span::current();
    tenant.map(|tenant| span.record("tenant", display(tenant)));
    command.map(|command| span.record("command", display(command)));
    job.map(|job| span.record("job_id", display(job)));
}

/// Returns the value of a header that has exactly one line.
fn single_line<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    lines
        .next()?
        .to_str()
        .ok()
        .filter(|_| lines.next().is_none())
}

/// Joins the lines of a `tracestate`. Returns `None` if it is too long, or not visible ASCII.
fn tracestate(headers: &HeaderMap) -> Option<String> {
    let lines: Option<Vec<_>> = headers
        .get_all(TRACESTATE)
        .iter()
        .map(|line| line.to_str().ok().map(str::trim))
        .collect();
    let text = lines?.join(",");
    let valid = text.bytes().all(|b| matches!(b, b' '..=b'~'))
        && (1..=TRACESTATE_LIMIT).contains(&text.len());
    valid.then_some(text)
}

fn random() -> u128 {
    // Six of its bits are fixed, for version and variant. A trace id only needs to be unique.
    Uuid::new_v4().as_u128()
}

#[cfg(test)]
mod tests;
