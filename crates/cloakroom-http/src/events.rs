//! `GET /jobs/{id}/events`: Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! The cursor of a stream is the job's version. A stream begins with the job as it is, unless the cursor has it. It ends
//! with the job, or after its window: then the client reconnects with its cursor. 204 tells a client to stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use cloakroom_app::jobs::{Follow, FollowStep};
use cloakroom_core::{Job, JobKey};
use futures::StreamExt as _;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::job_query::job_key;
use crate::jobs_state::JobsState;
use crate::long_polls::Permit;
use crate::prefer::Prefer;
use crate::problems::Rejection;
use crate::response;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Longest time without a line: proxies close connections that are silent.
const SILENCE: Duration = Duration::from_secs(15);

/// First line of a stream: milliseconds until a client reconnects.
const RETRY: &str = "retry: 2000\n\n";

pub(crate) async fn events(
    State(state): State<Arc<JobsState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let key = job_key(id, &parts)?;
    stream(state, key, &parts).await
}

/// Responds with the events of a job.
pub(crate) async fn stream(
    state: Arc<JobsState>,
    key: JobKey,
    parts: &Parts,
) -> Result<Response, Rejection> {
    let cursor = cursor(&parts.headers, parts.uri.query().unwrap_or_default());
    let job = state.load(&key).await?;
    if job.status.is_terminal() && cursor.is_some_and(|cursor| job.version <= cursor) {
        return Ok(response::no_store(response::empty(StatusCode::NO_CONTENT)));
    }
    let permit = state.long_polls.acquire(&key.tenant);
    let longest = state.site.longest_stream;
    let asked = Prefer::from_headers(&parts.headers).wait;
    let window = match (&permit, asked) {
        (None, _) => Duration::ZERO,
        (Some(_), None) => longest,
        (Some(_), Some(seconds)) => Duration::from_secs(seconds.max(1)).min(longest),
    };
    let follow = state.jobs.follow(key, cursor, window);
    let lines = futures::stream::unfold(
        Some(Lines {
            follow,
            state,
            _permit: permit,
        }),
        Lines::next,
    );
    let first = futures::stream::iter([Ok::<_, Infallible>(Bytes::from_static(RETRY.as_bytes()))]);
    let mut response = Response::new(Body::from_stream(first.chain(lines.map(Ok))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // nginx buffers responses without this.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response::no_store(response))
}

/// Lines of a stream that are still to come.
struct Lines {
    follow: Follow,
    state: Arc<JobsState>,
    /// Held until the stream ends, never read.
    _permit: Option<Permit>,
}

impl Lines {
    /// Returns the next lines, and what follows them.
    async fn next(lines: Option<Self>) -> Option<(Bytes, Option<Self>)> {
        let mut lines = lines?;
        match lines.follow.next(SILENCE).await {
            Ok(FollowStep::Changed(job)) => {
                let text = event(&lines.state, &job);
                Some((text, (!job.status.is_terminal()).then_some(lines)))
            }
            Ok(FollowStep::Silence) => Some((Bytes::from_static(b":\n\n"), Some(lines))),
            Ok(FollowStep::End) => None,
            Err(error) => {
                // The client reconnects, and goes on where it was.
                tracing::warn!(%error, "ended a stream of events early");
                None
            }
        }
    }
}

fn event(state: &JobsState, job: &Job) -> Bytes {
    let view = serde_json::to_string(&state.view(job)).expect("a job document is always written");
    Bytes::from(format!("event: job\nid: {}\ndata: {view}\n\n", job.version))
}

/// Returns the version that the client has. What is not a version is ignored, as an `EventSource` can't correct it.
fn cursor(headers: &HeaderMap, query: &str) -> Option<u64> {
    let sent = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|text| text.trim().parse().ok());
    let after = || {
        form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "after")
            .and_then(|(_, value)| value.parse().ok())
    };
    sent.or_else(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_reconnect_counts_before_the_query() {
        let mut headers = HeaderMap::new();
        assert_eq!(cursor(&headers, ""), None);
        assert_eq!(cursor(&headers, "after=3"), Some(3));
        assert_eq!(cursor(&headers, "after=x&b=1"), None);
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("7"));
        assert_eq!(cursor(&headers, "after=3"), Some(7));
        assert_eq!(cursor(&headers, "before=1&after=3&after=4"), Some(7));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static(" 8 "));
        assert_eq!(cursor(&headers, ""), Some(8));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("x"));
        assert_eq!(cursor(&headers, "before=1&after=3&after=4"), Some(3));
        assert_eq!(cursor(&headers, "after=3"), Some(3));
    }
}
