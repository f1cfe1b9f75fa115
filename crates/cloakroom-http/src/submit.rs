//! `POST /commands/{type}`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use cloakroom_app::submit::{Body, Submission, SubmitError, Submitted};
use cloakroom_core::{Code, CommandType, UploadId};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::accept::Variant;
use crate::body::Incoming;
use crate::conditional::{self, Preconditions};
use crate::prefer::{PREFERENCE_APPLIED, Prefer};
use crate::problems::{ACCEPT_POST, Refused};
use crate::router::Desk;
use crate::{answer, caller, idempotency_key, not_before, trace};

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const UPLOAD_ID: HeaderName = HeaderName::from_static("upload-id");

/// How many of the parts that are missing are named.
const PARTS_NAMED: usize = 5;

pub(crate) async fn submit(
    State(desk): State<Desk>,
    command: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = Incoming::new(body);
    match accept(&desk, command, &parts, &mut body).await {
        Ok(submitted) => shown(&desk, submitted, &parts.headers).await,
        Err(refused) => refused.into_response(),
    }
}

/// Reads the request, as little of it as is needed to refuse it, and submits it.
async fn accept(
    desk: &Desk,
    command: Result<Path<String>, PathRejection>,
    parts: &Parts,
    body: &mut Incoming,
) -> Result<Submitted, Refused> {
    let refuse = |error| refused(error, &desk.front.site.base_path);
    let name: CommandType = command
        .ok()
        .and_then(|Path(name)| name.parse().ok())
        .ok_or_else(|| refuse(SubmitError::UnknownCommand))?;
    let limits = desk.submit.command(&name).map_err(refuse)?.limits();
    let client_job_id = idempotency_key::of(&parts.headers)?;
    if limits.key_required && client_job_id.is_none() {
        return Err(refuse(SubmitError::KeyRequired));
    }
    let not_before = not_before::of(&parts.headers)?;
    let condition = Preconditions::parse(&parts.headers)?;
    let body = match upload_id(&parts.headers)? {
        Some(id) => {
            body.read(0).await.map_err(|_| {
                Refused::invalid("there is both an Upload-Id and a body; send one of them")
            })?;
            Body::Uploaded(id)
        }
        None => {
            plain(&parts.headers)?;
            let advice = upload_advice(&desk.front.site.base_path);
            let bytes = body
                .read(limits.body)
                .await
                .map_err(|unread| unread.refused(limits.body, &advice))?;
            Body::Sent {
                content_type: content_type(&parts.headers),
                bytes,
            }
        }
    };
    let tenant = caller::tenant(parts)?;
    trace::about(Some(&tenant), Some(&name), None);
    let submission = Submission {
        tenant,
        command: name,
        client_job_id,
        body,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        not_before,
        trace: trace::of(parts),
    };
    let submitted = match condition {
        None => desk.submit.submit(submission).await,
        Some(condition) => {
            desk.submit
                .submit_if(submission, &|job| condition.hold(job))
                .await
        }
    };
    let submitted = submitted.map_err(refuse)?;
    trace::about(None, None, Some(submitted.job.id));
    Ok(submitted)
}

