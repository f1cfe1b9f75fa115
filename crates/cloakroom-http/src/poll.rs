//! `GET /jobs/{id}`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;

use crate::job_query::{JobQuery, job_key};
use crate::jobs_state::JobsState;
use crate::problems::Rejection;

pub(crate) async fn poll(
    State(state): State<Arc<JobsState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let mut query = JobQuery::from_headers(&parts.headers);
    let job = query.fetch(&state, &job_key(id, &parts)?).await?;
    Ok(query.response(&state, &job))
}
