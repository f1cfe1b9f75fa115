//! `GET /jobs/{id}/history`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use cloakroom_core::view::HistoryView;
use http::StatusCode;

use crate::job_query::job_key;
use crate::jobs_state::JobsState;
use crate::problems::Rejection;
use crate::response;

/// Responds with the job's events so far. The status is 200 in every state of the job.
pub(crate) async fn history(
    State(state): State<Arc<JobsState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let job = state.load(&job_key(id, &parts)?).await?;
    let mut response = response::json(
        StatusCode::OK,
        &HistoryView::from_job(&job, &state.site.settings.base_path),
    );
    response::private_cache(response.headers_mut());
    Ok(response)
}
