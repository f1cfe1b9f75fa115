//! `GET /jobs/{id}`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use cloakroom_core::{Job, JobKey};
use http::HeaderMap;
use http::request::Parts;

use crate::accept::Variant;
use crate::conditional::IfNoneMatch;
use crate::prefer::Prefer;
use crate::problems::Refused;
use crate::router::Front;
use crate::{answer, caller, trace};

pub(crate) async fn poll(
    State(front): State<Front>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, _) = request.into_parts();
    let mut question = Question::of(&parts.headers);
    let job = question.ask(&front, &key(id, &parts)?).await?;
    Ok(question.answer(&front, &job))
}

/// Which job of the caller's. What is no id is the id of no job.
pub(crate) fn key(
    id: Result<Path<String>, PathRejection>,
    parts: &Parts,
) -> Result<JobKey, Refused> {
    let Path(id) = id.map_err(|_| Refused::unknown_job())?;
    let id = id.parse().map_err(|_| Refused::unknown_job())?;
    let key = JobKey {
        tenant: caller::tenant(parts)?,
        id,
    };
    trace::about(Some(&key.tenant), None, Some(key.id));
    Ok(key)
}

/// How a job is asked for.
pub(crate) struct Question {
    variant: Variant,
    prefer: Prefer,
    known: Option<IfNoneMatch>,
}

impl Question {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            variant: Variant::of(headers),
            prefer: Prefer::of(headers),
            known: IfNoneMatch::of(headers),
        }
    }

    /// The job: now, or once it is over or not as the client knows it, or when the wait is.
    pub(crate) async fn ask(&mut self, front: &Front, key: &JobKey) -> Result<Job, Refused> {
        let _hold = self.prefer.hold(&front.held, &key.tenant);
        let job = match self.prefer.wait() {
            None => front.jobs.get(key).await?,
            Some(wait) => {
                let news = |job: &Job| {
                    self.known
                        .as_ref()
                        .is_some_and(|known| !known.has(&answer::etag(job, self.variant)))
                };
                front.jobs.wait(key, wait, news).await?
            }
        };
        job.ok_or_else(Refused::unknown_job)
    }

    pub(crate) fn answer(&self, front: &Front, job: &Job) -> Response {
        let response = answer::job(&front.site, job, front.jobs.shared.host.now(), self.variant);
        let mut response = answer::unless_known(response, self.known.as_ref());
        self.applied(&mut response);
        response
    }

    /// Returns true if a document is preferred to a redirect.
    pub(crate) fn represents(&self) -> bool {
        self.prefer.representation
    }

    /// Says that the answer was held, where that was wished.
    pub(crate) fn applied(&self, response: &mut Response) {
        self.prefer.applied(response.headers_mut());
    }
}
