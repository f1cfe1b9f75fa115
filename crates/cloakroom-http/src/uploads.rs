//! `POST /uploads`, and `GET /uploads/{id}` for uploads in parts.

mod links;
mod parts;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cloakroom_app::payload::{PayloadError, json};
use cloakroom_app::ports::UploadTerms;
use cloakroom_app::submit::MEDIA_TYPE_LIMIT;
use cloakroom_app::upload::UPLOAD_LIMIT;
use cloakroom_core::parts::{
    InvalidPartCount, LARGEST_PART, LARGEST_UPLOAD, LEAST_PART, MOST_PARTS,
};
use cloakroom_core::problem::FieldError;
use cloakroom_core::{Code, Digest, PartLayout, Timestamp};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::body::RequestBody;
use crate::conditional::{self, Preconditions};
use crate::problems::{ACCEPT_POST, Rejection};
use crate::submit_state::SubmitState;
use crate::{caller, request_trace, response};

pub(crate) use parts::look;

/// Most bytes of the request itself, which describes an upload and does not contain it.
const BODY_LIMIT: u64 = 16 * 1024;

/// The reason to reject a description.
const NOT_DESCRIBED: &str = "the description of the upload is not valid";

/// Members of an upload's description.
const MEMBERS: [&str; 4] = ["content_type", "content_length", "sha256", "parts"];

/// Upload that the client may now send.
#[derive(Serialize)]
struct Upload {
    #[serde(rename = "upload_id")]
    id: String,
    method: &'static str,
    url: String,
    headers: Map<String, Value>,
    expires_at: Timestamp,
}

pub(crate) async fn upload(State(state): State<Arc<SubmitState>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = RequestBody::new(body);
    match start(&state, &parts, &mut body).await {
        Ok(response) => response,
        Err(rejection) => rejection.into_response(),
    }
}

async fn start(
    state: &SubmitState,
    parts: &Parts,
    body: &mut RequestBody,
) -> Result<Response, Rejection> {
    if let Some(sent) = parts.headers.get(CONTENT_TYPE)
        && !is_json(sent.as_bytes())
    {
        return Err(Rejection::new(
            Code::UnsupportedMediaType,
            "describe the upload in application/json, and send its bytes to the url in the response",
        )
        .header(ACCEPT_POST, HeaderValue::from_static("application/json")));
    }
    let advice = "only describe the upload here, and send its bytes to the url in the response";
    let bytes = body
        .read(BODY_LIMIT)
        .await
        .map_err(|error| error.into_rejection(BODY_LIMIT, advice))?;
    let (terms, division) = parse_terms(&bytes)?;
    if Preconditions::parse(&parts.headers)?
        .is_some_and(|preconditions| !preconditions.met_by(None))
    {
        return Err(conditional::precondition_failed());
    }
    let tenant = caller::tenant(parts)?;
    request_trace::record(Some(&tenant), None, None);
    if let Some(division) = division {
        let ready = state.uploads.start_parts(&tenant, &terms, division).await?;
        return Ok(parts::created(&state.site, ready));
    }
    let ready = state.uploads.start(&tenant, &terms).await?;
    let upload = Upload {
        id: ready.id.to_string(),
        method: "PUT",
        url: ready.link.url,
        headers: links::header_members(ready.link.headers),
        expires_at: ready.expires_at,
    };
    let response = response::json(StatusCode::CREATED, &upload);
    Ok(response::no_store(response))
}

fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type
        .split(|b| *b == b';')
        .next()
        .unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/json")
}

/// Parses the members of an upload's description, and adds an error for each unknown one.
fn parse_members(
    body: &[u8],
    errors: &mut Vec<FieldError>,
) -> Result<Map<String, Value>, Rejection> {
    let text =
        json::text(body).map_err(|error| Rejection::from_payload_error(error, NOT_DESCRIBED))?;
    let value: Value = serde_json::from_str(text).expect("it was read before");
    let members = value.as_object().cloned().unwrap_or_else(|| {
        errors.push(FieldError::new("", "must be an object"));
        Map::new()
    });
    for name in members
        .keys()
        .filter(|name| !MEMBERS.contains(&name.as_str()))
    {
        errors.push(FieldError::in_member(name, "is unknown; remove it"));
    }
    Ok(members)
}

