//! `GET /jobs/{id}/result`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use cloakroom::{Code, ResultRef, Success};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};

use crate::answer;
use crate::poll::{Question, key};
use crate::problems::Refused;
use crate::router::Front;

pub(crate) async fn result(
    State(front): State<Front>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, _) = request.into_parts();
    let mut question = Question::of(&parts.headers);
    let job = question.ask(&front, &key(id, &parts)?).await?;
    let Some(success) = &job.success else {
        return Ok(question.answer(&front, &job));
    };
    if job.result_expires_at().is_some_and(|at| at <= front.jobs.host.now()) {
        let detail = "the result was kept for a shorter time than the job, and is gone; submit the command again to have it made anew";
        return Err(Refused::new(Code::ResultExpired, detail));
    }
    let mut response = match success {
        Success { result: Some(ResultRef::Inline { content_type, bytes }), .. } => inline(content_type, bytes.clone()),
        Success { result: Some(ResultRef::Stored { key, .. }), .. } => {
            answer::see_other(&front.jobs.result_link(key).await?)
        }
        Success { result: None, resource: Some(resource) } => answer::see_other(resource.as_str()),
        Success { result: None, resource: None } => answer::nothing(StatusCode::NO_CONTENT),
    };
    question.applied(&mut response);
    answer::personal(response.headers_mut());
    Ok(response)
}

/// The bytes as the handler made them. Whatever they are, they run nothing in the service's own origin.
fn inline(content_type: &str, bytes: Vec<u8>) -> Response {
    let content_type =
        HeaderValue::try_from(content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (CONTENT_TYPE, content_type),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
    ];
    (headers, bytes).into_response()
}
