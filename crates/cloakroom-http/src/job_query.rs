//! Query of a job: the job that a path names, and the headers that select its representation.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use cloakroom_core::{Job, JobKey};
use http::HeaderMap;
use http::request::Parts;

use crate::accept::Variant;
use crate::conditional::IfNoneMatch;
use crate::jobs_state::JobsState;
use crate::prefer::Prefer;
use crate::problems::Rejection;
use crate::{caller, job_view, request_trace, response};

/// Returns the key of the job that the path names, among the caller's own. A malformed id names an unknown job.
pub(crate) fn job_key(
    id: Result<Path<String>, PathRejection>,
    parts: &Parts,
) -> Result<JobKey, Rejection> {
    let Path(id) = id.map_err(|_| Rejection::unknown_job())?;
    let id = id.parse().map_err(|_| Rejection::unknown_job())?;
    let key = JobKey {
        tenant: caller::tenant(parts)?,
        id,
    };
    request_trace::record(Some(&key.tenant), None, Some(key.id));
    Ok(key)
}

/// Request headers that select a job's representation, and when to respond with it.
pub(crate) struct JobQuery {
    variant: Variant,
    prefer: Prefer,
    if_none_match: Option<IfNoneMatch>,
}

impl JobQuery {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        Self {
            variant: Variant::from_headers(headers),
            prefer: Prefer::from_headers(headers),
            if_none_match: IfNoneMatch::from_headers(headers),
        }
    }

    /// Loads the job. A long poll ends with the job, with its first change since `If-None-Match`, or after the wait.
    pub(crate) async fn fetch(
        &mut self,
        state: &JobsState,
        key: &JobKey,
    ) -> Result<Job, Rejection> {
        let _permit = self.prefer.begin_wait(&state.long_polls, &key.tenant);
        let job = match self.prefer.wait() {
            None => state.jobs.get(key).await?,
            Some(wait) => {
                let changed = |job: &Job| {
                    self.if_none_match
                        .as_ref()
                        .is_some_and(|tags| !tags.contains(&job_view::etag(job, self.variant)))
                };
                state.jobs.wait(key, wait, changed).await?
            }
        };
        job.ok_or_else(Rejection::unknown_job)
    }

    pub(crate) fn response(&self, state: &JobsState, job: &Job) -> Response {
        let now = state.jobs.shared.host.now();
        let response = response::job(&state.view(job), job, now, self.variant);
        let mut response = response::if_none_match(response, self.if_none_match.as_ref());
        self.add_preference_applied(&mut response);
        response
    }

    /// Returns true if the client prefers a document to a redirect.
    pub(crate) fn prefers_representation(&self) -> bool {
        self.prefer.representation
    }

    /// Adds `Preference-Applied` for a wait.
    pub(crate) fn add_preference_applied(&self, response: &mut Response) {
        self.prefer.add_wait_applied(response.headers_mut());
    }
}
