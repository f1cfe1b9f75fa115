//! `GET /jobs/{id}/result`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use cloakroom_app::jobs::RESULT_LINK_LIFE;
use cloakroom_core::{Code, ResultRef, Success, Timestamp};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::poll::{Question, key};
use crate::problems::Refused;
use crate::router::Front;
use crate::{answer, prefer};

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
    if job
        .result_expires_at()
        .is_some_and(|at| at <= front.jobs.shared.host.now())
    {
        let detail = "the result was kept for a shorter time than the job, and is gone; submit the command again to have it made anew";
        return Err(Refused::new(Code::ResultExpired, detail));
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
        } => inline(content_type, bytes.clone()),
        Success {
            result: Some(ResultRef::Stored { key, .. }),
            ..
        } => {
            let expires_at = front.jobs.shared.host.now().after(RESULT_LINK_LIFE);
            let one = link.insert(Link {
                url: front.jobs.result_link(key).await?,
                expires_at,
            });
            if question.represents() {
                answer::json(StatusCode::OK, one)
            } else {
                answer::see_other(&one.url)
            }
        }
        Success {
            result: None,
            resource: Some(resource),
        } => answer::see_other(resource.as_str()),
        Success {
            result: None,
            resource: None,
        } => answer::nothing(StatusCode::NO_CONTENT),
    };
    question.applied(&mut response);
    let headers = response.headers_mut();
    if link.is_some() {
        headers.insert(VARY, HeaderValue::from_static("Prefer"));
        if question.represents() {
            prefer::represented(headers);
        }
    }
    answer::personal(headers);
    Ok(response)
}

/// A link to a result, as a document: for clients that follow a redirect with headers that object storage rejects.
#[derive(Serialize)]
struct Link {
    url: String,
    /// When it ends at the latest. It ends earlier where the session of the credentials that signed it does.
    expires_at: Timestamp,
}

/// The bytes as the handler made them. Whatever they are, they run nothing in the service's own origin.
fn inline(content_type: &str, bytes: Vec<u8>) -> Response {
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
            assert_eq!(inline(given, vec![]).headers()[CONTENT_TYPE], shown);
        }
    }
}
