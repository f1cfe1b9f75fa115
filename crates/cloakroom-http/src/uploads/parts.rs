//! Representation of an upload in parts, in the response to its creation and to `GET /uploads/{id}`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use cloakroom_app::payload::json;
use cloakroom_app::upload::{PartState, PartsUpload};
use cloakroom_core::parts::MOST_PARTS;
use cloakroom_core::{Code, Timestamp, UploadId};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::links::header_members;
use crate::problems::Rejection;
use crate::submit_state::SubmitState;
use crate::{Site, caller, request_trace, response};

/// Upload in parts: which parts are uploaded, and links for the others.
#[derive(Serialize)]
struct Document {
    #[serde(rename = "upload_id")]
    id: String,
    method: &'static str,
    content_length: u64,
    part_length: u64,
    parts: Vec<Part>,
    /// Path of the next page of parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct Part {
    number: u32,
    content_length: u64,
    uploaded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Map<String, Value>>,
}

impl Part {
    fn new(PartState { terms, link }: PartState) -> Self {
        let (number, content_length, uploaded) = (terms.number, terms.length, link.is_none());
        let (url, headers) = link
            .map(|link| (link.url, header_members(link.headers)))
            .unzip();
        Self {
            number,
            content_length,
            uploaded,
            url,
            headers,
        }
    }
}

/// Responds with a new upload in parts.
pub(super) fn created(site: &Site, upload: PartsUpload) -> Response {
    let path = upload_path(site, upload.id);
    let mut response = respond(StatusCode::CREATED, site, upload);
    let location = HeaderValue::try_from(path).expect("an id and a base path are visible ASCII");
    response.headers_mut().insert(LOCATION, location);
    response
}

pub(crate) async fn look(
    State(state): State<Arc<SubmitState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let first = first_part(parts.uri.query().unwrap_or_default())?;
    let tenant = caller::tenant(&parts)?;
    request_trace::record(Some(&tenant), None, None);
    let id: Option<UploadId> = id.ok().and_then(|Path(id)| id.parse().ok());
    let upload = match id {
        Some(id) => state.uploads.status(&tenant, id, first).await?,
        None => None,
    };
    let detail = "the upload in parts is unknown or has expired; request another one. An upload in one part has no state to \
                  read: use it in a command, or send it again";
    let upload = upload.ok_or_else(|| Rejection::new(Code::UnknownUpload, detail))?;
    Ok(respond(StatusCode::OK, &state.site, upload))
}

fn respond(status: StatusCode, site: &Site, upload: PartsUpload) -> Response {
    let document = Document {
        id: upload.id.to_string(),
        method: "PUT",
        content_length: upload.division.length,
        part_length: upload.division.part_length,
        next: upload
            .next
            .map(|next| format!("{}?from={next}", upload_path(site, upload.id))),
        parts: upload.parts.into_iter().map(Part::new).collect(),
        expires_at: upload.expires_at,
    };
    response::no_store(response::json(status, &document))
}

fn upload_path(site: &Site, id: UploadId) -> String {
    format!("{}/uploads/{id}", site.settings.base_path)
}

/// Parses the number of the first part of the page.
fn first_part(query: &str) -> Result<u32, Rejection> {
    let mut from = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "from" {
            return Err(Rejection::invalid(
                "the query has an unknown parameter; send only from",
            ));
        }
        if from.replace(value).is_some() {
            return Err(Rejection::invalid(
                "from occurs more than once; send it once",
            ));
        }
    }
    let number = |text: &str| {
        json::unsigned(text)?
            .try_into()
            .ok()
            .filter(|number| (1..=MOST_PARTS).contains(number))
    };
    from.map_or(Some(1), |value| number(&value)).ok_or_else(|| {
        Rejection::invalid(format!(
            "from is not the number of a part; send a whole number from 1 to {MOST_PARTS}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_parts_begins_at_from_or_at_the_first_part() {
        for (query, number) in [
            ("", 1),
            ("from=1", 1),
            ("from=10000", 10_000),
            ("&from=%37&", 7),
            ("from=1.0", 1),
            ("from=1e2", 100),
        ] {
            assert_eq!(first_part(query).ok(), Some(number), "{query}");
        }
        for query in [
            "from=",
            "from",
            "from=0",
            "from=10001",
            "from=1&from=1",
            "from=-1",
            "from=1.5",
            "x=1",
            "from=1&x",
        ] {
            assert!(first_part(query).is_err(), "{query}");
        }
    }
}
