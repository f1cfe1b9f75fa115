//! `POST /uploads`, and how it is with an upload in parts.

mod parts;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cloakroom_app::payload::{PayloadError, json};
use cloakroom_app::ports::UploadTerms;
use cloakroom_app::submit::MEDIA_TYPE_LIMIT;
use cloakroom_app::upload::UPLOAD_LIMIT;
use cloakroom_core::parts::{LARGEST_PART, LARGEST_UPLOAD, LEAST_PART, MOST_PARTS, Undivided};
use cloakroom_core::problem::FieldError;
use cloakroom_core::{Code, Digest, Division, Timestamp};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::body::Incoming;
use crate::conditional::{self, Preconditions};
use crate::problems::{ACCEPT_POST, Refused};
use crate::router::Desk;
use crate::{answer, caller, trace};

pub(crate) use parts::look;

/// The most bytes of the request itself, which names an upload and does not hold it.
const BODY_LIMIT: u64 = 16 * 1024;

/// The reason to reject a description.
const NOT_DESCRIBED: &str = "the upload is not described as it must be";

/// What an upload is described by.
const MEMBERS: [&str; 4] = ["content_type", "content_length", "sha256", "parts"];

/// An upload that was made ready.
#[derive(Serialize)]
struct Upload {
    #[serde(rename = "upload_id")]
    id: String,
    method: &'static str,
    url: String,
    headers: Map<String, Value>,
    expires_at: Timestamp,
}

pub(crate) async fn upload(State(desk): State<Desk>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = Incoming::new(body);
    match start(&desk, &parts, &mut body).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

async fn start(desk: &Desk, parts: &Parts, body: &mut Incoming) -> Result<Response, Refused> {
    if let Some(sent) = parts.headers.get(CONTENT_TYPE)
        && !is_json(sent.as_bytes())
    {
        return Err(Refused::new(
            Code::UnsupportedMediaType,
            "describe the upload in application/json; its bytes go to the url of the answer",
        )
        .header(ACCEPT_POST, HeaderValue::from_static("application/json")));
    }
    let advice =
        "describe the upload here, and send its bytes to the url of the answer of POST /uploads";
    let bytes = body
        .read(BODY_LIMIT)
        .await
        .map_err(|unread| unread.refused(BODY_LIMIT, advice))?;
    let (terms, division) = terms(&bytes)?;
    if Preconditions::parse(&parts.headers)?.is_some_and(|condition| !condition.hold(None)) {
        return Err(conditional::failed());
    }
    let tenant = caller::tenant(parts)?;
    trace::about(Some(&tenant), None, None);
    if let Some(division) = division {
        let ready = desk.uploads.start_parts(&tenant, &terms, division).await?;
        return Ok(parts::created(&desk.front.site, ready));
    }
    let ready = desk.uploads.start(&tenant, &terms).await?;
    let upload = Upload {
        id: ready.id.to_string(),
        method: "PUT",
        url: ready.link.url,
        headers: headers(ready.link.headers),
        expires_at: ready.expires_at,
    };
    Ok(secret(answer::json(StatusCode::CREATED, &upload)))
}

/// The headers of a link.
fn headers(headers: Vec<(String, String)>) -> Map<String, Value> {
    headers
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

/// An answer with links: whoever has one may use it.
fn secret(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
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

/// Reads what the upload is to be, and how it is divided if it is to come in parts; says all that is wrong with it at once.
fn terms(body: &[u8]) -> Result<(UploadTerms, Option<Division>), Refused> {
    let text = json::text(body).map_err(|error| Refused::payload(error, NOT_DESCRIBED))?;
    let value: Value = serde_json::from_str(text).expect("it was read before");
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, detail: &str| errors.push(FieldError::new(pointer, detail));
    let members = value.as_object().cloned().unwrap_or_else(|| {
        wrong("", "must be an object");
        Map::new()
    });
    for name in members
        .keys()
        .filter(|name| !MEMBERS.contains(&name.as_str()))
    {
        wrong(
            &format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            "is not known here; leave it out",
        );
    }
    let content_type = members
        .get("content_type")
        .and_then(Value::as_str)
        .filter(|text| is_media_type(text));
    if content_type.is_none() {
        wrong(
            "/content_type",
            "must be a media type, as in image/png, of at most 255 characters",
        );
    }
    let length = members.get("content_length");
    if length
        .and_then(Value::as_f64)
        .is_some_and(|length| length > LIMIT_AS_F64)
    {
        return Err(Refused::new(
            Code::PayloadTooLarge,
            format!(
                "an upload by POST /uploads has at most {LARGEST_UPLOAD} bytes; send a smaller one"
            ),
        )
        .member("limit", LARGEST_UPLOAD));
    }
    let length = length.and_then(whole).filter(|length| *length > 0);
    if length.is_none() {
        wrong("/content_length", "must be the number of bytes, 1 or more");
    }
    let sha256 = members.get("sha256").filter(|value| !value.is_null());
    let digest = sha256.and_then(Value::as_str).and_then(digest);
    if sha256.is_some() && digest.is_none() {
        wrong(
            "/sha256",
            "must be the SHA-256 of the bytes in base64: 44 characters",
        );
    }
    let wish = members.get("parts").filter(|value| !value.is_null());
    let parts = wish
        .and_then(whole)
        .and_then(|parts| parts.try_into().ok())
        .filter(|n| (1..=MOST_PARTS).contains(n));
    if wish.is_some() && parts.is_none() {
        wrong(
            "/parts",
            &format!(
                "must be a whole number from 1 to {MOST_PARTS}; leave it out where any will do"
            ),
        );
    }
    let in_parts = length.filter(|length| parts.is_some() || *length > UPLOAD_LIMIT);
    let division = match in_parts
        .map(|length| Division::of(length, parts))
        .transpose()
    {
        Ok(division) => division,
        Err(Undivided::TooMany(most)) => {
            wrong(
                "/parts",
                &format!(
                    "must be at most {most}: a part that is not the last has {LEAST_PART} bytes or more"
                ),
            );
            None
        }
        Err(Undivided::TooFew(least)) => {
            wrong(
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
        _ => Err(Refused::payload(
            PayloadError::Invalid(errors),
            NOT_DESCRIBED,
        )),
    }
}

/// The limit where numbers beyond it, however large, can be compared with it; 5 TiB is exact in it.
#[expect(clippy::cast_precision_loss, reason = "5 TiB has 43 bits, of 53")]
const LIMIT_AS_F64: f64 = LARGEST_UPLOAD as f64;

/// A whole number, however it is written: `896.0` is one too, to JSON Schema.
fn whole(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_f64()?.to_string().parse().ok())
}

fn digest(text: &str) -> Option<Digest> {
    BASE64
        .decode(text)
        .ok()?
        .try_into()
        .ok()
        .map(Digest::from_bytes)
}

/// A type, a subtype, and perhaps parameters, of characters that a header may hold.
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
    let good = |parameters: &str| {
        !parameters.trim().is_empty()
            && parameters.trim_end() == parameters
            && parameters.bytes().all(|b| matches!(b, b' '..=b'~'))
    };
    text.len() <= MEDIA_TYPE_LIMIT
        && essence
            .split_once('/')
            .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
        && parameters.is_none_or(good)
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
                terms(body.as_bytes()).ok().map(|(terms, _)| terms.length),
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
            assert!(terms(body.as_bytes()).is_err(), "{text}");
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
