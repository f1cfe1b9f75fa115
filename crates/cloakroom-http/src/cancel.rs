//! `DELETE /jobs/{id}`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use cloakroom_app::jobs::Cancellation;
use cloakroom_core::view::{self, JobView};
use cloakroom_core::{Code, Job, JobKey, Problem};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::conditional::Preconditions;
use crate::job_query::job_key;
use crate::jobs_state::JobsState;
use crate::problems::Rejection;
use crate::{conditional, response};

pub(crate) async fn cancel(
    State(state): State<Arc<JobsState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    respond(&state, &job_key(id, &parts)?, &parts.headers).await
}

/// Cancels a job, and responds with it.
pub(crate) async fn respond(
    state: &JobsState,
    key: &JobKey,
    headers: &HeaderMap,
) -> Result<Response, Rejection> {
    let preconditions = Preconditions::parse(headers)?;
    let cancellation = match preconditions {
        None => state.jobs.cancel(key).await?,
        Some(preconditions) => {
            state
                .jobs
                .cancel_if(key, |job| preconditions.met_by(Some(job)))
                .await?
        }
    };
    match cancellation {
        Cancellation::Cancelled(job) => Ok(job_response(state, StatusCode::OK, &job)),
        Cancellation::Requested(job) => {
            let mut response = job_response(state, StatusCode::ACCEPTED, &job);
            response::retry_after(response.headers_mut(), &job, state.jobs.shared.host.now());
            Ok(response)
        }
        Cancellation::Finished(job) => Err(job_finished(state.view(&job))),
        Cancellation::Changed => Err(conditional::precondition_failed()),
        Cancellation::Unknown => Err(Rejection::unknown_job()),
    }
}

fn job_response(state: &JobsState, status: StatusCode, job: &Job) -> Response {
    let mut response = response::json(status, &state.view(job));
    let tag = HeaderValue::try_from(view::etag(job)).expect("a tag is visible ASCII");
    response.headers_mut().insert(ETAG, tag);
    response::private_cache(response.headers_mut());
    response
}

fn job_finished(view: JobView) -> Rejection {
    let detail = format!(
        "the job {} and can't be cancelled; see the member job",
        view.status.as_str()
    );
    let mut problem = Problem::new(Code::JobFinished, detail);
    problem.job = Some(Box::new(view));
    Rejection::from_problem(problem)
}
