//! `GET /jobs/{id}/result`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use cloakroom_app::jobs::RESULT_LINK_LIFE;
use cloakroom_core::{Code, JobKey, ResultRef, Success, Timestamp};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::job_query::{JobQuery, job_key};
use crate::jobs_state::JobsState;
use crate::problems::Rejection;
use crate::{prefer, response};

pub(crate) async fn result(
    State(state): State<Arc<JobsState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    respond(&state, &job_key(id, &parts)?, &parts.headers).await
}

/// Responds with the result of a job, or with the job if there is no result yet.
pub(crate) async fn respond(
    state: &JobsState,
    key: &JobKey,
    headers: &HeaderMap,
) -> Result<Response, Rejection> {
    let mut query = JobQuery::from_headers(headers);
    let job = query.fetch(state, key).await?;
    let Some(success) = &job.success else {
        return Ok(query.response(state, &job));
    };
    if job
        .result_expires_at()
        .is_some_and(|at| at <= state.jobs.shared.host.now())
    {
        let detail =
            "the result has expired before its job; submit the command again to get a new one";
        return Err(Rejection::new(Code::ResultExpired, detail));
    }
    let mut link = None;
    let mut response = match success {
        Success {
            result:
                Some(ResultRef::Inline {
                    content_type,
                    bytes,
                }),
            ..
        } => inline_result(content_type, bytes.clone()),
        Success {
            result: Some(ResultRef::Stored { key, .. }),
            ..
        } => {
            let expires_at = state.jobs.shared.host.now().after(RESULT_LINK_LIFE);
            let link = link.insert(ResultLink {
                url: state.jobs.result_link(key).await?,
                expires_at,
            });
            if query.prefers_representation() {
                response::json(StatusCode::OK, link)
            } else {
                response::see_other(&link.url)
            }
        }
        Success {
            result: None,
            resource: Some(resource),
            ..
        } => response::see_other(resource.as_str()),
        Success {
            result: None,
            resource: None,
            ..
        } => response::empty(StatusCode::NO_CONTENT),
    };
    query.add_preference_applied(&mut response);
    let headers = response.headers_mut();
    if link.is_some() {
        headers.insert(VARY, HeaderValue::from_static("Prefer"));
        if query.prefers_representation() {
            prefer::add_return_representation(headers);
        }
    }
    response::private_cache(headers);
    Ok(response)
}

/// Document with a link to a result, for clients that follow a redirect with headers that object storage rejects.
#[derive(Serialize)]
struct ResultLink {
    url: String,
    /// Latest time of expiry. The link expires earlier if the session of the signing credentials does.
    expires_at: Timestamp,
}

/// Returns the bytes of the handler unchanged. The headers prevent scripts in them from running in the service's own origin.
fn inline_result(content_type: &str, bytes: Vec<u8>) -> Response {
    let content_type = HeaderValue::try_from(content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (CONTENT_TYPE, content_type),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'"),
        ),
    ];
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_type_that_no_header_holds_are_plain_bytes() {
        for (given, shown) in [
            ("image/png", "image/png"),
            ("a\nb", "application/octet-stream"),
        ] {
            assert_eq!(inline_result(given, vec![]).headers()[CONTENT_TYPE], shown);
        }
    }
}
