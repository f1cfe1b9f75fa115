//! An upload in parts, as it is answered: when it is made ready, and by `GET /uploads/{id}`.

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

use super::{headers, secret};
use crate::problems::Refused;
use crate::router::Desk;
use crate::{Site, answer, caller, trace};

/// How it is with an upload in parts.
#[derive(Serialize)]
struct Document {
    #[serde(rename = "upload_id")]
    id: String,
    method: &'static str,
    content_length: u64,
    part_length: u64,
    parts: Vec<Part>,
    /// Where to read on.
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
    fn of(PartState { terms, link }: PartState) -> Self {
        let (number, content_length, uploaded) = (terms.number, terms.length, link.is_none());
        let (url, headers) = link.map(|link| (link.url, headers(link.headers))).unzip();
        Self {
            number,
            content_length,
            uploaded,
            url,
            headers,
        }
    }
}

/// An upload in parts that was made ready.
pub(super) fn created(site: &Site, upload: PartsUpload) -> Response {
    let place = place(site, upload.id);
    let mut response = shown(StatusCode::CREATED, site, upload);
    let location = HeaderValue::try_from(place).expect("an id and a base path are visible ASCII");
    response.headers_mut().insert(LOCATION, location);
    response
}

pub(crate) async fn look(
    State(desk): State<Desk>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, _) = request.into_parts();
    let from = from(parts.uri.query().unwrap_or_default())?;
    let tenant = caller::tenant(&parts)?;
    trace::about(Some(&tenant), None, None);
    let id: Option<UploadId> = id.ok().and_then(|Path(id)| id.parse().ok());
    let found = match id {
        Some(id) => desk.uploads.status(&tenant, id, from).await?,
        None => None,
    };
    let detail = "no upload in parts of this id is known; it may be over, so ask for another one. Of an upload in one part nothing \
                  is told: name it in a command, or send it again";
    let upload = found.ok_or_else(|| Refused::new(Code::UnknownUpload, detail))?;
    Ok(shown(StatusCode::OK, &desk.front.site, upload))
}

fn shown(status: StatusCode, site: &Site, upload: PartsUpload) -> Response {
    let document = Document {
        id: upload.id.to_string(),
        method: "PUT",
        content_length: upload.division.length,
        part_length: upload.division.part_length,
        next: upload
            .next
            .map(|next| format!("{}?from={next}", place(site, upload.id))),
        parts: upload.parts.into_iter().map(Part::of).collect(),
        expires_at: upload.expires_at,
    };
    secret(answer::json(status, &document))
}

fn place(site: &Site, id: UploadId) -> String {
    format!("{}/uploads/{id}", site.base_path)
}

/// The first part to be told of.
fn from(query: &str) -> Result<u32, Refused> {
    let mut found = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "from" {
            return Err(Refused::invalid(
                "the query has a parameter that is not known here; send from, or none",
            ));
        }
        if found.replace(value).is_some() {
            return Err(Refused::invalid(
                "from is there more than once; send it once",
            ));
        }
    }
    let number = |text: &str| {
        json::unsigned(text)?
            .try_into()
            .ok()
            .filter(|number| (1..=MOST_PARTS).contains(number))
    };
    found
        .map_or(Some(1), |value| number(&value))
        .ok_or_else(|| {
            Refused::invalid(format!(
                "from is not the number of a part; send a whole number from 1 to {MOST_PARTS}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_of_from_one_on_or_from_the_first() {
        for (query, number) in [
            ("", 1),
            ("from=1", 1),
            ("from=10000", 10_000),
            ("&from=%37&", 7),
            ("from=1.0", 1),
            ("from=1e2", 100),
        ] {
            assert_eq!(from(query).ok(), Some(number), "{query}");
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
            assert!(from(query).is_err(), "{query}");
        }
    }
}