/// Parses the description of an upload, and its division if it is in parts. The rejection lists all errors at once.
fn parse_terms(body: &[u8]) -> Result<(UploadTerms, Option<PartLayout>), Rejection> {
    let mut errors = Vec::new();
    let members = parse_members(body, &mut errors)?;
    let mut add_error = |pointer: &str, detail: &str| errors.push(FieldError::new(pointer, detail));
    let content_type = members
        .get("content_type")
        .and_then(Value::as_str)
        .filter(|text| is_media_type(text));
    if content_type.is_none() {
        add_error(
            "/content_type",
            "must be a media type, such as image/png, of at most 255 characters",
        );
    }
    let length = members.get("content_length");
    if length
        .and_then(Value::as_f64)
        .is_some_and(|length| length > LIMIT_AS_F64)
    {
        return Err(Rejection::new(
            Code::PayloadTooLarge,
            format!("an upload has at most {LARGEST_UPLOAD} bytes; send a smaller one"),
        )
        .member("limit", LARGEST_UPLOAD));
    }
    let length = length.and_then(whole_number).filter(|length| *length > 0);
    if length.is_none() {
        add_error("/content_length", "must be the number of bytes, 1 or more");
    }
    let sha256 = members.get("sha256").filter(|value| !value.is_null());
    let digest = sha256.and_then(Value::as_str).and_then(parse_digest);
    if sha256.is_some() && digest.is_none() {
        add_error(
            "/sha256",
            "must be the SHA-256 of the bytes in base64: 44 characters",
        );
    }
    let requested = members.get("parts").filter(|value| !value.is_null());
    let parts = requested
        .and_then(whole_number)
        .and_then(|parts| parts.try_into().ok())
        .filter(|n| (1..=MOST_PARTS).contains(n));
    if requested.is_some() && parts.is_none() {
        add_error(
            "/parts",
            &format!("must be a whole number from 1 to {MOST_PARTS}, or absent"),
        );
    }
    let in_parts = length.filter(|length| parts.is_some() || *length > UPLOAD_LIMIT);
    let division = match in_parts
        .map(|length| PartLayout::new(length, parts))
        .transpose()
    {
        Ok(division) => division,
        Err(InvalidPartCount::TooMany(most)) => {
            add_error(
                "/parts",
                &format!(
                    "must be at most {most}: each part but the last has at least {LEAST_PART} bytes"
                ),
            );
            None
        }
        Err(InvalidPartCount::TooFew(least)) => {
            add_error(
                "/parts",
                &format!("must be at least {least}: a part has at most {LARGEST_PART} bytes"),
            );
            None
        }
    };
    match (content_type, length) {
        (Some(content_type), Some(length)) if errors.is_empty() => Ok((
            UploadTerms {
                content_type: content_type.to_owned(),
                length,
                sha256: digest,
            },
            division,
        )),
        _ => Err(Rejection::from_payload_error(
            PayloadError::Invalid(errors),
            NOT_DESCRIBED,
        )),
    }
}

/// Limit as a float, for the comparison with numbers of any size. It represents 5 TiB exactly.
#[expect(clippy::cast_precision_loss, reason = "5 TiB has 43 bits, of 53")]
const LIMIT_AS_F64: f64 = LARGEST_UPLOAD as f64;

/// Returns a whole number, however it is written: to JSON Schema, `896.0` is one, too.
pub(crate) fn whole_number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_f64()?.to_string().parse().ok())
}

fn parse_digest(text: &str) -> Option<Digest> {
    BASE64
        .decode(text)
        .ok()?
        .try_into()
        .ok()
        .map(Digest::from_bytes)
}

/// Returns true for a type, a subtype, and optional parameters, of characters that are valid in a header.
fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let (essence, parameters) = text
        .split_once(';')
        .map_or((text, None), |(essence, rest)| {
            (essence.trim_end_matches(' '), Some(rest))
        });
    let valid = |parameters: &str| {
        !parameters.trim().is_empty()
            && parameters.trim_end() == parameters
            && parameters.bytes().all(|b| matches!(b, b' '..=b'~'))
    };
    text.len() <= MEDIA_TYPE_LIMIT
        && essence
            .split_once('/')
            .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
        && parameters.is_none_or(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_whole_number_however_it_is_written() {
        for (text, length) in [
            ("896", Some(896)),
            ("896.0", Some(896)),
            ("8.96e2", Some(896)),
            ("5e9", Some(5_000_000_000)),
        ] {
            let body = format!(r#"{{"content_type":"image/png","content_length":{text}}}"#);
            assert_eq!(
                parse_terms(body.as_bytes())
                    .ok()
                    .map(|(terms, _)| terms.length),
                length,
                "{text}"
            );
        }
        for text in [
            "0",
            "0.0",
            "-1",
            "-1.0",
            "896.5",
            "\"896\"",
            "null",
            "1e300",
            "5497558138881.0",
        ] {
            let body = format!(r#"{{"content_type":"image/png","content_length":{text}}}"#);
            assert!(parse_terms(body.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_media_type_is_two_tokens_and_perhaps_parameters() {
        for good in [
            "image/png",
            "application/vnd.x+json",
            "text/plain; charset=utf-8",
            "text/plain ;a=b",
            "text/plain;a=\"b c\"",
            "text/plain;a= ~",
            &format!("a/{}", "b".repeat(253)),
        ] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "png",
            "image/",
            "/png",
            "image/p ng",
            "image/png;",
            "image/png ",
            " image/png",
            "image/é",
            "image/png\r\nx: y",
            "image/png\n;a=b",
            "image/png\u{a0};a=b",
            "a/b/c",
            "a/b;c=\u{7f}",
            "a/b;c=é",
            &format!("a/{}", "b".repeat(254)),
        ] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
