//! `GET /jobs/{id}/history`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use cloakroom_core::view::HistoryView;
use http::StatusCode;

use crate::problems::Refused;
use crate::router::Front;
use crate::{answer, poll};

/// What happened to the job so far: 200 in whatever state it is, as it is asked about and not for.
pub(crate) async fn history(
    State(front): State<Front>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, _) = request.into_parts();
    let job = front
        .jobs
        .get(&poll::key(id, &parts)?)
        .await?
        .ok_or_else(Refused::unknown_job)?;
    let mut response = answer::json(
        StatusCode::OK,
        &HistoryView::of(&job, &front.site.base_path),
    );
    answer::personal(response.headers_mut());
    Ok(response)
}
