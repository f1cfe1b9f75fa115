//! `GET /jobs/{id}/deliveries`, and `POST /jobs/{id}/deliveries/{id}/redeliver`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use cloakroom_app::publish::RedeliverError;
use cloakroom_core::view::DeliveryView;
use cloakroom_core::{Code, DeliveryLog};
use http::StatusCode;
use serde::Serialize;

use crate::job_query::job_key;
use crate::jobs_state::JobsState;
use crate::problems::Rejection;
use crate::response;

/// Body of the list.
#[derive(Serialize)]
struct Deliveries {
    deliveries: Vec<DeliveryView>,
}

pub(crate) async fn list(
    State(state): State<Arc<JobsState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let key = job_key(id, &parts)?;
    let job = state.load(&key).await?;
    let log = match &state.jobs.publisher {
        Some(publisher) if job.events.is_some() => publisher.deliveries(&job).await?,
        _ => DeliveryLog::default(),
    };
    let deliveries = log
        .deliveries
        .iter()
        .map(DeliveryView::from_delivery)
        .collect();
    let mut response = response::json(StatusCode::OK, &Deliveries { deliveries });
    response::private_cache(response.headers_mut());
    Ok(response)
}

pub(crate) async fn redeliver(
    State(state): State<Arc<JobsState>>,
    ids: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let Path((job, delivery)) = ids.map_err(|_| Rejection::unknown_job())?;
    let key = job_key(Ok(Path(job)), &parts)?;
    let job = state.load(&key).await?;
    let Some(publisher) = &state.jobs.publisher else {
        return Err(unknown_delivery());
    };
    publisher.redeliver(&job, &delivery).await.map_err(|error| match error {
        RedeliverError::Unknown => unknown_delivery(),
        RedeliverError::Overtaken => Rejection::new(
            Code::DeliveryOvertaken,
            "a later event of the job has replaced this one; redeliver the latest delivery in the list",
        ),
        RedeliverError::Unavailable(error) => error.into(),
    })?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn unknown_delivery() -> Rejection {
    Rejection::new(
        Code::UnknownDelivery,
        "the job has no delivery with this id; GET /jobs/{id}/deliveries lists them",
    )
}
