//! The ids that tie a request to its job's run and to the caller's own traces.
//!
//! A request belongs to the trace that its `traceparent` names; else to X-Ray's, where its `X-Amzn-Trace-Id` names one;
//! else to one that begins here. So every request has a trace id, and every job.

mod xray;

use cloakroom_app::TraceContext;
use cloakroom_app::envelope::RequestTrace;
use cloakroom_core::{CommandType, JobId, Tenant};
use http::HeaderMap;
use http::request::Parts;
use tracing::field::display;
use uuid::Uuid;
use xray::XRay;

/// The most bytes of a `tracestate` that are carried: what the standard asks to be carried at least (section 3.3.1.5).
const TRACESTATE_LIMIT: usize = 512;

/// The ids of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    /// The caller's own, if it is 1 to 128 visible ASCII characters, else made here.
    pub(crate) request_id: String,
    pub(crate) trace: TraceContext,
    tracestate: Option<String>,
    xray: Option<XRay>,
}

impl Ids {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let xray = one(headers, "x-amzn-trace-id").and_then(XRay::parse);
        let sent = one(headers, "traceparent").and_then(|text| TraceContext::parse(text.trim()));
        // It belongs to the `traceparent` that it came with, and to no other.
        let tracestate = sent.as_ref().and_then(|_| tracestate(headers));
        let trace = sent.or_else(|| xray.as_ref().map(|xray| xray.trace(random())));
        let trace = trace.unwrap_or_else(|| TraceContext::new(random()));
        let good =
            |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        let request_id = headers
            .get("x-request-id")
            .and_then(|value| value.to_str().ok())
            .filter(good);
        let request_id = request_id.map_or_else(|| Uuid::new_v4().to_string(), ToOwned::to_owned);
        Self {
            request_id,
            trace,
            tracestate,
            xray,
        }
    }

    fn trace(&self) -> RequestTrace {
        RequestTrace {
            traceparent: Some(self.trace.to_string()),
            tracestate: self.tracestate.clone(),
            request_id: Some(self.request_id.clone()),
            xray: self.xray.as_ref().map(XRay::to_string),
        }
    }
}

/// What goes along with a command.
pub(crate) fn of(parts: &Parts) -> RequestTrace {
    parts.extensions.get().map(Ids::trace).unwrap_or_default()
}

/// Says in the lines of the log that are still to come whose request this is, and of which job; once each.
pub(crate) fn about(tenant: Option<&Tenant>, command: Option<&CommandType>, job: Option<JobId>) {
    let span = tracing::Span::current();
    tenant.map(|tenant| span.record("tenant", display(tenant)));
    command.map(|command| span.record("command", display(command)));
    job.map(|job| span.record("job_id", display(job)));
}

/// A header that is sent once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    lines
        .next()?
        .to_str()
        .ok()
        .filter(|_| lines.next().is_none())
}

/// The lines of a `tracestate`, as one; none of it, where it is too long or no visible ASCII.
fn tracestate(headers: &HeaderMap) -> Option<String> {
    let lines: Option<Vec<_>> = headers
        .get_all("tracestate")
        .iter()
        .map(|line| line.to_str().ok().map(str::trim))
        .collect();
    let text = lines?.join(",");
    let good = text.bytes().all(|b| matches!(b, b' '..=b'~'))
        && (1..=TRACESTATE_LIMIT).contains(&text.len());
    good.then_some(text)
}

fn random() -> u128 {
    // Its version and variant are six bits of 122; a trace id needs no more than to be another one each time.
    Uuid::new_v4().as_u128()
}

#[cfg(test)]
mod tests;
