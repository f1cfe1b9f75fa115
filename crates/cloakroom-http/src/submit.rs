//! `POST /commands/{type}`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use cloakroom_app::submit::{Body, Submission, SubmitError, Submitted};
use cloakroom_core::view::JobView;
use cloakroom_core::{Code, CommandType, UploadId};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::accept::Variant;
use crate::body::RequestBody;
use crate::conditional::{self, Preconditions};
use crate::prefer::{PREFERENCE_APPLIED, Prefer};
use crate::problems::{ACCEPT_POST, Rejection};
use crate::submit_state::SubmitState;
use crate::{caller, idempotency_key, listeners, not_before, request_trace, response};

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const UPLOAD_ID: HeaderName = HeaderName::from_static("upload-id");

/// Most missing parts that a problem names.
const MAX_PARTS_NAMED: usize = 5;

pub(crate) async fn submit(
    State(state): State<Arc<SubmitState>>,
    command: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = RequestBody::new(body);
    match accept(&state, command, &parts, &mut body).await {
        Ok(submitted) => respond(&state, submitted, &parts.headers).await,
        Err(rejection) => rejection.into_response(),
    }
}

/// Reads and submits the request. A rejection reads as little of it as possible.
async fn accept(
    state: &SubmitState,
    command: Result<Path<String>, PathRejection>,
    parts: &Parts,
    body: &mut RequestBody,
) -> Result<Submitted, Rejection> {
    let reject = |error| rejection(error, &state.site.settings.base_path);
    let name: CommandType = command
        .ok()
        .and_then(|Path(name)| name.parse().ok())
        .ok_or_else(|| reject(SubmitError::UnknownCommand))?;
    let limits = state.submit.command(&name).map_err(reject)?.limits();
    let client_job_id = idempotency_key::from_headers(&parts.headers)?;
    if limits.key_required && client_job_id.is_none() {
        return Err(reject(SubmitError::KeyRequired));
    }
    let not_before = not_before::from_headers(&parts.headers)?;
    let mut events = listeners::from_headers(&parts.headers, state.site.callback_check)?;
    let preconditions = Preconditions::parse(&parts.headers)?;
    let body = match upload_id(&parts.headers)? {
        Some(id) => {
            body.read(0).await.map_err(|_| {
                Rejection::invalid("the request has both an Upload-Id and a body; send one of them")
            })?;
            Body::Uploaded(id)
        }
        None => {
            require_identity_encoding(&parts.headers)?;
            let advice = upload_advice(&state.site.settings.base_path);
            let bytes = body
                .read(limits.body)
                .await
                .map_err(|error| error.into_rejection(limits.body, &advice))?;
            Body::Sent {
                content_type: content_type(&parts.headers),
                bytes,
            }
        }
    };
    let tenant = caller::tenant(parts)?;
    request_trace::record(Some(&tenant), Some(&name), None);
    let trace = request_trace::envelope_trace(parts);
    if let Some(events) = &mut events {
        events.traceparent.clone_from(&trace.traceparent);
    }
    let submission = Submission {
        tenant,
        command: name,
        client_job_id,
        body,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        not_before,
        trace,
        events,
    };
    let submitted = match preconditions {
        None => state.submit.submit(submission).await,
        Some(preconditions) => {
            state
                .submit
                .submit_if(submission, &|job| preconditions.met_by(job))
                .await
        }
    };
    let submitted = submitted.map_err(reject)?;
    request_trace::record(None, None, Some(submitted.job.id));
    Ok(submitted)
}