/// The job that was accepted, now or before, as its client wishes to see it.
async fn shown(desk: &Desk, submitted: Submitted, headers: &HeaderMap) -> Response {
    let Submitted { mut job, replayed } = submitted;
    let front = &desk.front;
    let location = answer::location(&front.site, &job);
    let mut prefer = Prefer::of(headers);
    let mut response = if Variant::of(headers) == Variant::Page {
        // A browser's form: on to the page that follows the job.
        StatusCode::SEE_OTHER.into_response()
    } else {
        let _hold = prefer.hold(&front.held, &job.tenant);
        if let Some(wait) = prefer.wait() {
            match front.jobs.wait(&job.key(), wait, |_| false).await {
                Ok(Some(now)) => job = now,
                Ok(None) => {}
                // The job is accepted, and that is what its client must hear.
                Err(error) => tracing::warn!(%error, "failed to follow a job that was accepted"),
            }
        }
        let mut response = answer::job(
            &front.site,
            &job,
            front.jobs.shared.host.now(),
            Variant::Json,
        );
        if prefer.wait.is_none()
            && prefer.respond_async
            && response.status() == StatusCode::ACCEPTED
        {
            response.headers_mut().insert(
                PREFERENCE_APPLIED,
                HeaderValue::from_static("respond-async"),
            );
        }
        prefer.applied(response.headers_mut());
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

/// The upload that stands for the body.
fn upload_id(headers: &HeaderMap) -> Result<Option<UploadId>, Refused> {
    let mut lines = headers.get_all(UPLOAD_ID).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(Refused::invalid(
            "there is more than one Upload-Id; send one",
        ));
    }
    let id = line.to_str().ok().and_then(|text| text.trim().parse().ok());
    id.map(Some)
        .ok_or_else(|| refused(SubmitError::UploadNotFound, ""))
}

/// The `Content-Type`; where there are several, what is no media type at all.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<_> = headers
        .get_all(CONTENT_TYPE)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// Refuses a body in an encoding: a payload is taken byte for byte.
fn plain(headers: &HeaderMap) -> Result<(), Refused> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Refused::new(
                Code::UnsupportedMediaType,
                "no Content-Encoding is taken; send the body as it is",
            )
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity")))
        }
        _ => Ok(()),
    }
}

fn upload_advice(base: &str) -> String {
    format!("ask for an upload by POST {base}/uploads and name it in Upload-Id")
}

/// The answer to a submission that is refused.
fn refused(error: SubmitError, base: &str) -> Refused {
    match error {
        SubmitError::UnknownCommand => Refused::new(
            Code::UnknownCommand,
            "no such command is served here; check the type in the path",
        ),
        SubmitError::KeyRequired => Refused::new(
            Code::IdempotencyKeyRequired,
            "this command needs an Idempotency-Key; send one that is new for each command, and the same when it is sent again",
        ),
        SubmitError::UnsupportedMediaType(types) => {
            let types = types.join(", ");
            let value =
                HeaderValue::try_from(&types).expect("a command's media types are visible ASCII");
            let detail =
                format!("this command takes {types}; send that, and say so in Content-Type");
            Refused::new(Code::UnsupportedMediaType, detail).header(ACCEPT_POST, value)
        }
        SubmitError::TooLarge { limit } => {
            let detail = format!(
                "the payload has more than {limit} bytes, the most that this command takes by POST {base}/uploads; send a smaller one"
            );
            Refused::new(Code::PayloadTooLarge, detail).member("limit", limit)
        }
        SubmitError::Payload(error) => {
            Refused::payload(error, "the payload is not what this command takes")
        }
        SubmitError::UploadNotFound => Refused::new(
            Code::UploadNotFound,
            "no finished upload of this id can be had; it may be missing, over, or another job's, so upload the payload again",
        ),
        SubmitError::PartsMissing { missing, parts } => {
            let first: Vec<_> = missing
                .iter()
                .take(PARTS_NAMED)
                .map(ToString::to_string)
                .collect();
            let more = match missing.len().saturating_sub(PARTS_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let detail = format!(
                "of {parts} parts of this upload some are not there: {}{more}; GET {base}/uploads/{{id}} shows where to send them",
                first.join(", ")
            );
            Refused::new(Code::UploadNotFound, detail)
        }
        SubmitError::TooLate(retention) => not_before::invalid(format!(
            "Not-Before is more than {} s from now, as long as jobs of this command are kept; send an earlier time",
            retention.as_secs()
        )),
        SubmitError::KeyReused => Refused::new(
            Code::IdempotencyKeyReused,
            "this Idempotency-Key came with another command before; send a new key, or what was sent with it then",
        ),
        SubmitError::Conflict => conditional::failed(),
        SubmitError::Unavailable(error) => error.into(),
    }
}
