//! Links that can be shared: `POST /jobs/{id}/links`, and the routes below `/shared/{ticket}`.
//!
//! A ticket replaces the caller's credentials, so these routes are outside the authorizer. No problem document, log line
//! or referrer contains a ticket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use cloakroom_app::Links;
use cloakroom_core::problem::FieldError;
use cloakroom_core::ticket::TICKET_SECONDS;
use cloakroom_core::{Code, Ticket, TicketScope, Timestamp};
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::body::RequestBody;
use crate::job_query::{JobQuery, job_key};
use crate::jobs_state::JobsState;
use crate::problems::Rejection;
use crate::uploads::whole_number;
use crate::{cancel, events, request_trace, response, result};

/// Longest body that describes a link, in bytes.
const BODY_LIMIT: u64 = 4096;

/// Lifetime of a link in seconds, if the request names none.
const DEFAULT_SECONDS: u64 = 600;

/// Body of the response: the link.
#[derive(Serialize)]
struct Link {
    url: String,
    events: String,
    expires_at: Timestamp,
}

pub(crate) async fn create(
    State(state): State<Arc<JobsState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = RequestBody::new(body);
    let created = create_link(&state, id, &parts, &mut body).await;
    created.unwrap_or_else(Rejection::into_response)
}

async fn create_link(
    state: &JobsState,
    id: Result<Path<String>, PathRejection>,
    parts: &Parts,
    body: &mut RequestBody,
) -> Result<Response, Rejection> {
    let advice = "send only scope and ttl_seconds";
    let bytes = body
        .read(BODY_LIMIT)
        .await
        .map_err(|error| error.into_rejection(BODY_LIMIT, advice))?;
    let (scope, lifetime) = parse_terms(&bytes)?;
    let key = job_key(id, parts)?;
    let job = state.load(&key).await?;
    let (text, ticket) = links(state)?.create(&job, scope, lifetime).await?;
    let url = format!("{}/shared/{text}", state.site.settings.base_path);
    let link = Link {
        events: format!("{url}/events"),
        url,
        expires_at: ticket.expires_at,
    };
    let response = response::json(StatusCode::CREATED, &link);
    Ok(response::no_store(response))
}

/// Parses the terms of a link. An empty body means the defaults.
fn parse_terms(body: &[u8]) -> Result<(Vec<TicketScope>, Duration), Rejection> {
    const INVALID: &str = "the link is not described correctly";
    let mut scope = vec![TicketScope::Read];
    let mut seconds = DEFAULT_SECONDS;
    if body.trim_ascii().is_empty() {
        return Ok((scope, Duration::from_secs(seconds)));
    }
    let text = cloakroom_app::payload::json::text(body)
        .map_err(|error| Rejection::from_payload_error(error, INVALID))?;
    let value: Value = serde_json::from_str(text).expect("it was read before");
    let mut errors = vec![];
    match value.as_object() {
        None => errors.push(FieldError::new("", "must be an object")),
        Some(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "scope" => match parse_scope(value) {
                        Some(parsed) => scope = parsed,
                        None => errors.push(FieldError::new(
                            "/scope",
                            "must be a list of one or more of \"read\", \"cancel\" and \"signal\"",
                        )),
                    },
                    "ttl_seconds" => {
                        match whole_number(value).filter(|ttl| TICKET_SECONDS.contains(ttl)) {
                            Some(ttl) => seconds = ttl,
                            None => errors.push(FieldError::new(
                                "/ttl_seconds",
                                "must be a whole number from 60 to 86400",
                            )),
                        }
                    }
                    name => errors.push(FieldError::in_member(name, "is unknown; remove it")),
                }
            }
        }
    }
    if errors.is_empty() {
        Ok((scope, Duration::from_secs(seconds)))
    } else {
        Err(Rejection::new(
            Code::InvalidPayload,
            format!("{INVALID}; see errors for what to fix"),
        )
        .errors(errors))
    }
}

fn parse_scope(value: &Value) -> Option<Vec<TicketScope>> {
    let mut scope: Vec<TicketScope> = serde_json::from_value(value.clone()).ok()?;
    scope.sort_unstable();
    scope.dedup();
    (!scope.is_empty()).then_some(scope)
}