/// Responds with the job, which this request or an earlier one submitted, in the representation that the client requests.
async fn respond(state: &SubmitState, submitted: Submitted, headers: &HeaderMap) -> Response {
    let Submitted { mut job, replayed } = submitted;
    let location = response::location(&state.site, &job);
    let mut prefer = Prefer::from_headers(headers);
    let mut response = if Variant::from_headers(headers) == Variant::Page {
        // A browser sent a form: its next page follows the job.
        StatusCode::SEE_OTHER.into_response()
    } else if prefer.minimal {
        minimal()
    } else {
        let _permit = prefer.begin_wait(&state.long_polls, &job.tenant);
        if let Some(wait) = prefer.wait() {
            match state.jobs.wait(&job.key(), wait, |_| false).await {
                Ok(Some(current)) => job = current,
                Ok(None) => {}
                // The job is accepted, so the response must report that.
                Err(error) => tracing::warn!(%error, "failed to follow an accepted job"),
            }
        }
        let view = JobView::from_job(&job, &state.site.settings.base_path);
        let now = state.jobs.shared.host.now();
        let mut response = response::job(&view, &job, now, Variant::Json);
        if prefer.wait.is_none()
            && prefer.respond_async
            && response.status() == StatusCode::ACCEPTED
        {
            response.headers_mut().insert(
                PREFERENCE_APPLIED,
                HeaderValue::from_static("respond-async"),
            );
        }
        prefer.add_wait_applied(response.headers_mut());
        response
    };
    response.headers_mut().insert(LOCATION, location);
    if replayed {
        response
            .headers_mut()
            .insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Response without a body. Its client does not follow the job, so it does not wait either.
fn minimal() -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    response.headers_mut().insert(
        PREFERENCE_APPLIED,
        HeaderValue::from_static("return=minimal"),
    );
    response
}

/// Returns the id of the upload that replaces the body.
fn upload_id(headers: &HeaderMap) -> Result<Option<UploadId>, Rejection> {
    let mut lines = headers.get_all(UPLOAD_ID).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(Rejection::invalid(
            "the request has more than one Upload-Id; send one",
        ));
    }
    let id = line.to_str().ok().and_then(|text| text.trim().parse().ok());
    id.map(Some)
        .ok_or_else(|| rejection(SubmitError::UploadNotFound, ""))
}

/// Returns the `Content-Type`. Several lines become a list, which is not a valid media type.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<_> = headers
        .get_all(CONTENT_TYPE)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// Rejects a body with a content encoding: the payload is the bytes of the body.
fn require_identity_encoding(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(Rejection::new(
        Code::UnsupportedMediaType,
        "Content-Encoding is not supported; send the body without it",
    )
    .header(ACCEPT_ENCODING, HeaderValue::from_static("identity")))
}

fn upload_advice(base: &str) -> String {
    format!("request an upload with POST {base}/uploads and send its id in Upload-Id")
}

/// Returns the rejection of a submission.
fn rejection(error: SubmitError, base: &str) -> Rejection {
    match error {
        SubmitError::UnknownCommand => Rejection::new(
            Code::UnknownCommand,
            "the command is unknown; check the type in the path",
        ),
        SubmitError::KeyRequired => Rejection::new(
            Code::IdempotencyKeyRequired,
            "this command requires an Idempotency-Key; send a new key with each command, and the same key with each retry",
        ),
        SubmitError::UnsupportedMediaType(types) => {
            let types = types.join(", ");
            let value =
                HeaderValue::try_from(&types).expect("a command's media types are visible ASCII");
            let detail = format!("this command accepts {types}; send it, with this Content-Type");
            Rejection::new(Code::UnsupportedMediaType, detail).header(ACCEPT_POST, value)
        }
        SubmitError::TooLarge { limit } => {
            let detail = format!(
                "the payload has more than {limit} bytes, the limit of this command's uploads (POST {base}/uploads); send a smaller one"
            );
            Rejection::new(Code::PayloadTooLarge, detail).member("limit", limit)
        }
        SubmitError::Payload(error) => {
            Rejection::from_payload_error(error, "the payload is not valid for this command")
        }
        SubmitError::UploadNotFound => Rejection::new(
            Code::UploadNotFound,
            "upload not found: it does not exist, is not finished, has expired, or was used by another job; upload the payload again",
        ),
        SubmitError::PartsMissing { missing, parts } => {
            let first: Vec<_> = missing
                .iter()
                .take(MAX_PARTS_NAMED)
                .map(ToString::to_string)
                .collect();
            let more = match missing.len().saturating_sub(MAX_PARTS_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let detail = format!(
                "of the {parts} parts of this upload, these are missing: {}{more}; GET {base}/uploads/{{id}} has links for them",
                first.join(", ")
            );
            Rejection::new(Code::UploadNotFound, detail)
        }
        SubmitError::TooLate(retention) => not_before::invalid(format!(
            "Not-Before is more than {} s from now, the retention of this command's jobs; send an earlier time",
            retention.as_secs()
        )),
        SubmitError::UnknownReplyQueue => listeners::unknown_reply_queue(),
        SubmitError::KeyReused => Rejection::new(
            Code::IdempotencyKeyReused,
            "this Idempotency-Key was used for another command; send a new key, or exactly the same command as before",
        ),
        SubmitError::Conflict => conditional::precondition_failed(),
        SubmitError::Unavailable(error) => error.into(),
    }
}