fn links(state: &JobsState) -> Result<&Links, Rejection> {
    state.jobs.links.as_ref().ok_or_else(|| {
        Rejection::new(
            Code::NotFound,
            "this service has no links that can be shared; / and /openapi.json list the paths",
        )
    })
}

/// A request by ticket: what the ticket permits, and the state that shows the job at its path.
struct SharedRequest {
    state: Arc<JobsState>,
    ticket: Ticket,
    parts: Parts,
}

impl SharedRequest {
    /// Verifies the ticket, its scope, and that its job still exists.
    async fn new(
        state: &JobsState,
        ticket: Option<&str>,
        parts: Parts,
        scope: TicketScope,
    ) -> Result<Self, Rejection> {
        let invalid = || {
            Rejection::new(
                Code::InvalidTicket,
                "the link is not valid or has expired; ask for a new one",
            )
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Ticket"))
        };
        let text = ticket.ok_or_else(invalid)?;
        let ticket = links(state)?.verify(text).await?.map_err(|_| invalid())?;
        if !ticket.scope.contains(&scope) {
            return Err(Rejection::new(
                Code::Forbidden,
                "the link does not permit this; ask for one whose scope does",
            ));
        }
        request_trace::record(Some(&ticket.job.tenant), None, Some(ticket.job.id));
        let path = format!("{}/shared/{text}", state.site.settings.base_path);
        let state = Arc::new(state.shared_at(path, ticket.scope.contains(&TicketScope::Cancel)));
        let job = state.jobs.get(&ticket.job).await?;
        // A ticket is for one incarnation of the id.
        if job.is_none_or(|job| job.created_at != ticket.created_at) {
            return Err(Rejection::unknown_job());
        }
        Ok(Self {
            state,
            ticket,
            parts,
        })
    }
}

type TicketPath = Result<Path<String>, PathRejection>;

pub(crate) async fn poll(
    State(state): State<Arc<JobsState>>,
    ticket: TicketPath,
    request: Request,
) -> Result<Response, Rejection> {
    let shared = read(&state, ticket, request).await?;
    let mut query = JobQuery::from_headers(&shared.parts.headers);
    let job = query.fetch(&shared.state, &shared.ticket.job).await?;
    Ok(query.response(&shared.state, &job))
}

pub(crate) async fn stream(
    State(state): State<Arc<JobsState>>,
    ticket: TicketPath,
    request: Request,
) -> Result<Response, Rejection> {
    let shared = read(&state, ticket, request).await?;
    events::stream(shared.state, shared.ticket.job, &shared.parts).await
}

pub(crate) async fn fetch_result(
    State(state): State<Arc<JobsState>>,
    ticket: TicketPath,
    request: Request,
) -> Result<Response, Rejection> {
    let shared = read(&state, ticket, request).await?;
    result::respond(&shared.state, &shared.ticket.job, &shared.parts.headers).await
}

async fn read(
    state: &JobsState,
    ticket: TicketPath,
    request: Request,
) -> Result<SharedRequest, Rejection> {
    let (parts, _) = request.into_parts();
    let text = ticket.ok().map(|Path(text)| text);
    SharedRequest::new(state, text.as_deref(), parts, TicketScope::Read).await
}

pub(crate) async fn withdraw(
    State(state): State<Arc<JobsState>>,
    ticket: TicketPath,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let text = ticket.ok().map(|Path(text)| text);
    let shared = SharedRequest::new(&state, text.as_deref(), parts, TicketScope::Cancel).await?;
    cancel::respond(&shared.state, &shared.ticket.job, &shared.parts.headers).await
}

/// No command is a process, so no job accepts a signal.
pub(crate) async fn signal(
    State(state): State<Arc<JobsState>>,
    ids: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let text = ids.ok().map(|Path((text, _))| text);
    SharedRequest::new(&state, text.as_deref(), parts, TicketScope::Signal).await?;
    Err(Rejection::new(
        Code::NotAProcess,
        "the job is not a process, so it waits for no signal",
    ))
}
